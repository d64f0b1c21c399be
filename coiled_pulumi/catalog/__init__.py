"""Facts about AWS, each file with its date and source; nothing here asks the network.

They are bundled; `coiled-pulumi catalog update` writes refreshed copies to the user's own folder, and those win
(see `files`).
"""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi.catalog import files, rows
from coiled_pulumi.catalog.files import Source, forget, ignored, sources
from coiled_pulumi.catalog.limits import Quota, applied_quota, quota, quota_of, quotas
from coiled_pulumi.catalog.prices import Price, price

__all__ = [
    "InstanceFacts",
    "Price",
    "Quota",
    "RegionFacts",
    "Source",
    "applied_quota",
    "forget",
    "ignored",
    "instance_type",
    "instance_types",
    "nearest",
    "nearest_instance_types",
    "offered",
    "price",
    "quota",
    "quota_of",
    "quotas",
    "regions",
    "sources",
]


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
    """An instance type.

    Attributes:
        name: as m6i.xlarge.
        architecture: `x86_64` or `arm64`.
        vcpus: as it starts, with all threads.
        memory: in MiB.
        gpus: whole ones; a fraction of one counts as none.
        storage: local disks together, in GB (powers of ten, as AWS states them); 0 without any.
        gpu: name of the GPU, as T4; empty without one.
        gpu_maker: as NVIDIA; empty without one.

    """

    name: str
    architecture: str
    vcpus: int
    memory: int
    gpus: int
    storage: int = 0
    gpu: str = ""
    gpu_maker: str = ""

    @property
    def family(self) -> str:
        """What stands before the dot, as m6i."""
        return self.name.partition(".")[0]

    @property
    def memory_gib(self) -> float:
        """Memory in GiB."""
        return self.memory / 1024


@files.cached
def regions() -> dict[str, RegionFacts]:
    """Every commercial region by name."""
    known = files.document("regions")["regions"]
    return {name: RegionFacts(name, tuple(row["zones"]), row["opt_in"]) for name, row in known.items()}


def instance_types() -> list[str]:
    """Every instance type by name, in the order of the alphabet."""
    return list(files.document("instance_types")["instance_types"])


@files.cached
def instance_type(name: str) -> InstanceFacts | None:
    """Give the facts of an instance type, or None for one that the catalog does not know."""
    row = files.document("instance_types")["instance_types"].get(name)
    return InstanceFacts(name, *row) if row else None


@files.cached
def offered(region: str) -> dict[str, str] | None:
    """Map each instance type that a region offers to the letters of its zones, as `abd`.

    None where the catalog does not know what the region offers; that says nothing about what it has. Everybody gets
    the same mapping: nobody may change it.
    """
    row = files.document("offerings")["offerings"].get(region)
    return None if row is None else rows.offered(row)


def nearest(word: str, known: list[str], most: int = 3) -> list[str]:
    """Give the known words, all in lower case, that someone who typed `word` probably meant, best first."""
    import difflib  # only needed where something is wrong

    return difflib.get_close_matches(word.lower(), known, n=most, cutoff=0.6)


def nearest_instance_types(word: str) -> list[str]:
    """Give up to three instance types with a similar name."""
    return nearest(word, instance_types())
