"""`coiled-pulumi cluster scale`: another number of workers, at once where the group's size is set at run time."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Annotated

import typer

from coiled_pulumi.cli import cluster_options, cluster_start, operate, options
from coiled_pulumi.cli import workers as waiting
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, CoiledPulumiError, UsageError
from coiled_pulumi.values import WORKERS

if TYPE_CHECKING:
    from coiled_pulumi.aws.capacity import Workers
    from coiled_pulumi.ops.sessions import Known
    from coiled_pulumi.ops.target import Place
    from coiled_pulumi.outputs import GroupOutputs


def scale(
    name: cluster_options.Name,
    n_workers: Annotated[
        str, typer.Argument(metavar="N", help="Number of workers, or a range as 0-20.", show_default=False)
    ],
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    group: Annotated[
        str, typer.Option("--group", metavar="LABEL", help="A further group of workers, by its label.")
    ] = WORKERS,
    as_json: options.Json = False,
    no_wait: cluster_options.NoWait = False,
) -> None:
    """Give a cluster another number of workers.

    A group that was given a range is set to a number within it at once, by AWS, also that of a cluster of the
    workspace's file. Any other group is changed by Pulumi.
    """
    from coiled_pulumi.ops import clusters, sessions

    console = Console(as_json=as_json)
    size = cluster_options.workers(n_workers)
    where = cluster_options.place(stack, file, workspace)
    known = cluster_options.record(where, name)
    found = known.cluster.groups.get(group)
    if found is None:
        there = ", ".join(known.cluster.groups)
        raise UsageError(f"cluster {name} has no group '{group[:40]}' (found: {there})", "--group LABEL")
    if found.runtime and isinstance(size, int):
        _require(known, name, group, found, size)
        _resize(console, where, known, name, group, size, wait=not no_wait)
        return
    if known.declared:
        what = f"cluster {name} stands in the file of {where.workspace}"
        raise UsageError(what, "change it there, and bring it up with: coiled-pulumi up")
    ended = False
    with contextlib.suppress(CoiledPulumiError):  # the engine says in a moment what is wrong there
        ended = sessions.has_ended(known.cluster, known.region)
    if ended:
        raise _over(known, name)
    made, result = clusters.scale(
        where,
        name,
        size,
        perform=functools.partial(operate.perform, console),
        tell=console.note,
        group=group,
    )
    cluster_start.finish(console, "scale", made, result, wait=not no_wait)


def _require(known: Known, name: str, label: str, group: GroupOutputs, size: int) -> None:
    """Make sure that a group may have so many workers: AWS says so too, in other words.

    Raises:
        UsageError: it may not.
    """
    if size <= group.most:
        return
    what = f"group {label} of cluster {name} has at most {group.most} workers, got {size}"
    if known.declared:
        raise UsageError(what, "raise the range in the file, and bring it up with: coiled-pulumi up")
    further = "" if label == WORKERS else f" --group {label}"
    raise UsageError(
        what, f"coiled-pulumi cluster scale {name} {group.least}-{size}{further} raises the range"
    )


def _over(known: Known, name: str) -> CoiledPulumiError:
    again = "coiled-pulumi up" if known.declared else f"coiled-pulumi cluster start {name}"
    return CoiledPulumiError(f"cluster {name} has ended", f"{again} starts it again")


def _resize(
    console: Console, where: Place, known: Known, name: str, label: str, size: int, *, wait: bool
) -> None:
    from coiled_pulumi.aws import fleet
    from coiled_pulumi.ops import run_record, sessions
    from coiled_pulumi.ops import workers as ops

    if sessions.has_ended(known.cluster, known.region):
        raise _over(known, name)
    group, region = known.cluster.groups[label].name, known.region
    fleet.resize(group, size, region)
    called = name if label == WORKERS else f"{name}.{label}"
    what = f"{called} is to have {size} worker{'' if size == 1 else 's'}"
    run_record.note(where.workspace, region, "cli", "info", what, cluster=name, resource=group)
    console.note(what)
    ended = _wait(console, where.workspace, region, {called: (group, size)}) if wait else None
    ops.require(ended or {}, again=f"coiled-pulumi cluster scale {name} {size}")
    told = None if ended is None else ops.as_data(ended)
    if console.as_json:
        console.data({
            "version": 1, "verb": "scale", "cluster": name, "group": label, "n_workers": size, "workers": told,
        })  # fmt: skip


def _wait(
    console: Console, workspace: str, region: str, groups: dict[str, tuple[str, int]]
) -> dict[str, Workers]:
    from coiled_pulumi.ops import workers as ops

    try:
        with waiting.view(console) as on_look:
            return ops.wait(workspace, region, groups, ago=0.0, on_look=on_look)
    except KeyboardInterrupt:
        hint = "they go on starting; `coiled-pulumi cluster status` tells how far they are"
        raise CancelledError("stopped waiting for workers", hint) from None
