"""What happened to a workspace, from everywhere where it is kept.

Three places know something: the journal of this machine (what was run here, also before the workspace existed and
after it was deleted), the workspace's log group (what everybody ran, while it exists) and AWS itself (activities of
auto scaling groups, ends of instances). The same thing has the same id in all of them.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coiled_pulumi import outputs
from coiled_pulumi.aws import notification_log
from coiled_pulumi.aws import notifications as aws
from coiled_pulumi.aws.notifications import Notification, redact, to_data
from coiled_pulumi.errors import CoiledPulumiError, UsageError
from coiled_pulumi.ops import journal, target
from coiled_pulumi.ops.engine_run import query
from coiled_pulumi.ops.run_record import Run, keep, note, push, recorded
from coiled_pulumi.spec import load
from coiled_pulumi.spec.settled import settle

__all__ = [
    "Found",
    "Notification",
    "Run",
    "Subject",
    "find",
    "get_notifications",
    "note",
    "push",
    "read",
    "recorded",
    "redact",
    "to_data",
    "with_region",
]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose notifications; its regions are those that are known here, none where nothing is up."""

    workspace: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Notifications, oldest first, each once.

    Attributes:
        notifications: what was found.
        unreached: why AWS and the log group could not be asked; empty if they were.
    """

    notifications: tuple[Notification, ...]
    unreached: str = ""


def get_notifications(
    workspace: str | None = None, *, cluster: str | None = None, since: datetime | str | None = None
) -> list[Notification]:
    """Give what happened to a workspace, oldest first.

    Reads this machine's journal, the workspace's log group and AWS's own records of its groups and instances; warns
    where the latter two cannot be asked, and gives what is left.

    Args:
        workspace: its name; may be left out where the project around the current folder has just one, or where this
            machine knows just one on the current backend.
        cluster: only what is about this cluster.
        since: only what happened then or later, as a time or as text (`2h`, `3d`, `2026-11-23T12:00`); without a zone
            it is local time.

    Raises:
        UsageError: which workspace is not clear, or it has no name that a workspace can have.
    """
    first = moment(since, datetime.now(UTC)) if isinstance(since, str) else since
    found = read(find(workspace, Path.cwd()), cluster=cluster, since=first)
    if found.unreached:
        warnings.warn(f"only what this machine knows: {found.unreached}", stacklevel=2)
    return list(found.notifications)


def moment(text: str, now: datetime) -> datetime:
    """Read how long ago, as `2h`, or a time in ISO 8601, which is local without a zone.

    Raises:
        UsageError: it is neither.
    """
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return now - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        hint = "write 2h or 3d, or 2026-11-23T12:00"
        raise UsageError(f"since is no time: '{text[:40]}'", hint) from None


def read(subject: Subject, *, cluster: str | None = None, since: datetime | None = None) -> Found:
    """Read a workspace's notifications; what AWS knows and the journal does not is kept there too.

    Args:
        subject: whose.
        cluster: only what is about this cluster.
        since: only what happened then or later; without a zone it is local time.

    Raises:
        UsageError: no workspace can have that name.
    """
    since = since.astimezone(UTC) if since else None
    kept = journal.of(subject.workspace)
    found = {one.id: one for one in kept.read()}
    unreached = [] if subject.regions else [f"the region of {subject.workspace} is not known"]
    for region in subject.regions:
        try:
            found |= {one.id: one for one in notification_log.pull(subject.workspace, region, since=since)}
            new = [one for one in aws.live(subject.workspace, region) if one.id not in found]
        except CoiledPulumiError as error:
            unreached.append(error.what)
            continue
        found |= {one.id: one for one in new}
        # AWS forgets, and soonest what was deleted.
        keep(new, subject.workspace, region)
    wanted = (
        one
        for one in found.values()
        if (cluster is None or one.cluster == cluster) and (since is None or one.time >= since)
    )
    return Found(
        tuple(sorted(wanted, key=lambda one: (one.time, one.id))), "; ".join(dict.fromkeys(unreached))
    )


def find(workspace: str | None, folder: Path) -> Subject:
    """Find a workspace by name, and its region: from the journal, its file, or what its stack exported.

    Args:
        workspace: its name, or None for the only one.
        folder: where the user stands.

    Raises:
        UsageError: none was named, and there is not just one.
    """
    files = target.workspace_files(folder)
    name = workspace or _only(list(files) or journal.known())
    if regions := journal.of(name).regions():
        return Subject(name, regions)
    if name in files:
        return with_region(name, settle(load.load(files[name]).workspace).region)
    return Subject(name, _exported_region(name))


def with_region(workspace: str, region: str) -> Subject:
    """Give a workspace in its file's region, and in those of its clusters that were started from here."""
    return Subject(workspace, tuple(dict.fromkeys([region, *journal.of(workspace).regions()])))


def _only(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("no workspace here, and nothing was run from this machine", "name it with --stack")
    raise UsageError(f"which workspace? found: {', '.join(names)}", "name it with --stack")


def _exported_region(workspace: str) -> tuple[str, ...]:
    """Ask the backend, for who has neither the file nor ran anything; empty where nothing is up."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Pulumi.yaml").write_text(f"name: {target.PROJECT}\nruntime: python\n")
        try:
            text = query(["stack", "output", "--json", "--stack", workspace], folder=Path(folder))
            return (outputs.read(json.loads(text)).region,)
        except (CoiledPulumiError, ValueError):
            return ()
