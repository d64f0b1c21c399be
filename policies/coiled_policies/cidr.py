"""Which part of the public internet a set of address blocks lets in, taken together."""

import ipaddress
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Span: TypeAlias = tuple[int, int]
"""First address and the one after the last, as numbers."""

WORLD_SHARE: Final = Fraction(1, 256)
"""The share of all public addresses, about an IPv4 /8, from which on a rule is open to the world."""

EVERYTHING: Final = {4: "0.0.0.0/0", 6: "::/0"}

# Special-purpose blocks that no stranger on the internet can send from: RFC 6890, and 224.0.0.0/3 for
# multicast and the reserved blocks above it.
_NOT_PUBLIC: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
)  # fmt: skip
_GLOBAL_UNICAST: Final = "2000::/3"  # the only IPv6 block handed out so far, RFC 4291 section 2.4


def parse(cidr: object) -> Network | None:
    """Read an address block, host bits or not. None if it is no such thing."""
    try:
        return ipaddress.ip_network(str(cidr), strict=False)
    except ValueError:
        return None


def open_to(networks: Iterable[Network]) -> tuple[str, ...]:
    """Say which world the union of `networks` is open to: nothing, IPv4, IPv6 or both.

    Only the union counts: 0.0.0.0/1 and 128.0.0.0/1 are 0.0.0.0/0, in any order and with any overlap,
    and leaving out the private blocks narrows nothing.
    """
    networks = tuple(networks)
    shares = {version: public_share(networks, version=version) for version in EVERYTHING}
    return tuple(_describe(version, share) for version, share in shares.items() if share >= WORLD_SHARE)


def is_public(network: Network) -> bool:
    """Whether any address of the block can reach us over the internet."""
    return public_share((network,), version=network.version) > 0


def public_share(networks: Iterable[Network], *, version: int) -> Fraction:
    """Return the share (0 to 1) of the public addresses of one IP version that `networks` cover together."""
    covered = _merge(_span(network) for network in networks if network.version == version)
    public = _PUBLIC[version]
    shared = sum(
        max(0, min(end, last) - max(start, first)) for start, end in covered for first, last in public
    )
    return Fraction(shared, _size(public))


def _describe(version: int, share: Fraction) -> str:
    return EVERYTHING[version] if share == 1 else f"{float(share):.1%} of all public IPv{version} addresses"


def _span(network: Network) -> Span:
    start = int(network.network_address)
    return start, start + network.num_addresses


def _merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def _gaps(spans: Iterable[Span], *, end: int) -> tuple[Span, ...]:
    gaps: list[Span] = []
    position = 0
    for first, last in _merge(spans):
        gaps.append((position, first))
        position = last
    gaps.append((position, end))
    return tuple((first, last) for first, last in gaps if first < last)


def _size(spans: Iterable[Span]) -> int:
    return sum(last - first for first, last in spans)


_PUBLIC: Final[dict[int, tuple[Span, ...]]] = {
    4: _gaps((_span(ipaddress.ip_network(block)) for block in _NOT_PUBLIC), end=2**32),
    6: (_span(ipaddress.ip_network(_GLOBAL_UNICAST)),),
}
