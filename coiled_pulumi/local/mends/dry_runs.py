"""A dry run makes nothing.

moto looks at `DryRun` in some calls and carries the others out. AWS answers every dry run of EC2 with
`DryRunOperation`, and makes nothing.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
"""

from __future__ import annotations

from typing import Any, Final

#: By class of moto's answers: the calls that it carries out in spite of `DryRun`, of those that we ask.
_CALLS: Final = {"VPCs": ("create_vpc", "create_vpc_endpoint"), "NatGateways": ("create_nat_gateway",)}


def apply() -> None:
    """Look first."""
    from moto.ec2.responses.nat_gateways import NatGateways
    from moto.ec2.responses.vpcs import VPCs

    for answers in (VPCs, NatGateways):
        for name in _CALLS[answers.__name__]:
            setattr(answers, name, _looking(getattr(answers, name)))


def _looking(call: Any) -> Any:
    def looked(self: Any) -> Any:
        self.error_on_dryrun()
        return call(self)

    return looked
