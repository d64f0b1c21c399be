"""Which addresses each zone gets: layout 1, a pure function that never changes its mind.

A network of prefix p holds eight slices of p+3. Slices 0 to 6 are the private subnets of the zones with the
letters a to g; the last slice holds eight blocks of p+6, of which the first seven are those zones' public subnets.
A /16 thus has private /19 (8,187 usable addresses each) and public /22. Room is reserved by letter, so adding
or removing a zone moves no other.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from coiled_pulumi.values import zone_letter

#: Letters that layout 1 has room for; no commercial region has a zone beyond f.
LETTERS: Final = "abcdefg"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The two blocks of one zone."""

    public: str
    private: str


def blocks(network: str, zone: str, *, layout: int = 1) -> Blocks:
    """Give the blocks of a zone in a network of /16 to /22.

    Raises:
        ValueError: an unknown layout, a zone without room, or a network that is too small.
    """
    if layout != 1:
        msg = f"layout {layout} is not known"
        raise ValueError(msg)
    letter = zone_letter(zone)
    if letter not in LETTERS:
        msg = f"layout 1 has room for zones a to g, not {zone}"
        raise ValueError(msg)
    parent = ipaddress.IPv4Network(network)
    if parent.prefixlen > 22:
        msg = f"layout 1 needs a network of /22 or larger, not {network}"
        raise ValueError(msg)
    index = LETTERS.index(letter)
    slices = list(parent.subnets(prefixlen_diff=3))
    return Blocks(public=str(list(slices[7].subnets(prefixlen_diff=3))[index]), private=str(slices[index]))
