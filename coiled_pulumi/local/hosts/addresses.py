"""How an address that the API calls public looks from the machine, and how from inside the namespaces.

On the machine it is within 127.0.0.0/8, which Linux hands to nobody but the loopback interface: no packet for it can
leave. For just that reason it is of no use on a wire, also on one of ours, so that inside 127.a.b.c is 240.a.b.c:
class E, which no real network uses, and which Linux routes like any other address.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

_MACHINE: Final = IPv4Network("127.0.0.0/8")
_INSIDE: Final = IPv4Network("240.0.0.0/8")
_BETWEEN: Final = int(_INSIDE.network_address) - int(_MACHINE.network_address)
#: Everything that is public inside.
OUTSIDE: Final = str(_INSIDE)
STAND_INS: Final = IPv4Network("127.128.0.0/10")
#: Where the API listens inside, on port 80.
API: Final = "240.255.255.254"
#: Routers have the addresses from here on; the API gives no instance one of 127.255.0.0/16.
_ROUTERS: Final = IPv4Address("240.255.0.1")
MAX_ROUTERS: Final = 60_000


def inside(address: str) -> str:
    """Give what an address of the machine, in 127.0.0.0/8, is inside; another one stays."""
    value = IPv4Address(address)
    return str(value + _BETWEEN) if value in _MACHINE else str(value)


def is_machine(address: str) -> bool:
    """Tell whether an address is one that the machine may listen on: in 127.0.0.0/8."""
    return IPv4Address(address) in _MACHINE


def loopback(private: str) -> str:
    """Give the address that stands for a private one where there are no namespaces: in 127.128.0.0/10."""
    value = IPv4Address(private)
    if value in _MACHINE:
        return private
    kept = STAND_INS.max_prefixlen - STAND_INS.prefixlen
    return str(STAND_INS.network_address + (int(value) & ((1 << kept) - 1)))


def networks(cidr: str) -> Iterator[IPv4Network]:
    """Give what the block of a rule covers inside; nothing for IPv6, which no instance has."""
    if ":" in cidr:
        return
    network = IPv4Network(cidr, strict=False)
    if network.subnet_of(_MACHINE):
        yield IPv4Network((int(network.network_address) + _BETWEEN, network.prefixlen))
        return
    yield network
    if network.supernet_of(_MACHINE) and not network.supernet_of(_INSIDE):
        yield _INSIDE


def covers(cidr: str, address: str) -> bool:
    """Tell whether a rule's block has an address of inside."""
    return any(IPv4Address(address) in network for network in networks(cidr))


def is_open(cidr: str) -> bool:
    """Tell whether a rule's block has anything that is public inside."""
    return any(network.overlaps(_INSIDE) for network in networks(cidr))


def router(number: int) -> str:
    """Give the address of a VPC's router towards the internet.

    Args:
        number: of the VPC, from 0; below `MAX_ROUTERS`.
    """
    return str(_ROUTERS + number)
