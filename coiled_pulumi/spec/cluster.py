"""A Dask cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coiled_pulumi.spec.base import Spec
from coiled_pulumi.spec.instance import Disk, Machine


class Cluster(Spec):
    """One scheduler and a group of workers, all in one availability zone."""

    n_workers: Annotated[int, Field(ge=1, le=8187)] = 4
    """Number of workers, 1 to 8187 (the addresses of the largest private subnet)."""

    zone: str | None = None
    """Availability zone. Default: the workspace's zone."""

    scheduler: Machine = Machine()
    """The machine that runs the scheduler; it stands in the zone's public subnet."""

    worker: Machine = Machine(disk=Disk(size=100))
    """The machines that run the workers; they stand in the zone's private subnet."""
