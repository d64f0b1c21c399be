"""The plan of the shared network."""

from __future__ import annotations

import dataclasses
from typing import Literal

from coiled_pulumi.plan import cidr
from coiled_pulumi.plan.model import (
    Endpoint,
    ExistingNetwork,
    ExistingSubnet,
    Item,
    Nat,
    NatInstance,
    Network,
    RouteTable,
    Subnet,
    Tier,
    Vpc,
)
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.plan.userdata import nat_user_data
from coiled_pulumi.spec.rules import NAT_INSTANCE_TYPE

Way = Literal["gateway", "per-zone", "instance", "none"]

PUBLIC, PRIVATE, INTERNET = "public", "private", "internet"
#: The security group of a NAT instance: everything from inside the network.
NAT_GROUP = "nat-group"
#: The image of a NAT instance.
NAT_IMAGE = "image-arm64"
#: Services that machines talk to, and so need an endpoint where there is no way out: parameters, logs, and what the
#: node's own timers call to end a cluster.
SERVICES = ("autoscaling", "ec2", "logs", "ssm", "sts")


def subnet_key(tier: str, zone: str) -> str:
    """Give the key of a zone's public or private subnet."""
    return f"{tier}-{zone}"


def plan_network(
    tagger: Tagger,
    *,
    block: str,
    region: str,
    zones: tuple[str, ...],
    nat: Way,
    nat_zone: str,
    layout: int,
    endpoint_group: str,
) -> Network:
    """Plan a VPC with a subnet pair per zone, the chosen way out, and a free S3 endpoint.

    Args:
        tagger: makes the items.
        block: of the VPC.
        region: its region.
        zones: that get a subnet pair.
        nat: the way out of the private subnets.
        nat_zone: where a single NAT gateway or instance stands.
        layout: version of the address plan.
        endpoint_group: key of the security group whose members use interface endpoints.
    """
    per_zone = nat == "per-zone"
    subnets = [
        subnet
        for zone in zones
        for subnet in plan_subnets(tagger, block, zone, layout=layout, per_zone=per_zone)
    ]
    gateways = {"gateway": (nat_zone,), "per-zone": zones}.get(nat, ())
    return Network(
        vpc=Vpc(*_fields(tagger.item("vpc")), cidr=block),
        internet_gateway=tagger.item(INTERNET),
        route_tables=_tables(tagger, nat, zones),
        nat_gateways=tuple(_gateway(tagger, zone, per_zone=per_zone) for zone in gateways),
        nat_instance=_nat_instance(tagger, nat_zone) if nat == "instance" else None,
        endpoints=_endpoints(tagger, region, nat, zones, endpoint_group),
        default_group=tagger.item("default-group"),
        subnets=tuple(sorted(subnets, key=lambda subnet: subnet.key)),
        layout=layout,
    )


def plan_subnets(
    tagger: Tagger, block: str, zone: str, *, layout: int, per_zone: bool = False
) -> tuple[Subnet, Subnet]:
    """Plan the subnet pair of a zone."""
    addresses = cidr.blocks(block, zone, layout=layout)
    return (
        _subnet(tagger, "private", zone, addresses.private, _private_table(zone, per_zone=per_zone)),
        _subnet(tagger, "public", zone, addresses.public, PUBLIC),
    )


def existing_network(vpc_id: str, subnets: dict[str, tuple[str | None, str]]) -> ExistingNetwork:
    """Describe a VPC that is there already.

    Args:
        vpc_id: AWS's id.
        subnets: by zone, the ids of the public subnet, which need not be there, and of the private one.
    """
    found = []
    for zone, (public, private) in subnets.items():
        found.append(ExistingSubnet(subnet_key("private", zone), "private", zone, private))
        if public is not None:
            found.append(ExistingSubnet(subnet_key("public", zone), "public", zone, public))
    return ExistingNetwork(vpc_id, tuple(sorted(found, key=lambda subnet: subnet.key)))


def _subnet(tagger: Tagger, tier: Tier, zone: str, block: str, table: str) -> Subnet:
    item = tagger.item(subnet_key(tier, zone))
    return Subnet(*_fields(item), tier=tier, zone=zone, cidr=block, table=table)


def _private_table(zone: str, *, per_zone: bool) -> str:
    return f"routes-{zone}" if per_zone else PRIVATE


def _tables(tagger: Tagger, nat: Way, zones: tuple[str, ...]) -> tuple[RouteTable, ...]:
    made = [RouteTable(*_fields(tagger.item(PUBLIC)), tier="public", way_out=INTERNET)]
    if nat == "per-zone":
        for zone in zones:
            item = tagger.item(_private_table(zone, per_zone=True))
            made.append(RouteTable(*_fields(item), tier="private", way_out=f"nat-{zone}"))
    else:
        way_out = {"gateway": "nat", "instance": "nat-instance", "none": None}[nat]
        made.append(RouteTable(*_fields(tagger.item(PRIVATE)), tier="private", way_out=way_out))
    return tuple(sorted(made, key=lambda table: table.key))


def _gateway(tagger: Tagger, zone: str, *, per_zone: bool) -> Nat:
    ending = f"-{zone}" if per_zone else ""
    return Nat(
        *_fields(tagger.item(f"nat{ending}")),
        subnet=subnet_key("public", zone),
        zone=zone,
        address=tagger.item(f"nat-address{ending}"),
    )


def _nat_instance(tagger: Tagger, zone: str) -> NatInstance:
    return NatInstance(
        *_fields(tagger.item("nat-instance")),
        subnet=subnet_key("public", zone),
        zone=zone,
        address=tagger.item("nat-instance-address"),
        instance_type=NAT_INSTANCE_TYPE,
        image=NAT_IMAGE,
        group=NAT_GROUP,
        user_data=nat_user_data(),
    )


def _endpoints(
    tagger: Tagger, region: str, nat: Way, zones: tuple[str, ...], group: str
) -> tuple[Endpoint, ...]:
    made = [Endpoint(*_fields(tagger.item("s3")), service=f"com.amazonaws.{region}.s3", kind="Gateway")]
    if nat == "none":
        subnets = tuple(sorted(subnet_key("private", zone) for zone in zones))
        made += [
            Endpoint(
                *_fields(tagger.item(f"endpoint-{service}")),
                service=f"com.amazonaws.{region}.{service}",
                kind="Interface",
                subnets=subnets,
                group=group,
            )
            for service in SERVICES
        ]
    return tuple(sorted(made, key=lambda endpoint: endpoint.key))


def _fields(item: Item) -> tuple:
    return tuple(getattr(item, field.name) for field in dataclasses.fields(Item))
