"""A Dask cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from coiled_pulumi.spec.base import IN_PLACE, Spec
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.options import Options


class Sizes(Spec):
    """What a cluster has besides backend options."""

    n_workers: Annotated[int, Field(ge=1, le=8187), IN_PLACE] = 4
    """Number of workers, 1 to 8187 (the addresses of the largest private subnet)."""

    scheduler: Machine = Machine()
    """The machine that runs the scheduler; it stands in the zone's public subnet."""

    worker: Machine = Machine()
    """The machines that run the workers; they stand in the zone's private subnet."""


class Cluster(Options, Sizes):
    """One scheduler and a group of workers in one availability zone; every backend option may be set for it alone."""
