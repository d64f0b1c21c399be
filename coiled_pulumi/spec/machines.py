"""Which instance types a machine comes to, in a region and zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.disk import Disk
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.settled import Settled

Role = Literal["scheduler", "worker"]
ROLES: tuple[Role, ...] = ("scheduler", "worker")

#: GiB of a root disk of which nobody says anything.
DEFAULT_DISK: dict[Role, int] = {"scheduler": 30, "worker": 100}
#: The deep-learning image alone takes more than half of this.
DEFAULT_DISK_DL = 100


@dataclass(frozen=True, slots=True)
class Resolved:
    """A machine: its instance types in order of preference, empty where none fits; disk sizes in GiB and MiB/s."""

    types: tuple[str, ...]
    architecture: str
    gpus: int
    image: Literal["AL2023", "DL"]
    disk_size: int
    disk_throughput: int | None
    disk_iops: int | None


def of(cluster: Cluster, role: Role) -> Machine:
    """Give what a cluster says about a role."""
    return cluster.scheduler if role == "scheduler" else cluster.worker


def all_of(cluster: Cluster) -> Iterator[tuple[str, Role, Machine]]:
    """Give every kind of machine of a cluster, with the key that it stands under and its role."""
    for role in ROLES:
        yield role, role, of(cluster, role)
    for name, group in cluster.worker_groups.items():
        yield f"worker_groups.{name}", "worker", group


def wish(machine: Machine) -> choose.Wish:
    """Say what is asked of a machine that names no type."""
    memory = machine.memory
    if memory is not None and memory[0] == memory[1]:
        memory = choose.around(memory[0])
    return choose.Wish(machine.cpu, memory, machine.gpu or 0, machine.architecture or "x86_64")


def resolve(machine: Machine, role: Role, settled: Settled) -> Resolved:
    """Resolve a machine in the settled region and zone; types that were named are taken as they are."""
    types = machine.instance_type
    if types is None:
        types = choose.choose(wish(machine), region=settled.region, zone=settled.zone)
    facts = catalog.instance_type(types[0]) if types else None
    gpus = facts.gpus if facts else machine.gpu or 0
    image = settled.ami_version or ("DL" if gpus else "AL2023")
    default = DEFAULT_DISK_DL if image == "DL" else DEFAULT_DISK[role]
    return Resolved(
        # An instance has one type; a group takes the next where there is no capacity for the first.
        # A capacity reservation is for machines of one type.
        types=types[:1] if role == "scheduler" or settled.capacity_reservation_id else types,
        architecture=facts.architecture if facts else machine.architecture or "x86_64",
        gpus=gpus,
        image=image,  # type: ignore[arg-type]
        disk_size=_disk(machine, settled, "size") or default,
        disk_throughput=_disk(machine, settled, "throughput"),
        disk_iops=_disk(machine, settled, "iops"),
    )


def _disk(machine: Machine, settled: Settled, key: str) -> int | None:
    """The machine's own word counts before that of its cluster, the workspace and the config."""
    own: Disk = machine.disk
    return getattr(own, key) or getattr(settled.disk, key)
