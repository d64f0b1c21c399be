"""`coiled-pulumi cluster list`: the clusters of a workspace, and which of them still run."""

from __future__ import annotations

import contextlib
import fcntl
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import cluster_options, operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError

if TYPE_CHECKING:
    from rich.table import Table

    from coiled_pulumi.aws.machines import Machine
    from coiled_pulumi.ops.target import Place
    from coiled_pulumi.outputs import ClusterOutputs

#: A scheduler is up within this time, or its phases no longer tell whether it is. Seconds.
_BOOT = 900.0
_COLOURS = {"up": "green", "starting": "cyan", "ended": "red", "incomplete": "yellow"}


def list_(
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    reap: Annotated[
        bool, typer.Option("--reap", help="Delete what is left of clusters that ended by themselves.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List the clusters of a workspace: those of its file, and those beside it.

    A cluster is up, starting, ended (by its own timers: its machines are gone, what costs nothing is left) or
    incomplete (its start was broken off).
    """
    import dataclasses

    from coiled_pulumi.ops import clusters, sessions, stacks

    console = Console(as_json=as_json)
    where = cluster_options.place(stack, file, workspace)
    declared = stacks.read_outputs(where)
    where = dataclasses.replace(where, region=declared.region)
    reaped = []
    if reap:
        reaped = sessions.reap(where, perform=functools.partial(operate.perform, console), tell=console.note)
        console.note(f"deleted what was left of {', '.join(reaped)}" if reaped else "no cluster has ended")
    listed = clusters.listed(where)
    records = [(name, "file", declared.region, one) for name, one in declared.clusters.items()]
    records += [(name, "start", one.region, one.cluster) for name, one in listed.items() if one is not None]
    states = _states(console, where.workspace, records)
    rows = [row(name, origin, region, one, states[origin, name]) for name, origin, region, one in records]
    rows += [_half(where, name) for name, one in listed.items() if one is None]
    if as_json:
        console.data({
            "version": 1, "workspace": where.workspace, "clusters": rows, **({"reaped": reaped} if reap else {}),
        })  # fmt: skip
    else:
        console.rich().print(table(rows) if rows else "no clusters")
    ended = [one for one in rows if one["state"] == "ended"]
    tell_ended(console, [one["name"] for one in ended if one["from"] == "start"])
    for one in ended:
        if one["from"] == "file":
            console.note(f"note: {one['name']} ended by itself; coiled-pulumi up starts it again")


def tell_ended(console: Console, names: list[str]) -> None:
    """Say how many clusters beside the file have ended, if any."""
    if names:
        what = "cluster has" if len(names) == 1 else "clusters have"
        console.note(
            f"note: {len(names)} {what} ended ({', '.join(names)}); "
            "coiled-pulumi cluster list --reap deletes what is left"
        )


def row(name: str, origin: str, region: str, cluster: ClusterOutputs, state: str) -> dict[str, Any]:
    """Give a cluster as plain values, without its secrets."""
    import dataclasses

    values = dataclasses.asdict(cluster)
    values.pop("security", None)
    return {"name": name, "from": origin, "region": region, "state": state, **values}


def table(rows: list[dict[str, Any]]) -> Table:
    """Show clusters."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("cluster", "from", "state", "zone", "workers", "scheduler", "instance"):
        made.add_column(heading)
    for one in rows:
        colour = _COLOURS.get(one["state"], "dim")
        made.add_row(
            f"[bold]{one['name']}[/]", one["from"], f"[{colour}]{one['state']}[/]", one.get("zone", ""),
            _workers(one), one.get("scheduler_address") or one.get("scheduler_private_address", ""),
            one.get("scheduler_id", ""),
        )  # fmt: skip
    return made


def _workers(one: Mapping[str, Any]) -> str:
    """Write the sizes of all groups, that which every cluster has first."""
    groups = one.get("groups") or {}
    ordered = sorted(groups, key=cluster_options.workers_first)
    sizes = [cluster_options.told(groups[label]["least"], groups[label]["most"]) for label in ordered]
    return " + ".join(sizes)


def _half(where: Place, name: str) -> dict[str, Any]:
    """Give a cluster that never came up whole: a start is at work on it, or was broken off."""
    from coiled_pulumi.ops import target
    from coiled_pulumi.plan.build import cluster_stack

    lock = target.lock_of(cluster_stack(where.workspace, name), state=target.state_home())
    state = "incomplete"
    with contextlib.suppress(FileNotFoundError), lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            state = "starting"
    return {"name": name, "from": "start", "region": where.region, "state": state}


def _states(
    console: Console, workspace: str, records: list[tuple[str, str, str, ClusterOutputs]]
) -> dict[tuple[str, str], str]:
    """Tell which clusters still run, by where they are from and by name; `unknown` where AWS cannot be asked."""
    from coiled_pulumi.aws import machines

    states = {(origin, name): "unknown" for name, origin, _, _ in records}
    for region in sorted({region for _, _, region, _ in records}):
        here = {(origin, name): one.scheduler_id for name, origin, there, one in records if there == region}
        try:
            found = machines.of(filter(None, here.values()), region)
        except CoiledPulumiError as error:
            console.note(f"note: what still runs in {region} cannot be seen: {error.what}")
            continue
        for key, machine in here.items():
            if machine:
                states[key] = _state(workspace, key[1], region, found.get(machine))
    return states


def _state(workspace: str, name: str, region: str, machine: Machine | None) -> str:
    from coiled_pulumi.aws import node_logs
    from coiled_pulumi.ops import sessions

    if sessions.is_gone(machine.state if machine else ""):
        return "ended"
    assert machine is not None  # noqa: S101 for the type checker
    if machine.state == "pending":
        return "starting"
    if (datetime.now(UTC) - machine.launched).total_seconds() > _BOOT:
        return "up"
    with contextlib.suppress(CoiledPulumiError):
        since = int(machine.launched.timestamp() * 1000)
        lines = node_logs.phases(workspace, name, region, since=since).read()
        marks = [mark for line in lines if (mark := node_logs.mark(line.text))]
        joined = any(mark.instance == machine.id and mark.phase == "joined" for mark in marks)
        return "up" if joined else "starting"
    return "up"
