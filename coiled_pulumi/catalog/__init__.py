"""Bundled facts about AWS, each file with its date and source; nothing here asks the network."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """A region: its zones in order, and whether an account has to opt in before it can be used."""

    name: str
    zones: tuple[str, ...]
    opt_in: bool

    @property
    def default_zone(self) -> str:
        """The zone that is used where nobody chose one: the first."""
        return self.zones[0]


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """An instance type; memory in MiB."""

    name: str
    architecture: str
    vcpus: int
    memory: int
    gpus: int


def _read(name: str) -> dict:
    return json.loads((files(__package__) / "data" / f"{name}.json").read_text())


@cache
def regions() -> dict[str, RegionFacts]:
    """Every commercial region by name."""
    rows = _read("regions")["regions"]
    return {name: RegionFacts(name, tuple(row["zones"]), row["opt_in"]) for name, row in rows.items()}


@cache
def _instance_rows() -> dict[str, list]:
    return _read("instance_types")["instance_types"]


def instance_type(name: str) -> InstanceFacts | None:
    """Give the facts of an instance type, or None for one that the catalog does not know."""
    row = _instance_rows().get(name)
    return InstanceFacts(name, *row) if row else None


def nearest(word: str, known: list[str], most: int = 3) -> list[str]:
    """Give the known words, all in lower case, that someone who typed `word` probably meant, best first."""
    return difflib.get_close_matches(word.lower(), known, n=most, cutoff=0.6)


def nearest_instance_types(word: str) -> list[str]:
    """Give up to three instance types with a similar name."""
    return nearest(word, list(_instance_rows()))
