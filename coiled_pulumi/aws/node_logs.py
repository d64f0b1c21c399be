"""What the machines of a cluster write into the workspace's log group: their logs, and how far they have come.

A machine writes its logs into the stream `CLUSTER/ROLE/INSTANCE`, and its phases also into `CLUSTER/phases`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from coiled_pulumi.aws import session

PHASES: Final = "phases"
#: Events come late, and in any order: so long is looked back, in milliseconds, for what was not there before.
LATE: Final = 30_000
#: Streams in one question; AWS's own limit.
_STREAMS: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a stream; `at` is in milliseconds since 1970."""

    at: int
    stream: str
    text: str
    id: str = field(default="", repr=False)

    @property
    def instance(self) -> str:
        """Id of the machine that wrote it; empty for the stream of phases."""
        return self.stream.rsplit("/", 1)[-1] if self.stream.count("/") == 2 else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A machine has come to a phase of its life.

    Attributes:
        phase: `booted`, `environment`, `configured`, `started`, `joined`, `retiring` or `ended`.
        instance: its id.
        role: `scheduler` or `worker`.
        group: label of its group of workers.
        at: when, in seconds since 1970.
        took: seconds since the phase before.
        reason: why it ended.
        detail: more of that.
    """

    phase: str
    instance: str
    role: str
    group: str
    at: float
    took: float | None = None
    reason: str = ""
    detail: str = ""


class Follower:
    """Reads streams of a log group as they grow: each event once, late ones too.

    Args:
        group: the log group, which has the workspace's name.
        region: where it is.
        prefix: of the names of the streams; not together with `streams`.
        streams: their names.
        since: milliseconds since 1970; what is older is not looked at.
    """

    def __init__(
        self, group: str, region: str, *, prefix: str = "", streams: Iterable[str] = (), since: int = 0
    ) -> None:
        self._group, self._region, self._prefix = group, region, prefix
        self._streams = sorted(set(streams))
        self._since = since
        #: Of what was read, as far as it may come again: when, by id.
        self._known: dict[str, int] = {}

    def read(self) -> list[Line]:
        """Give what is new, in order of time; nothing where nobody has written yet.

        Raises:
            CoiledPulumiError: AWS could not be asked.
        """
        found = [line for line in self._all() if line.id not in self._known and self._is_ours(line.stream)]
        self._known |= {line.id: line.at for line in found}
        newest = max(self._known.values(), default=0)
        self._since = max(self._since, newest - LATE)
        self._known = {name: at for name, at in self._known.items() if at >= self._since}
        return sorted(found, key=lambda line: (line.at, line.stream))

    def _is_ours(self, stream: str) -> bool:
        # The local AWS gives the events of all streams for a prefix.
        return stream in self._streams if self._streams else stream.startswith(self._prefix)

    def _all(self) -> list[Line]:
        asked: dict[str, Any] = {"logGroupName": self._group, "startTime": self._since}
        if not self._streams:
            return self._pages(asked | {"logStreamNamePrefix": self._prefix})
        parts = (self._streams[at : at + _STREAMS] for at in range(0, len(self._streams), _STREAMS))
        return [line for part in parts for line in self._pages(asked | {"logStreamNames": part})]

    def _pages(self, asked: dict[str, Any]) -> list[Line]:
        client = session.client("logs", self._region)
        with session.told():
            try:
                pages = client.get_paginator("filter_log_events").paginate(**asked)
                events = [event for page in pages for event in page["events"]]
            except client.exceptions.ResourceNotFoundException:
                return []  # the group is not there, or one of the streams not yet
        return [
            Line(one["timestamp"], one["logStreamName"], one["message"], one["eventId"]) for one in events
        ]


def phases(workspace: str, cluster: str, region: str, *, since: int = 0) -> Follower:
    """Follow the phases of a cluster's machines; `mark` reads a line."""
    # By prefix: a stream that nobody has written to is an error by name.
    return Follower(workspace, region, prefix=f"{cluster}/{PHASES}", since=since)


def mark(text: str) -> Mark | None:
    """Read a mark; None for what is none."""
    try:
        told = json.loads(text)
        return Mark(
            phase=str(told["phase"]),
            instance=str(told["instance"]),
            role=str(told.get("role") or ""),
            group=str(told.get("group") or ""),
            at=float(told["at"]),
            took=None if told.get("took") is None else float(told["took"]),
            reason=str(told.get("reason") or ""),
            detail=str(told.get("detail") or ""),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def logs(workspace: str, cluster: str, region: str, *, role: str = "", since: int = 0) -> Follower:
    """Follow what the machines of a cluster write, of one role or of both; its phases are left out by `is_log`."""
    return Follower(workspace, region, prefix=f"{cluster}/{role}/" if role else f"{cluster}/", since=since)


def is_log(line: Line) -> bool:
    """Tell what a machine wrote from the marks of phases."""
    return bool(line.instance)


def tail(
    workspace: str, cluster: str, role: str, instance: str, region: str, *, lines: int = 20
) -> list[str]:
    """Give the last lines of a machine's log; none where it has written nothing.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    client = session.client("logs", region)
    with session.told():
        try:
            answer = client.get_log_events(
                logGroupName=workspace,
                logStreamName=f"{cluster}/{role}/{instance}",
                limit=lines,
                startFromHead=False,
            )
        except client.exceptions.ResourceNotFoundException:
            return []
    return [one["message"] for one in answer["events"]][-lines:]
