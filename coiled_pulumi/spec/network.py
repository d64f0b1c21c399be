"""The shared network of a workspace."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, WithJsonSchema, field_validator

from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import Refusal, Spec
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


class Network(Spec):
    """A VPC of our own with a public and a private subnet for every zone."""

    cidr: NetworkCidr = "10.0.0.0/16"
    """IPv4 block of the VPC, /16 to /22. Changing it replaces the network and everything in it."""

    zones: tuple[str, ...] | None = None
    """Availability zones that get a subnet pair. Default: every zone of the region."""

    layout: Literal[1] = 1
    """Version of the address plan. It is written down so that a better plan never moves an existing subnet."""

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
