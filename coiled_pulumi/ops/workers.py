"""Waits for the workers of a run, and records what was in their way."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from coiled_pulumi import outputs
from coiled_pulumi.aws import capacity, notifications, workers
from coiled_pulumi.aws.capacity import Counted, TakeOnDemand, Workers
from coiled_pulumi.errors import CoiledPulumiError, WorkersMissingError
from coiled_pulumi.ops import run_record
from coiled_pulumi.ops.events import Progress
from coiled_pulumi.values import WORKERS


def groups(progress: Progress) -> tuple[str, dict[str, tuple[str, int]]]:
    """Give the region of a run, and by cluster its auto scaling group and number of workers.

    The run is of a workspace, or of a cluster beside it. Both are empty where it exported nothing.
    """
    try:
        if (alone := outputs.read_cluster(progress.outputs)) is not None:
            region, clusters = alone.region, {alone.name: alone.cluster}
        else:
            record = outputs.read(progress.outputs)
            region, clusters = record.region, dict(record.clusters)
    except CoiledPulumiError:
        return "", {}
    found = {
        _called(name, label): (group.name, group.least)
        for name, one in clusters.items()
        for label, group in one.groups.items()
    }
    return region, {name: found[name] for name in found if found[name][0]}


def _called(cluster: str, label: str) -> str:
    """Name a group of workers by its cluster, and by its label where it is not the one that every cluster has."""
    return cluster if label == WORKERS else f"{cluster}.{label}"


def wait(
    workspace: str,
    region: str,
    of: Mapping[str, tuple[str, int]],
    *,
    ago: float,
    on_look: workers.OnLook,
    deadline: float = workers.DEADLINE,
) -> dict[str, Workers]:
    """Wait for workers as `aws.workers.wait` does; give how it ended by cluster.

    Args:
        workspace: its name.
        region: where its groups are.
        of: by cluster, the name of its group and how many workers it is to have.
        ago: how long ago the run began, in seconds.
        on_look: told what changed, at every look.
        deadline: the longest wait, in seconds.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """

    def looked(picture: Mapping[str, Workers], told: list[Counted | TakeOnDemand]) -> None:
        for order in told:
            if isinstance(order, TakeOnDemand):
                what = said(order)
                run_record.note(
                    workspace, region, "scaling", "warning", what, cluster=order.cluster, resource=order.group
                )
        on_look(picture, told)

    ended = workers.wait(of, region=region, on_look=looked, ago=ago, deadline=deadline)
    if any(one.missing or one.answered is not None for one in ended.values()):
        _record(workspace, region)
    return ended


def require(ended: Mapping[str, Workers], *, again: str = "coiled-pulumi up") -> None:
    """Make sure that all workers are there.

    Args:
        ended: how the wait for them ended, by cluster.
        again: the command that waits again.

    Raises:
        WorkersMissingError: some are not.
    """
    if missing := capacity.told(ended):
        ways = capacity.hint(ended)
        stays = f"what is there stays and can be used; AWS goes on trying, and `{again}` waits again"
        raise WorkersMissingError(missing, f"{ways}\n{stays}" if ways else stays, as_data(ended))


def as_data(ended: Mapping[str, Workers]) -> dict[str, Any]:
    """Give how a wait ended as plain values: by cluster what was wanted, what is there, and why not more."""
    return {
        name: {
            "wanted": one.wanted,
            "in_service": one.in_service,
            "reasons": [
                {
                    "times": reason.times,
                    "code": reason.fault.code,
                    "what": reason.fault.what,
                    "hint": reason.fault.hint,
                    "quota": reason.fault.quota,
                }
                for reason in (one.reasons() if one.missing else ())
            ],
        }
        for name, one in sorted(ended.items())
    }


def said(order: TakeOnDemand) -> str:
    """Say that on-demand instances are taken, and why."""
    what = "worker is" if order.count == 1 else "workers are"
    return f"{order.count} {what} started on-demand instead of spot: {order.fault.what}"


def _record(workspace: str, region: str) -> None:
    """Keep what AWS says of it: it forgets with the group."""
    with contextlib.suppress(CoiledPulumiError):
        run_record.keep(notifications.live(workspace, region), workspace, region)
    run_record.push(workspace, region)
