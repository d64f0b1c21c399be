"""A Dask cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import IN_PLACE, OnChange, Refusal, Spec, unquoted
from coiled_pulumi.spec.durations import Span
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.names import Slug
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.software import LATER, Software
from coiled_pulumi.spec.tags import Tags
from coiled_pulumi.values import WORKERS

#: The addresses of the largest private subnet.
MAX_WORKERS = 8187
#: Besides it; each is a launch template and an auto scaling group.
MAX_GROUPS = 16


def _number(value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"must be a whole number or a range as [0, 20], got {echo(value)}"
        raise Refusal(msg, unquoted(value))
    if value < least:
        msg = f"must be at least {least}, got {value}"
        raise Refusal(msg)
    if value > MAX_WORKERS:
        msg = f"must be at most {MAX_WORKERS}, got {value}"
        raise Refusal(msg)
    return value


def _read_workers(value: object) -> tuple[int, int]:
    if not isinstance(value, list | tuple):
        number = _number(value, 1)
        return (number, number)
    if len(value) != 2:
        msg = f"must be one number or a range of two, got {len(value)} values"
        raise Refusal(msg)
    low, high = (_number(part, 0) for part in value)
    if low > high:
        msg = f"must have the smaller bound first, got [{low}, {high}]"
        raise Refusal(msg)
    if not high:
        msg = "must allow one worker at least, got [0, 0]"
        raise Refusal(msg)
    return (low, high)


Workers = Annotated[
    tuple[int, int],
    BeforeValidator(_read_workers),
    Field(validate_default=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": MAX_WORKERS},
                    "minItems": 2,
                    "maxItems": 2,
                },
            ]
        }
    ),
]


def _check_resources(resources: dict[str, float]) -> dict[str, float]:
    for name, amount in resources.items():
        if not name or not 0 < amount < 1e9:
            msg = "must be amounts above 0 by name as {FAST_DISK: 1}"
            raise Refusal(msg)
    return resources


class WorkerGroup(Machine):
    """A further group of workers of a cluster, of machines of its own."""

    n_workers: Annotated[Workers, IN_PLACE] = 1  # type: ignore[assignment]
    """Number of workers of the group, or a range as [0, 20]."""

    resources: Annotated[
        Annotated[dict[str, Annotated[float, Field(strict=False)]], AfterValidator(_check_resources)], LATER
    ] = Field(default_factory=dict)
    """Dask's abstract resources of each worker, as {GPU: 1}; tasks ask for them."""


def _check_groups(groups: dict[str, WorkerGroup]) -> dict[str, WorkerGroup]:
    if WORKERS in groups:
        msg = f"must not be called '{WORKERS}'"
        raise Refusal(msg, "that is the group of n_workers")
    if len(groups) > MAX_GROUPS:
        msg = f"must be at most {MAX_GROUPS} groups, got {len(groups)}"
        raise Refusal(msg)
    return groups


class Sizes(Spec):
    """What a cluster has besides backend options."""

    n_workers: Annotated[Workers, IN_PLACE] = 4  # type: ignore[assignment]
    """Number of workers, 1 to 8187 (the addresses of the largest private subnet), or a range as [0, 20] within which
    it is set while the cluster runs."""

    scheduler: Machine = Machine()
    """The machine that runs the scheduler; it stands in the zone's public subnet."""

    worker: Machine = Machine()
    """The machines that run the workers; they stand in the zone's private subnet."""

    worker_groups: Annotated[
        Annotated[dict[Slug, WorkerGroup], AfterValidator(_check_groups)],
        OnChange("adds and removes groups of workers"),
    ] = Field(default_factory=dict)
    """Further groups of workers by name, each of machines of its own."""

    idle_timeout: Annotated[Span, LATER] = "20 minutes"  # type: ignore[assignment]
    """How long nothing may be computed before the cluster ends itself, as 20 minutes or 2h; never for no such end."""

    no_client_timeout: Annotated[Span, LATER] = "never"  # type: ignore[assignment]
    """How long the cluster goes on without a client; for clusters that belong to one Python session."""

    cluster_timeout: Annotated[Span, LATER] = "never"  # type: ignore[assignment]
    """How long the cluster may live at most."""

    scheduler_timeout: Annotated[Span, LATER] = "5 minutes"  # type: ignore[assignment]
    """How long workers outlive a scheduler that is gone."""

    tags: Annotated[Tags, IN_PLACE] = Field(default_factory=dict)
    """Tags for what is the cluster's own, over those of the workspace; at most 40 together."""

    rotation: Annotated[
        Annotated[int, Field(ge=0, le=1_000_000)], OnChange("gives new certificates, in place")
    ] = 0
    """Raise it to give scheduler, workers and clients new certificates; no machine is replaced."""


class Cluster(Options, Software, Sizes):
    """One scheduler and groups of workers in one availability zone; every backend option may be set for it alone."""


def largest(cluster: Sizes) -> int:
    """Give the most workers that a cluster may have, over all its groups."""
    return cluster.n_workers[1] + sum(group.n_workers[1] for group in cluster.worker_groups.values())


__all__ = ["MAX_WORKERS", "Cluster", "Sizes", "Spec", "WorkerGroup", "largest"]
