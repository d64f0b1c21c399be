"""Small values with a meaning, parsed from text in one place."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, NewType

Region = NewType("Region", str)
Zone = NewType("Zone", str)
InstanceType = NewType("InstanceType", str)
#: A disk or memory size in binary gigabytes.
GiB = NewType("GiB", int)

#: Workspace and cluster names: they become names of roles, log groups and stacks. The longest derived name
#: that AWS limits to 64 characters (a role) still fits.
SLUG: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
#: What a cluster's first group of workers is called where groups have names.
WORKERS: Final = "workers"
#: The organization in all our certificates.
ORGANIZATION: Final = "coiled-pulumi"
#: Prefixes that AWS keeps for itself in the names that we derive.
RESERVED_PREFIXES: Final = ("aws", "sg-", "default")

_ZONE = re.compile(r"(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d)(?P<letter>[a-z])")


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """TCP ports, both ends included, 1 to 65535."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """Read `8786` or `8000-8100`.

        Raises:
            ValueError: it is neither, a port is outside 1..65535, or the range is reversed.
        """
        match = re.fullmatch(r"(0|[1-9][0-9]{0,4})(?:-(0|[1-9][0-9]{0,4}))?", text)
        if not match:
            msg = "must be a port or a range as 8000-8100"
            raise ValueError(msg)
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            msg = "must lie between 1 and 65535, the lower port first"
            raise ValueError(msg)
        return cls(first, last)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def zone_letter(zone: str) -> str:
    """Give the letter of an availability zone, `b` of `us-east-1b`.

    Raises:
        ValueError: the text has not the form of a zone's name.
    """
    match = _ZONE.fullmatch(zone)
    if not match:
        msg = f"not the name of an availability zone: {zone!r}"
        raise ValueError(msg)
    return match["letter"]


def region_of(zone: str) -> Region:
    """Give the region of an availability zone, `us-east-1` of `us-east-1b`."""
    return Region(zone[: -len(zone_letter(zone))])


def certificate_unit(workspace: str, cluster: str) -> str:
    """Give what stands for a cluster in its certificates, as their organizational unit; X.509 takes 64 characters."""
    return f"{workspace}/{cluster}"[:64]


def parse_cidr(text: str) -> ipaddress.IPv4Network:
    """Read an IPv4 block.

    Raises:
        ValueError: with the constraint as text; host bits name the block that was probably meant.
    """
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        if ":" in text:
            msg = "must be an IPv4 block, not IPv6"
        elif "host bits" in str(error):
            msg = f"must be a block without host bits, as {ipaddress.IPv4Network(text, strict=False)}"
        else:
            msg = "must be an IPv4 block as 10.0.0.0/16"
        raise ValueError(msg) from None
