"""A zone can be out of an instance type, when it is told to.

moto always has machines. AWS at times has none of a type in a zone: RunInstances is then refused with
InsufficientInstanceCapacity, and an auto scaling group notes a failed activity with the same sentence.
`coiled-pulumi local no-capacity` says which type and zone. AWS answers with HTTP status 500, this with 400: the
clients that we use go by the code.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html#troubleshooting-launch-capacity
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.limits import LIMITS
from coiled_pulumi.local.mends._launch import Launch, around, type_of, zone_of


def apply() -> None:
    """Look before each launch."""
    around(before=_check)


def _check(launch: Launch) -> None:
    wanted, zone = type_of(launch), zone_of(launch)
    if (wanted, zone) in LIMITS.shortages:
        raise _none(wanted, zone, [name for name in _zones(launch) if (wanted, name) not in LIMITS.shortages])


def _zones(launch: Launch) -> list[str]:
    return sorted(zone.name for zone in launch.backend.describe_availability_zones())


def _none(wanted: str, zone: str, others: list[str]) -> Exception:
    from moto.ec2.exceptions import EC2ClientError

    text = (
        f"We currently do not have sufficient {wanted} capacity in the Availability Zone you requested ({zone}). "
        "Our system will be working on provisioning additional capacity."
    )
    if others:
        text += (
            f" You can currently get {wanted} capacity by not specifying an Availability Zone in your request or "
            f"choosing {', '.join(others)}."
        )
    error: Any = EC2ClientError("InsufficientInstanceCapacity", text)
    return error
