"""The shared network of a workspace."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import OnChange, Refusal, Spec
from coiled_pulumi.values import parse_cidr

#: AWS allows a VPC of /16 to /28; below /22 the public subnets (1/64 each) would be smaller than AWS's /28.
LARGEST, SMALLEST = 16, 22
PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def check_network_cidr(text: str) -> str:
    """Accept a private IPv4 block that layout 1 can divide.

    Raises:
        Refusal: not a block, not private, or of the wrong size.
    """
    try:
        block = parse_cidr(text)
    except ValueError as error:
        raise Refusal(str(error)) from None
    if not any(block.subnet_of(private) for private in PRIVATE):
        msg = "must be private (inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)"
        raise Refusal(msg, "10.0.0.0/16 is the default")
    if not LARGEST <= block.prefixlen <= SMALLEST:
        msg = f"must be a block of /{LARGEST} to /{SMALLEST}"
        large = block.prefixlen < LARGEST
        raise Refusal(
            msg, "AWS's limit is /16" if large else "a smaller one has no room for every zone's subnets"
        )
    return str(block)


NetworkCidr = Annotated[
    str,
    AfterValidator(check_network_cidr),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\.\d+\.\d+\.\d+/(1[6-9]|2[0-2])$"}),
]


def _identifier(kind: str, example: str) -> Any:
    """Make the type of an AWS id: a prefix and 8 or 17 hex digits."""
    pattern = f"{kind}-(?:[0-9a-f]{{8}}|[0-9a-f]{{17}})"

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            msg = f"must be an id as {example}"
            raise Refusal(msg)
        return text

    return Annotated[
        str, AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})
    ]


VpcId = _identifier("vpc", "vpc-0123456789abcdef0")
SubnetId = _identifier("subnet", "subnet-0123456789abcdef0")


class ExistingSubnets(Spec):
    """The subnets of one zone that machines are put into."""

    private: Annotated[SubnetId, OnChange("replaces the clusters of the zone")]
    """Id of the subnet for workers; it needs a way out to the internet or endpoints of the AWS services."""

    public: Annotated[SubnetId | None, OnChange("replaces the schedulers of the zone")] = None
    """Id of the subnet for schedulers with a public address; it needs a route to an internet gateway."""


class Existing(Spec):
    """A VPC that is there already: machines and security groups are put into it, nothing of it is changed."""

    vpc_id: Annotated[VpcId, OnChange("replaces everything")]
    """Id of the VPC."""

    subnets: Annotated[
        dict[str, ExistingSubnets], Field(min_length=1), OnChange("replaces the clusters of the zone")
    ]
    """Subnets by availability zone."""

    @field_validator("subnets")
    @classmethod
    def _subnet_in_one_zone(cls, subnets: dict[str, ExistingSubnets]) -> dict[str, ExistingSubnets]:
        zones: dict[str, str] = {}
        for zone, pair in subnets.items():
            for subnet in {pair.private, pair.public} - {None}:
                other = zones.setdefault(str(subnet), zone)
                if other != zone:
                    msg = f"must have each subnet in one zone, {subnet} is in {other} and {zone}"
                    raise Refusal(msg)
        return subnets


class Network(Spec):
    """A VPC of our own with a public and a private subnet for every zone, or one that is there already."""

    cidr: Annotated[NetworkCidr, OnChange("replaces everything")] = "10.0.0.0/16"
    """IPv4 block of the VPC, /16 to /22. Changing it replaces the network and everything in it."""

    zones: Annotated[tuple[str, ...] | None, OnChange("adds and removes subnets")] = None
    """Availability zones that get a subnet pair. Default: every zone of the region."""

    nat: Annotated[
        Literal["gateway", "per-zone", "instance", "none"], OnChange("replaces the way out; clusters stay")
    ] = "gateway"
    """Way out of the private subnets: one NAT gateway, one per zone, a small NAT instance, or none, with endpoints of
    the AWS services that machines need in its place. `plan` shows what each costs."""

    existing: Annotated[Existing | None, OnChange("replaces everything")] = None
    """A VPC that is there already, in place of one of our own."""

    layout: Annotated[Literal[1], OnChange("replaces everything")] = 1
    """Version of the address plan. It is written down so that a better plan never moves an existing subnet."""

    @model_validator(mode="after")
    def _own_or_existing(self) -> Network:
        own = sorted(self.model_fields_set & {"cidr", "zones", "nat", "layout"})
        if self.existing is not None and own:
            msg = f"must not have {own[0]} beside existing"
            raise Refusal(msg, "an existing network has its own blocks, zones and ways out")
        return self

    @field_validator("zones")
    @classmethod
    def _zones_distinct(cls, zones: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if zones is not None and not zones:
            msg = "must name at least one zone"
            raise Refusal(msg, "leave it out to get every zone of the region")
        if zones is not None and len(set(zones)) < len(zones):
            twice = sorted({zone for zone in zones if zones.count(zone) > 1})
            msg = f"must name each zone once, {echo(twice[0])} is there twice"
            raise Refusal(msg)
        return zones
