"""The picture of what runs, for the hosts: instances and their network, read from moto's state."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from coiled_pulumi.local.roles import ROLES, role_of

#: States in which a machine is on.
_ON: Final = frozenset({"pending", "running"})
_EVERYWHERE: Final = "0.0.0.0/0"


@dataclass(slots=True)
class Notice:
    """What a spot instance is told before it is taken away.

    Attributes:
        recommended: when AWS saw it coming, as `2026-01-02T03:04:05Z`.
        ends: when the instance is terminated.
    """

    recommended: str
    ends: str


@dataclass(slots=True)
class Notices:
    """The notices of spot instances, by instance."""

    given: dict[str, Notice] = field(default_factory=dict)


#: The ones of this process.
NOTICES: Final = Notices()


def running() -> Iterator[Any]:
    """Give the instances that are on, of all accounts and regions, in the order of their launch."""
    from moto.ec2.models import ec2_backends

    for regions in list(ec2_backends.values()):
        for backend in list(regions.values()):
            for reservation in backend.reservations.values():
                for instance in reservation.instances:
                    if instance._state.name in _ON and instance.nics and instance.subnet_id:
                        instance._coiled_reservation = reservation.id
                        yield instance


def snapshot(instances: list[Any]) -> dict[str, Any]:
    """Describe instances, and of the network all that is in their VPCs."""
    vpcs: dict[str, Any] = {}
    for instance in instances:
        vpcs.setdefault(instance.vpc_id, instance.ec2_backend)
    return {
        "vpcs": {key: {"cidrs": _blocks(backend.vpcs[key])} for key, backend in vpcs.items()},
        "subnets": {
            subnet.id: _subnet(backend, subnet)
            for key, backend in vpcs.items()
            for zone in backend.subnets.values()
            for subnet in zone.values()
            if subnet.vpc_id == key
        },
        "groups": {
            group.id: _group(group)
            for key, backend in vpcs.items()
            for group in backend.groups.get(key, {}).values()
        },
        "instances": {instance.id: _instance(instance) for instance in instances},
    }


def _blocks(vpc: Any) -> list[str]:
    return [one["cidr_block"] for one in vpc.get_cidr_block_association_set()]


def _subnet(backend: Any, subnet: Any) -> dict[str, Any]:
    endpoints = any(
        one.vpc_id == subnet.vpc_id and (one.vpc_endpoint_type or "").lower() == "interface"
        for one in backend.vpc_end_points.values()
    )
    return {
        "vpc": subnet.vpc_id,
        "cidr": subnet.cidr_block,
        "way_out": _way_out(backend, subnet),
        "endpoints": endpoints,
    }


def _way_out(backend: Any, subnet: Any) -> str | None:
    """Follow the default route of the subnet's own table, or of its VPC's main one."""
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    own = (table for table in tables if subnet.id in table._associations.values())
    main = (table for table in tables if table.main_association_id is not None)
    table = next(own, None) or next(main, None)
    for route in table.routes if table is not None else ():
        if route.destination_cidr_block != _EVERYWHERE:
            continue
        if route.gateway is not None:
            attached = getattr(getattr(route.gateway, "vpc", None), "id", "")
            return "igw" if attached == subnet.vpc_id else None
        if route.nat_gateway is not None and route.nat_gateway.state == "available":
            return _public(route.nat_gateway._eni)
        return _nat_instance(route)
    # AWS's default VPC comes with a gateway and the route to it, moto's with neither.
    return "igw" if backend.vpcs[subnet.vpc_id].is_default else None


def _nat_instance(route: Any) -> str | None:
    """Give the address of an instance that forwards, if it is on and may."""
    nic = route.interface or (route.instance.nics.get(0) if route.instance is not None else None)
    instance = nic.instance if nic is not None else None
    if instance is None or instance._state.name not in _ON:
        return None
    checked = str(getattr(nic, "source_dest_check", True)).lower() == "true"
    return None if checked and str(instance.source_dest_check).lower() == "true" else _public(nic)


def _public(nic: Any) -> str | None:
    """Give the public address that leads to an interface: an elastic one, or the one of its launch."""
    return nic.public_ip or None


def _group(group: Any) -> dict[str, Any]:
    return {
        "vpc": group.vpc_id,
        "ingress": [_rule(rule) for rule in group.ingress_rules if _is_known(rule)],
        "egress": [_rule(rule) for rule in group.egress_rules if _is_known(rule)],
    }


def _is_known(rule: Any) -> bool:
    """Leave rules about IPv6 and prefix lists out: nothing here has an address of either."""
    return bool(rule.cidr_ipv4 or rule.source_group.get("GroupId"))


def _rule(rule: Any) -> dict[str, Any]:
    return {
        "protocol": rule.ip_protocol,
        "from": rule.from_port,
        "to": rule.to_port,
        "cidr": rule.cidr_ipv4,
        "group": rule.source_group.get("GroupId"),
    }


def _instance(instance: Any) -> dict[str, Any]:
    nic, options = instance.nics[0], instance.metadata_options
    return {
        "vpc": instance.vpc_id,
        "subnet": instance.subnet_id,
        "private": instance.private_ip,
        "public": _public(nic),
        "groups": [group.id for group in _groups(instance, nic)],
        "user_data": user_data(instance),
        "metadata": _metadata(instance),
        "metadata_options": {"tokens": options.http_tokens, "endpoint": options.http_endpoint},
        "credentials": ROLES.credentials(instance),
        "tags": tags_of(instance),
    }


def _groups(instance: Any, nic: Any) -> list[Any]:
    by_id = {group.id: group for group in [*nic.group_set, *instance.security_groups]}
    return [by_id[name] for name in sorted(by_id)]


def tags_of(instance: Any) -> dict[str, str]:
    """Give the tags of an instance."""
    return {tag["key"]: tag["value"] for tag in instance.get_tags()}


def user_data(instance: Any) -> str:
    """Decode what moto keeps as it came: text in base64."""
    if not instance.user_data:
        return ""
    try:
        return base64.b64decode(str(instance.user_data), validate=True).decode("utf-8", "replace")
    except ValueError:
        return str(instance.user_data)


def _metadata(instance: Any) -> dict[str, str]:
    """Make the leaves of the metadata service's tree; credentials and user data stand beside."""
    nic, region, zone = instance.nics[0], instance.ec2_backend.region_name, instance.availability_zone
    groups = _groups(instance, nic)
    leaves = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.ami_launch_index),
        "hostname": instance.private_dns_name,
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": "spot" if instance.lifecycle == "spot" else "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.private_dns_name,
        "local-ipv4": instance.private_ip,
        "mac": nic.mac_address,
        "placement/availability-zone": zone,
        "placement/region": region,
        "reservation-id": instance._coiled_reservation,
        "security-groups": "\n".join(group.name for group in groups),
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
    }
    if public := _public(nic):
        leaves["public-ipv4"] = public
    leaves |= _network(instance, nic, groups) | _role(instance) | _spot(instance)
    if instance.metadata_options.instance_metadata_tags == "enabled":
        leaves |= {f"tags/instance/{key}": value for key, value in tags_of(instance).items()}
    document = {
        "accountId": instance.ec2_backend.account_id,
        "architecture": instance.architecture,
        "availabilityZone": zone,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "pendingTime": f"{instance.launch_time:%Y-%m-%dT%H:%M:%SZ}",
        "privateIp": instance.private_ip,
        "region": region,
        "version": "2017-09-30",
    }
    return {f"meta-data/{path}": str(text) for path, text in leaves.items()} | {
        "dynamic/instance-identity/document": json.dumps(document, indent=2)
    }


def _network(instance: Any, nic: Any, groups: list[Any]) -> dict[str, str]:
    vpc, subnet = instance.ec2_backend.vpcs[instance.vpc_id], nic.subnet
    found = {
        "device-number": "0",
        "interface-id": nic.id,
        "local-ipv4s": nic.private_ip_address,
        "mac": nic.mac_address,
        "owner-id": instance.ec2_backend.account_id,
        "security-group-ids": "\n".join(group.id for group in groups),
        "subnet-id": subnet.id,
        "subnet-ipv4-cidr-block": subnet.cidr_block,
        "vpc-id": vpc.id,
        "vpc-ipv4-cidr-block": vpc.cidr_block,
        "vpc-ipv4-cidr-blocks": "\n".join(_blocks(vpc)),
    }
    if public := _public(nic):
        found["public-ipv4s"] = public
    return {f"network/interfaces/macs/{nic.mac_address}/{path}": text for path, text in found.items()}


def _role(instance: Any) -> dict[str, str]:
    if role_of(instance) is None:
        return {}
    profile = instance.ec2_backend.iam_instance_profile_associations[instance.id].iam_instance_profile
    updated = f"{instance.launch_time:%Y-%m-%dT%H:%M:%SZ}"
    told = {
        "Code": "Success",
        "LastUpdated": updated,
        "InstanceProfileArn": profile.arn,
        "InstanceProfileId": profile.id,
    }
    return {"iam/info": json.dumps(told, indent=2)}


def _spot(instance: Any) -> dict[str, str]:
    notice = NOTICES.given.get(instance.id)
    if notice is None:
        return {}
    return {
        "events/recommendations/rebalance": json.dumps({"noticeTime": notice.recommended}),
        "spot/instance-action": json.dumps({"action": "terminate", "time": notice.ends}),
        "spot/termination-time": notice.ends,
    }
