"""`coiled-pulumi cluster status`: how a cluster is, and how its machines came up."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import cluster_options, cluster_timeline, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError

if TYPE_CHECKING:
    from coiled_pulumi.ops.notifications import Notification
    from coiled_pulumi.ops.sessions import Session
    from coiled_pulumi.ops.target import Place
    from coiled_pulumi.ops.watching import Status

#: The phases in the order in which a machine goes through them.
_PHASES = ("booted", "environment", "configured", "started", "joined", "retiring", "ended")
_TIMERS = {
    "idle_timeout": "idle",
    "no_client_timeout": "no client",
    "cluster_timeout": "lifetime",
    "scheduler_timeout": "lost scheduler",
}
#: Seconds that the scheduler has to answer, and how many notifications are shown.
_PATIENCE, _LAST = 5.0, 5


def status(
    name: cluster_options.Name,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="How long each machine took to come up, phase by phase.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show how a cluster is: its machines, what it does, when it ends, until when its certificates hold.

    What it does is asked of the scheduler, and left out where that does not answer within 5 seconds.
    """
    from coiled_pulumi.ops import watching

    console = Console(as_json=as_json)
    where = cluster_options.place(stack, file, workspace)
    session = cluster_options.session(where, name)
    if timeline:
        cluster_timeline.show(console, session)
        return
    found = watching.status(session)
    told = as_data(found) | {
        "since": _iso(found.launched) if found.launched else None,
        "doing": _asked(session) if found.reachable else None,
        "timers": _timers(where, name),
        "notifications": [_plain(one) for one in _notifications(session)],
    }
    if as_json:
        console.data({"version": 1, **told})
        return
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for head, text in _lines(told):
        table.add_row(f"[dim]{head}[/]", text)
    console.rich().print(table)


def as_data(found: Status) -> dict[str, Any]:
    """Give what AWS and the machines tell of a cluster, as plain values."""
    session = found.session
    return {
        "workspace": session.workspace,
        "cluster": session.name,
        "region": session.region,
        "zone": session.zone,
        "from": "file" if session.declared else "start",
        "state": found.state,
        "scheduler": {
            "instance": session.scheduler_id,
            "state": found.scheduler or "gone",
            "address": session.scheduler,
            "answers": found.reachable,
        },
        "groups": {
            label: _group(found, label, group)
            for label, group in sorted(session.groups.items(), key=cluster_options.workers_first)
        },
        "phases": _counted(found.phases),
        "certificates": {
            "until": _iso(found.expires) if found.expires else None,
            "rotation": session.rotation,
        },
    }


def _group(found: Status, label: str, group: Any) -> dict[str, Any]:
    fleet = found.fleets.get(label)
    members = fleet.members if fleet else ()
    return {
        "min": group.least,
        "max": fleet.most if fleet else group.most,
        "runtime": group.runtime,
        "desired": fleet.desired if fleet else 0,
        "in_service": sum(one.state == "InService" for one in members),
        "joined": sum(found.phases.get(one.id) == "joined" for one in members if one.stays),
    }


def _counted(phases: Mapping[str, str]) -> dict[str, int]:
    counts = Counter(phases.values())
    return {phase: counts[phase] for phase in (*_PHASES, *sorted(counts)) if counts[phase]}


def _asked(session: Session) -> dict[str, Any] | None:
    """Ask the scheduler what it does; None where it does not answer, or not in time."""
    import asyncio
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # Whatever is wrong with it: people asked for what can be told, and this is the rest of it.
    with contextlib.suppress(Exception):
        return asyncio.run(asyncio.wait_for(_identity(session), _PATIENCE))
    return None


async def _identity(session: Session) -> dict[str, Any]:
    from distributed.core import rpc

    from coiled_pulumi.cluster.credentials import client_security

    arguments = client_security(session.security).get_connection_args("client")
    # These two questions do not count as a client's work: else whoever looks would keep an idle cluster up.
    async with rpc(session.scheduler, connection_args=arguments, timeout=_PATIENCE) as scheduler:
        workers = (await scheduler.identity())["workers"].values()
        idle = await scheduler.check_idle()
    return {
        "workers": len(workers),
        "threads": sum(one.get("nthreads", 0) for one in workers),
        "executing": sum((one.get("metrics") or {}).get("executing", 0) for one in workers),
        "idle_since": _iso(datetime.fromtimestamp(idle, UTC)) if idle else None,
    }


def _timers(where: Place, name: str) -> dict[str, int | None] | None:
    """Give after how many seconds the cluster ends, null for never; None where only its file says so."""
    from coiled_pulumi.ops.target import Target
    from coiled_pulumi.spec import load

    with contextlib.suppress(CoiledPulumiError, KeyError, TypeError):
        known = cluster_options.record(where, name)
        if not known.declared:
            config = known.config
            spec: Any = load.validate_cluster(
                name, dict(config["cluster"]), workspace=load.declared(config["declared"])
            )
        elif isinstance(where, Target):
            spec = where.loaded.workspace.clusters[name]
        else:
            return None
        return {called.replace(" ", "_"): getattr(spec, key) or None for key, called in _TIMERS.items()}
    return None


def _notifications(session: Session) -> tuple[Notification, ...]:
    from coiled_pulumi.ops import notifications

    with contextlib.suppress(CoiledPulumiError):
        subject = notifications.Subject(session.workspace, (session.region,))
        return notifications.read(subject, cluster=session.name).notifications[-_LAST:]
    return ()


def _plain(one: Notification) -> dict[str, Any]:
    from coiled_pulumi.ops import notifications

    return notifications.to_data(one)


def _lines(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from rich.markup import escape

    name, scheduler, up = told["cluster"], told["scheduler"], told["state"] == "up"
    colour = "green" if up else "red"
    yield "cluster", f"[bold]{name}[/] of {told['workspace']}, {told['zone']}: [{colour}]{told['state']}[/]"
    since = f", {'since' if up else 'launched'} {_local(told['since'])}" if told["since"] else ""
    yield "scheduler", f"{scheduler['instance']} {scheduler['state']}{since}"
    if up:
        yield "address", f"{scheduler['address']} {'answers' if scheduler['answers'] else 'does not answer'}"
        yield "dashboard", f"coiled-pulumi cluster dashboard {name}"
    for label, group in told["groups"].items():
        size = f" (of {cluster_options.told(group['min'], group['max'])})" if group["runtime"] else ""
        yield (
            label,
            f"{group['desired']} wanted{size}, {group['in_service']} in service, {group['joined']} joined",
        )
    yield "phases", ", ".join(f"{phase} {count}" for phase, count in told["phases"].items()) or "none told"
    if told["doing"] is not None:
        yield "doing", _doing(told["doing"])
    if up and told["timers"] is not None:
        yield "ends", _ends(told["timers"])
    if up and (until := told["certificates"]["until"]):
        yield "certificates", f"hold until {_local(until)}; coiled-pulumi cluster rotate {name}"
    if not up:
        again = "coiled-pulumi up" if told["from"] == "file" else f"coiled-pulumi cluster start {name}"
        yield "next", f"{again} starts it again"
    for one in told["notifications"]:
        yield "", f"{_local(one['time'])} {one['level']} {escape('; '.join(one['what'].splitlines()))}"


def _doing(doing: Mapping[str, Any]) -> str:
    there = f"{_count(doing['workers'], 'worker')} with {_count(doing['threads'], 'thread')}"
    if doing["idle_since"]:
        return f"idle since {_local(doing['idle_since'])}, {there}"
    return f"busy, {_count(doing['executing'], 'task')} on {there}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _ends(timers: Mapping[str, int | None]) -> str:
    when = {"idle": "idle", "no_client": "without a client", "lifetime": "of life"}
    said = [f"after {span(timers[key])} {words}" for key, words in when.items() if timers.get(key)]
    return ", ".join(said) or "never by itself"


def span(seconds: float | None) -> str:
    """Write a span of time as people say it."""
    whole = round(seconds or 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if whole >= 2 * length and not whole % length:
            return f"{whole // length} {unit}"
    return f"{whole} seconds"


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
