"""The plan of the shared network."""

from __future__ import annotations

import dataclasses

from coiled_pulumi.plan import cidr
from coiled_pulumi.plan.model import Endpoint, Item, Nat, Network, Subnet, Vpc
from coiled_pulumi.plan.tagging import Tagger


def subnet_key(tier: str, zone: str) -> str:
    """Give the key of a zone's public or private subnet."""
    return f"{tier}-{zone}"


def plan_network(
    tagger: Tagger, *, block: str, region: str, zones: tuple[str, ...], nat_zone: str, layout: int
) -> Network:
    """Plan a VPC with a subnet pair per zone, one NAT gateway in `nat_zone` and a free S3 endpoint."""
    subnets = []
    for zone in zones:
        addresses = cidr.blocks(block, zone, layout=layout)
        subnets.append(_subnet(tagger, "private", zone, addresses.private))
        subnets.append(_subnet(tagger, "public", zone, addresses.public))
    return Network(
        vpc=Vpc(*_fields(tagger.item("vpc")), cidr=block),
        internet_gateway=tagger.item("internet"),
        public_routes=tagger.item("public"),
        private_routes=tagger.item("private"),
        nat=Nat(
            *_fields(tagger.item("nat")),
            subnet=subnet_key("public", nat_zone),
            address=tagger.item("nat-address"),
        ),
        endpoint=Endpoint(*_fields(tagger.item("s3")), service=f"com.amazonaws.{region}.s3"),
        default_group=tagger.item("default-group"),
        subnets=tuple(sorted(subnets, key=lambda subnet: subnet.key)),
    )


def _subnet(tagger: Tagger, tier: str, zone: str, block: str) -> Subnet:
    item = tagger.item(subnet_key(tier, zone))
    return Subnet(*_fields(item), tier=tier, zone=zone, cidr=block)  # type: ignore[arg-type]


def _fields(item: Item) -> tuple:
    return tuple(getattr(item, field.name) for field in dataclasses.fields(Item))
