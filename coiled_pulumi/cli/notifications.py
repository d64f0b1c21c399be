"""`coiled-pulumi notifications`: what happened to a workspace."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

if TYPE_CHECKING:
    from coiled_pulumi.ops.notifications import Found, Notification, Subject

#: Seconds between two looks with --follow.
_INTERVAL = 2.0
#: A look with --follow goes back so far: the log group is minutes behind at worst, and clocks differ. Seconds.
_OVERLAP = 300.0


def notifications(
    stack: options.Stack = None,
    file: options.File = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="NAME", help="Only what is about this cluster.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="As 2h, 3d or 2026-11-23T12:00.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what happened to a workspace: runs, failures, workers that did not start, instances that ended."""
    from coiled_pulumi.ops import notifications as ops

    console = Console(as_json=as_json)
    first = ops.moment(since, datetime.now(UTC)) if since else None
    subject = _subject(stack, file)
    found = ops.read(subject, cluster=cluster, since=first)
    _tell_unreached(console, found)
    if as_json and not follow:
        items = [ops.to_data(one) for one in found.notifications]
        console.data({"version": 1, "workspace": subject.workspace, "notifications": items})
        return
    _write(console, found.notifications)
    if not found.notifications and not follow:
        about = f"cluster {cluster} of {subject.workspace}" if cluster else subject.workspace
        console.note(f"nothing is known of {about}{' since then' if since else ''}")
    if follow:
        try:
            _follow(console, subject, cluster, found)
        except KeyboardInterrupt:
            return


def line_of(notification: Notification, today: datetime) -> str:
    """Make the one line of a notification: local time, level, what it is about, what happened, what to do."""
    local = notification.time.astimezone()
    when = local.strftime("%H:%M:%S" if local.date() == today.astimezone().date() else "%Y-%m-%d %H:%M:%S")
    about = notification.cluster or notification.workspace
    name = notification.resource
    resource = f"{name}: " if name and not notification.what.startswith(name) else ""
    hint = f"; {notification.hint}" if notification.hint else ""
    text = "; ".join(f"{resource}{notification.what}{hint}".splitlines())
    return f"{when} {notification.level} {about}: {text}"


def _subject(stack: str | None, file: Path | None) -> Subject:
    from coiled_pulumi.ops import notifications as ops

    if file is None:
        return ops.find(stack, Path.cwd())
    from coiled_pulumi.spec.settled import settle

    workspace = options.load(stack, file).workspace
    return ops.with_region(workspace.name, settle(workspace).region)


def _follow(console: Console, subject: Subject, cluster: str | None, found: Found) -> None:
    from coiled_pulumi.ops import notifications as ops

    seen = {one.id for one in found.notifications}
    unreached = found.unreached
    while True:
        time.sleep(_INTERVAL)
        since = datetime.now(UTC) - timedelta(seconds=_OVERLAP)
        found = ops.read(subject, cluster=cluster, since=since)
        if found.unreached != unreached:
            _tell_unreached(console, found)
            unreached = found.unreached
        new = tuple(one for one in found.notifications if one.id not in seen)
        seen |= {one.id for one in new}
        _write(console, new)


def _write(console: Console, notifications: tuple[Notification, ...]) -> None:
    from coiled_pulumi.ops.notifications import to_data

    today = datetime.now(UTC)
    for one in notifications:
        console.text(json.dumps(to_data(one)) if console.as_json else line_of(one, today))
    sys.stdout.flush()


def _tell_unreached(console: Console, found: Found) -> None:
    if found.unreached:
        console.note(f"note: only what this machine knows: {found.unreached}")
