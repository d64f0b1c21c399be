"""What is in use can't be deleted.

moto deletes subnets with interfaces in them, security groups that interfaces or other groups' rules name,
VPCs with gateways, endpoints and groups, and releases elastic addresses that are tied. AWS refuses with
DependencyViolation (and InvalidIPAddress.InUse): a wrong order of deletion shows there and should show
here.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def apply() -> None:
    """Look for users of a resource before moto deletes it."""
    from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
    from moto.ec2.models.security_groups import SecurityGroupBackend
    from moto.ec2.models.subnets import SubnetBackend
    from moto.ec2.models.vpcs import VPCBackend

    _guard(SubnetBackend, "delete_subnet", _subnet)
    _guard(SecurityGroupBackend, "delete_security_group", _security_group)
    _guard(VPCBackend, "delete_vpc", _vpc)
    _guard(ElasticAddressBackend, "release_address", _address)


def _guard(kind: type, method: str, check: Callable[..., None]) -> None:
    inner = getattr(kind, method)

    def guarded(self: Any, *args: Any, **options: Any) -> Any:
        check(self, *args, **options)
        return inner(self, *args, **options)

    setattr(kind, method, guarded)


def _refuse(kind: str, name: str) -> None:
    from moto.ec2.exceptions import DependencyViolationError

    raise DependencyViolationError(f"The {kind} '{name}' has dependencies and cannot be deleted.")


def _subnet(backend: Any, subnet_id: str) -> None:
    if any(eni.subnet.id == subnet_id for eni in backend.enis.values()):
        _refuse("subnet", subnet_id)


def _security_group(backend: Any, group_id: str | None = None, **_: Any) -> None:
    group = backend.get_security_group_from_id(group_id) if group_id else None
    if group is None:
        return
    used = any(group in eni.group_set for eni in backend.enis.values())
    others = [other for groups in backend.groups.values() for other in groups.values() if other is not group]
    named = any(
        rule.source_group.get("GroupId") == group_id
        for other in others
        for rule in [*other.ingress_rules, *other.egress_rules]
    )
    if used or named:
        from moto.ec2.exceptions import DependencyViolationError

        raise DependencyViolationError(f"resource {group_id} has a dependent object")


def _vpc(backend: Any, vpc_id: str) -> None:
    groups = backend.groups.get(vpc_id, {}).values()
    holds = (
        any(
            gateway.vpc is not None and gateway.vpc.id == vpc_id
            for gateway in backend.internet_gateways.values()
        ),
        any(nat.vpc_id == vpc_id and nat.state != "deleted" for nat in backend.nat_gateways.values()),
        any(group.name != "default" for group in groups),
        any(endpoint.vpc_id == vpc_id for endpoint in backend.vpc_end_points.values()),
    )
    if any(holds):
        _refuse("vpc", vpc_id)


def _address(backend: Any, allocation_id: str | None = None, **_: Any) -> None:
    from moto.ec2.exceptions import EC2ClientError

    for one in backend.addresses:
        if one.allocation_id == allocation_id and one.association_id and one.domain == "vpc":
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {one.public_ip} is in use.")
