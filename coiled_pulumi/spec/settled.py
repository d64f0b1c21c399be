"""Backend options from all levels settled into one value each: cluster, then workspace, then config, then default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from coiled_pulumi import catalog
from coiled_pulumi.spec.access import DEFAULT_INGRESS, Ingress
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.disk import Disk
from coiled_pulumi.spec.options import Options

Level = TypeVar("Level", bound=Options)

#: From the strongest to the weakest.
LEVELS: Final = ("cluster", "workspace", "config", "default")

#: What counts where no level says anything, by leaf; a default of None is "none".
DEFAULTS: Final[dict[str, object]] = {
    "region": "us-east-1",
    "zone": None,  # the region's first
    "ingress": DEFAULT_INGRESS,
    "spot": False,
    "spot_on_demand_fallback": False,
    "spot_on_demand_base": 0,
    "keypair_name": None,
    "use_placement_group": False,
    "ami_id": None,
    "agent": None,
    "ami_version": None,  # DL for a GPU, else AL2023
    "use_scheduler_public_ip": True,
    "capacity_reservation_id": None,
    "disk.size": None,  # by role
    "disk.throughput": None,
    "disk.iops": None,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """One value for each backend option; what is None is AWS's own default, or decided by the machine."""

    region: str
    zone: str
    ingress: tuple[Ingress, ...]
    spot: bool
    spot_on_demand_fallback: bool
    spot_on_demand_base: int
    keypair_name: str | None
    use_placement_group: bool
    ami_id: str | None
    agent: str | None
    ami_version: str | None
    use_scheduler_public_ip: bool
    capacity_reservation_id: str | None
    disk: Disk


def leaf(options: Options, name: str) -> object:
    """Give what a level says about a leaf as `disk.size`; None is nothing."""
    if name.startswith("disk."):
        return getattr(options.disk, name.removeprefix("disk."), None)
    return getattr(options, name)


def chain(name: str, *, cluster: Options, workspace: Options, config: Options) -> list[tuple[str, object]]:
    """Give the levels that say something about a leaf, with what they say, the one that counts first.

    A zone of another region than the one that counts is not heard where a stronger level chose the region: who asks
    for another region does not mean the workspace's zone.
    """
    said = _said(name, cluster, workspace, config)
    if name != "zone":
        return said
    (decider, region), *_ = _said("region", cluster, workspace, config)
    zones = catalog.regions()[region].zones  # type: ignore[index]
    heard = [
        (level, zone)
        for level, zone in said
        if zone is None or zone in zones or LEVELS.index(level) <= LEVELS.index(decider)
    ]
    return [(level, zone or zones[0]) for level, zone in heard]


def _said(name: str, *options: Options) -> list[tuple[str, object]]:
    found = [(level, leaf(one, name)) for level, one in zip(LEVELS, options, strict=False)]
    return [pair for pair in found if pair[1] is not None] + [("default", DEFAULTS[name])]


_NOTHING = Options()


def settle(workspace: Options, cluster: Cluster | None = None) -> Settled:
    """Settle what counts for a cluster, or for the workspace itself; the config is in the workspace already."""
    values = {
        name: chain(name, cluster=cluster or _NOTHING, workspace=workspace, config=_NOTHING)[0][1]
        for name in DEFAULTS
    }
    disk = {key: values.pop(f"disk.{key}") for key in Disk.model_fields}
    return Settled(**values, disk=Disk.model_construct(**disk))  # type: ignore[arg-type]


def with_config(workspace: Level, config: Options) -> Level:
    """Put what the config says where the workspace says nothing."""
    found = {}
    for name in Options.model_fields:
        if name == "disk":
            continue
        pair = chain(name, cluster=_NOTHING, workspace=workspace, config=config)[0]
        if pair[0] == "config":
            found[name] = pair[1]
    if config.disk is not None:
        own = workspace.disk or Disk()
        merged = {key: getattr(own, key) or getattr(config.disk, key) for key in Disk.model_fields}
        found["disk"] = Disk.model_construct(**merged)
    return workspace.model_copy(update=found) if found else workspace
