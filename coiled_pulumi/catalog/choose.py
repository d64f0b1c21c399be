"""Which instance types fit what somebody asks of a machine.

The rules follow Coiled's, which its users know. Nothing asked gives the defaults. vCPUs or memory alone give the
balanced families (M); both together also the ones with less (C) and more (R) memory for a vCPU. Only plain families
of the fifth generation and later: no burstable ones (T), which slow down when their credits are spent; no `flex`
ones, which do so too; none with extra disks or network, which cost more than what was asked; no bare metal. GPUs
only where they are asked for, then families G with exactly that many.

Order of preference, fixed: fewest vCPUs, least memory, offered in three zones or more, generation, name. Newer
generations come first, because they do more with a vCPU; with GPUs older ones, because there the price rises steeply
with the generation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from coiled_pulumi import catalog
from coiled_pulumi.catalog import InstanceFacts, files

Architecture = Literal["x86_64", "arm64"]

#: Where nothing is asked: types that every region has, and the next best if there are none left.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "x86_64": ("m6i.xlarge", "m5.xlarge"),
    "arm64": ("m7g.xlarge", "m6g.xlarge"),
}
DEFAULT_VCPUS = 4
#: vCPUs of a machine with one GPU where no size is asked; larger ones only add to the price.
GPU_VCPUS = (4, 8)
#: A single number for memory means about that much: what 16 GiB is called is not always sold as 16 GiB.
BELOW, ABOVE = 0.89, 1.10
#: So many zones make a type one that a region really has.
WIDE = 3
#: Families without extras: Intel (i or nothing), AMD (a), Graviton (g).
_PLAIN = re.compile(r"([mcr])([5-9]|\d\d)[aig]?\Z")
_FAMILY = re.compile(r"([a-z]+)(\d+)([a-z]*)\Z")
#: Oldest generation that is worth naming to somebody, by the letters of a family; others are never named.
_NAMED = {"c": 5, "m": 5, "r": 5, "x": 2, "z": 1, "i": 3, "im": 4, "is": 4, "g": 4, "gr": 6, "p": 4}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a machine should have.

    Attributes:
        cpu: fewest and most vCPUs, both allowed; None for any.
        memory: least and most memory in GiB, both allowed; None for any.
        gpus: how many GPUs, exactly.
        architecture: x86_64 or arm64.

    """

    cpu: tuple[int, int] | None = None
    memory: tuple[float, float] | None = None
    gpus: int = 0
    architecture: Architecture = "x86_64"

    def fits(self, facts: InstanceFacts) -> bool:
        """Tell whether a type has what is asked for."""
        return (
            facts.architecture == self.architecture
            and facts.gpus == self.gpus
            and _within(facts.vcpus, self.cpu)
            and _within(facts.memory_gib, self.memory)
        )


def around(memory: float) -> tuple[float, float]:
    """Give the bounds that a single number for memory stands for, in its own unit: 11 % below to 10 % above."""
    return memory * BELOW, memory * ABOVE


@files.cached
def choose(wish: Wish, *, region: str, zone: str | None = None, most: int = 8) -> tuple[str, ...]:
    """Give the types that fit, best first; empty where none does.

    Only those that the region, and the zone if one is given, offers. Where the catalog does not know what a region
    offers, every type counts as offered there. Where neither of the defaults is offered, an empty wish gives
    balanced types with as many vCPUs.

    Args:
        wish: what is asked.
        region: as us-east-1.
        zone: as us-east-1a; None for any of the region.
        most: length of the answer, at least 1.

    """
    places = _places(region, zone)
    if wish.cpu is None and wish.memory is None:
        if not wish.gpus:
            defaults = [name for name in DEFAULTS[wish.architecture] if _is_offered(name, places)]
            if defaults:
                return tuple(defaults[:most])
            wish = replace(wish, cpu=(DEFAULT_VCPUS, DEFAULT_VCPUS))
        elif wish.gpus == 1:
            wish = replace(wish, cpu=GPU_VCPUS)
    found = [facts for facts in _offered(places) if _is_considered(facts, wish) and wish.fits(facts)]
    found.sort(key=lambda facts: _rank(facts, places))
    return tuple(facts.name for facts in found[:most])


def alternatives(wish: Wish, *, region: str, zone: str | None = None, most: int = 3) -> tuple[str, ...]:
    """Give types that come near a wish, for the hint of an error; nearest first, none that `choose` gives.

    First the ones of other families that fit as they are, then those with a little more or less of something; one
    for each size. If the zone has none at all, the region's; if the architecture has none (GPUs), the other's.
    Doubling or halving something counts as one step.
    """
    fitting = set(choose(wish, region=region, zone=zone, most=10_000))
    for places, architectures in (
        (_places(region, zone), (wish.architecture,)),
        (_places(region, None), (wish.architecture,)),
        (_places(region, None), tuple(DEFAULTS)),
    ):
        near = [
            facts
            for facts in _offered(places)
            if facts.name not in fitting
            and facts.architecture in architectures
            and bool(facts.gpus) == bool(wish.gpus)
            and _is_named(facts)
        ]
        if near:
            break
    near.sort(key=lambda facts: (_steps(facts, wish), not _PLAIN.match(facts.family), _rank(facts, places)))
    sizes: dict[tuple[int, int, int], str] = {}
    for facts in near:
        sizes.setdefault((facts.vcpus, facts.memory, facts.gpus), facts.name)
    return tuple(sizes.values())[:most]


def single_gpu_types(
    like: str | None = None, *, architecture: Architecture | None = None, most: int = 3
) -> tuple[str, ...]:
    """Give types with exactly one GPU, wherever they are offered.

    Args:
        like: a type; those with about as many vCPUs come first, of the same family before others. None, or a type
            that the catalog does not know: the smallest come first.
        architecture: None for that of `like`, or x86_64 without it.
        most: length of the answer, at least 1.

    """
    model = catalog.instance_type(like) if like else None
    wanted = architecture or (model.architecture if model else "x86_64")
    found = [
        facts
        for facts in map(_facts, catalog.instance_types())
        if facts.gpus == 1 and facts.architecture == wanted and _is_named(facts)
    ]
    if model:
        found.sort(
            key=lambda facts: (
                abs(math.log2(facts.vcpus / model.vcpus)),
                facts.family != model.family,
                _rank(facts, None),
            )
        )
    else:
        found.sort(key=lambda facts: _rank(facts, None))
    return tuple(facts.name for facts in found[:most])


@dataclass(frozen=True, slots=True)
class _Places:
    """What is offered where: types with the letters of their zones; None if that is not known."""

    types: dict[str, str] | None
    letter: str
    #: Zones that make a type widely offered there: `WIDE`, or all of a region that has fewer.
    wide: int


def _places(region: str, zone: str | None) -> _Places:
    facts = catalog.regions().get(region)
    letter = zone[-1] if zone else ""
    if zone and (facts is None or zone not in facts.zones):
        return _Places({}, letter, WIDE)
    return _Places(catalog.offered(region), letter, min(WIDE, len(facts.zones)) if facts else WIDE)


def _is_offered(name: str, places: _Places) -> bool:
    return places.types is None or (name in places.types and places.letter in places.types[name])


def _offered(places: _Places) -> list[InstanceFacts]:
    names = catalog.instance_types()
    return [_facts(name) for name in names if _is_offered(name, places)]


def _facts(name: str) -> InstanceFacts:
    facts = catalog.instance_type(name)
    assert facts is not None  # noqa: S101 the name is from the same table
    return facts


def _is_considered(facts: InstanceFacts, wish: Wish) -> bool:
    """Tell whether a type's family is one of those that are chosen without being named."""
    if _is_metal(facts):
        return False
    if wish.gpus:
        return facts.family.startswith("g")
    plain = _PLAIN.match(facts.family)
    balanced_only = wish.cpu is None or wish.memory is None
    return bool(plain) and (plain[1] == "m" or not balanced_only)


def _is_named(facts: InstanceFacts) -> bool:
    """Tell whether a type is worth naming to somebody whose wish nothing fits."""
    family = _FAMILY.match(facts.family)
    oldest = _NAMED.get(family[1]) if family else None
    return oldest is not None and int(family[2]) >= oldest and not _is_metal(facts)


def _is_metal(facts: InstanceFacts) -> bool:
    return facts.name.partition(".")[2].startswith("metal")


def _rank(facts: InstanceFacts, places: _Places | None) -> tuple[object, ...]:
    """Make what types are ordered by, as the module says."""
    digits = re.search(r"\d+", facts.family)
    generation = int(digits[0]) if digits else 0
    narrow = bool(places and places.types and len(places.types[facts.name]) < places.wide)
    return facts.vcpus, facts.memory, narrow, generation if facts.gpus else -generation, facts.name


def _within(value: float, bounds: tuple[float, float] | None) -> bool:
    return bounds is None or bounds[0] <= value <= bounds[1]


def _steps(facts: InstanceFacts, wish: Wish) -> float:
    """Count how often something has to double or halve until the type fits."""
    steps = _distance(facts.vcpus, wish.cpu) + _distance(facts.memory_gib, wish.memory)
    return steps + (abs(math.log2(facts.gpus / wish.gpus)) if wish.gpus else 0.0)


def _distance(value: float, bounds: tuple[float, float] | None) -> float:
    if bounds is None or _within(value, bounds):
        return 0.0
    return abs(math.log2(value / max(bounds[0] if value < bounds[0] else bounds[1], 1e-9)))
