"""`coiled-pulumi cluster logs`: what the machines of a cluster write, as it comes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coiled_pulumi.cli import cluster_options, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError, NoSuchStackError, UsageError
from coiled_pulumi.values import WORKERS

if TYPE_CHECKING:
    from coiled_pulumi.aws.node_logs import Follower, Line, Mark
    from coiled_pulumi.ops.target import Place

#: Seconds between two looks with --follow; AWS answers 5 of them a second, for all who look.
_INTERVAL = 2.0
#: With --tail, how far back is looked for so many lines, in seconds; then at everything.
_BACK: Final = (600, 6 * 3600, 3 * 86400)
#: The machines of a cluster are launched together, and clocks differ. Seconds.
_EARLIER = 120
#: Looks that may fail one after the other.
_FAILURES = 5
#: Of a terminal, for one instance each; red is for errors.
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_ROLES = ("scheduler", "worker")


def logs(
    name: cluster_options.Name,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="As 10m, 2h or 2026-11-23T12:00.", show_default=False),
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option("--tail", metavar="N", help="Only the last N lines.", min=0, show_default=False),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="Of the scheduler or of a worker only.",
            show_default=False,
            autocompletion=lambda incomplete: [one for one in _ROLES if one.startswith(incomplete)],
        ),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option("--instance", metavar="ID", help="Of this machine only, as i-0123.", show_default=False),
    ] = None,
    contains: Annotated[
        str | None,
        typer.Option("--filter", metavar="TEXT", help="Only lines with this text.", show_default=False),
    ] = None,
    phases: Annotated[
        bool, typer.Option("--phases", help="How far the machines have come, instead of what they write.")
    ] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="With the time of each line.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what the machines of a cluster write, in order of time; also after the cluster has ended.

    Each line begins with the role and the id of its machine. With --json each line is one JSON document.
    """  # fmt: skip
    from coiled_pulumi.ops import notifications

    if role is not None and role not in _ROLES:
        raise UsageError(
            f"--role is scheduler or worker, got '{role[:40]}'", "coiled-pulumi cluster logs --help"
        )
    console = Console(as_json=as_json)
    first = notifications.moment(since, datetime.now(UTC)) if since else None
    where = cluster_options.place(stack, file, workspace)
    found = _found(where, name)
    wanted = Wanted(
        where.workspace, name, found.region, role or "", instance or "", contains or "", phases=phases
    )
    start = int(first.timestamp() * 1000) if first else found.since
    reader, lines = wanted.newest(tail, start) if tail is not None else wanted.all(start)
    if not lines:
        found.require(wanted, follow=follow)
    write = _Writer(console, timestamps=timestamps)
    write(lines)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(console, reader, wanted, write)
    elif not lines:
        console.note("nothing of that was written" + (" since then" if since else ""))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of which cluster."""

    workspace: str
    cluster: str
    region: str
    role: str = ""
    instance: str = ""
    contains: str = ""
    phases: bool = False

    def all(self, since: int) -> tuple[Follower, list[Line]]:
        """Give all lines since a time in milliseconds, and what reads those that come."""
        reader = self._reader(since)
        return reader, self.chosen(reader.read())

    def newest(self, count: int, since: int) -> tuple[Follower, list[Line]]:
        """Give the last so many lines since a time: logs may be long, so it looks further and further back."""
        now = time.time()
        starts = (int((now - back) * 1000) for back in _BACK)
        for start in [*(one for one in starts if one > since), since]:
            reader, lines = self.all(start)
            if len(lines) >= count:
                break
        return reader, lines[len(lines) - count :] if count < len(lines) else lines

    def chosen(self, lines: Iterable[Line]) -> list[Line]:
        """Leave out what nobody asked for."""
        return [line for line in lines if self._is_wanted(line)]

    def _is_wanted(self, line: Line) -> bool:
        from coiled_pulumi.aws import node_logs

        if self.contains not in line.text or node_logs.is_log(line) == self.phases:
            return False
        if not self.phases:
            return self.instance in ("", line.instance)
        mark = node_logs.mark(line.text)
        return bool(mark) and self.instance in ("", mark.instance) and self.role in ("", mark.role)

    def _reader(self, since: int) -> Follower:
        from coiled_pulumi.aws import node_logs

        if self.phases:
            return node_logs.phases(self.workspace, self.cluster, self.region, since=since)
        if self.role and self.instance:
            prefix = f"{self.cluster}/{self.role}/{self.instance}"
            return node_logs.Follower(self.workspace, self.region, prefix=prefix, since=since)
        return node_logs.logs(self.workspace, self.cluster, self.region, role=self.role, since=since)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a cluster's logs are, and since when they are of this cluster and not of one before it of that name."""

    region: str
    since: int = 0
    wrong: CoiledPulumiError | None = None

    def require(self, wanted: Wanted, *, follow: bool) -> None:
        """Make sure that there is a cluster, or was: its logs stay.

        Raises:
            CoiledPulumiError: there is none.
        """
        # One that never came up whole may just be starting.
        if self.wrong is None or (follow and not isinstance(self.wrong, NoSuchStackError)):
            return
        everything = Wanted(wanted.workspace, wanted.cluster, wanted.region)
        if not everything.all(0)[1]:
            raise self.wrong


def _found(where: Place, name: str) -> _Found:
    from coiled_pulumi.aws import machines

    try:
        known = cluster_options.record(where, name)
    except CoiledPulumiError as error:
        return _Found(cluster_options.located(where).region, wrong=error)
    machine = None
    with contextlib.suppress(CoiledPulumiError):
        machine = machines.of(filter(None, [known.cluster.scheduler_id]), known.region).get(
            known.cluster.scheduler_id
        )
    since = int((machine.launched.timestamp() - _EARLIER) * 1000) if machine else 0
    return _Found(known.region, since)


def _follow(console: Console, reader: Follower, wanted: Wanted, write: Callable[[list[Line]], None]) -> None:
    failures = 0
    while _pause(_INTERVAL):
        try:
            lines = reader.read()
        except CredentialsError:
            raise
        except CoiledPulumiError as error:
            failures += 1
            if failures == _FAILURES:
                raise
            console.note(f"note: {error.what}")
            continue
        failures = 0
        write(wanted.chosen(lines))


def _pause(seconds: float) -> bool:
    """Wait; False as soon as nobody reads on, which else is only seen with the next line."""
    try:
        out = sys.stdout.fileno()
    except (OSError, ValueError):  # no file, as in a test
        time.sleep(seconds)
        return True
    poll = select.poll()
    poll.register(out, 0)  # errors and a hang-up are told unasked
    return not poll.poll(seconds * 1000)


class _Writer:
    """Writes lines with what they come from in front, as wide as the longest so far."""

    def __init__(self, console: Console, *, timestamps: bool) -> None:
        self._console, self._timestamps = console, timestamps
        self._colours = itertools.cycle(_COLOURS)
        self._of: dict[str, int] = {}
        self._colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not console.as_json

    def __call__(self, lines: list[Line]) -> None:
        for line in lines:
            for text in self._texts(line):
                self._console.text(text)
        sys.stdout.flush()

    def _texts(self, line: Line) -> Iterator[str]:
        from coiled_pulumi.aws import node_logs

        role, instance = line.stream.split("/")[1], line.instance
        # A machine writes its marks among its lines too.
        mark = node_logs.mark(line.text) if line.text.startswith("{") else None
        if mark is not None:
            role, instance = mark.role, mark.instance
        when = datetime.fromtimestamp(line.at / 1000, UTC)
        if self._console.as_json:
            told: dict[str, Any] = {"time": _iso(when), "role": role, "instance": instance}
            yield json.dumps(
                told | (json.loads(line.text) if mark and not line.instance else {"text": line.text})
            )
            return
        at = f"{when.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3] + " " if self._timestamps else ""
        front = self._coloured(instance, f"{role:9} {instance} |")
        ours = "coiled-pulumi: " if line.instance else ""
        said = f"{ours}{mark_text(mark)}" if mark else line.text
        for part in said.splitlines() or [""]:
            yield f"{at}{front} {part}"

    def _coloured(self, instance: str, text: str) -> str:
        if not self._colourful:
            return text
        if instance not in self._of:
            self._of[instance] = next(self._colours)
        return f"\x1b[{self._of[instance]}m{text}\x1b[0m"


def mark_text(mark: Mark) -> str:
    """Write how far a machine has come."""
    of = f" ({mark.group})" if mark.role == "worker" and mark.group not in ("", WORKERS) else ""
    took = f" after {mark.took:.1f} s" if mark.took is not None else ""
    why = f": {mark.reason}" if mark.reason else ""
    detail = f"\n{mark.detail}" if mark.detail else ""
    return f"{mark.phase}{of}{took}{why}{detail}"


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
