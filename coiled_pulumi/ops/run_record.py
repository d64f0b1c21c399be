"""What a run of the engine leaves behind: that it began, what failed, and how it ended."""

from __future__ import annotations

import contextlib
import getpass
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from coiled_pulumi.aws import faults, notifications, session
from coiled_pulumi.aws.notifications import Level, Notification, Source
from coiled_pulumi.errors import CancelledError, CoiledPulumiError
from coiled_pulumi.ops import failures, journal
from coiled_pulumi.ops.events import Progress, Row, name_of

OnRows = Callable[[Progress, list[Row]], None]

_WORDS = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
_FOUND = {"create": "new", "update": "changed outside of Pulumi", "replace": "replaced", "delete": "gone"}


@dataclass(slots=True)
class Run:
    """One run of the engine, while it is recorded."""

    workspace: str
    cluster: str
    verb: str
    region: str
    began: float = field(default_factory=time.monotonic)
    progress: Progress = field(default_factory=Progress)
    ended: bool = False

    def watching(self, on_rows: OnRows) -> OnRows:
        """Wrap who is told of events: so a run that fails is recorded with what it reported until then."""

        def watched(progress: Progress, rows: list[Row]) -> None:
            self.progress = progress
            on_rows(progress, rows)

        return watched

    def finished(self, progress: Progress) -> None:
        """Record that it ended well."""
        self.progress, self.ended = progress, True
        words = _FOUND if self.verb == "refresh" else _WORDS
        self._note("info", f"{self.verb} finished in {self._seconds()}: {_counted(progress, words)}")

    def _began(self) -> None:
        self._note("info", f"{self.verb} started by {_who()}")

    def _broke(self, error: BaseException) -> None:
        """Record each resource that failed, and the end."""
        told = set()
        for one in self.progress.errors:
            text = failures.unwrapped(one)
            fault = faults.parse(text) or faults.Fault("", text)
            name = name_of(one.urn)
            if (name, fault.what) not in told:
                cluster = cluster_of(self.progress, one.urn, self.workspace) or self.cluster
                self._note("error", fault.what, cluster=cluster, resource=name, hint=fault.hint)
            told.add((name, fault.what))
        stopped = isinstance(error, CancelledError | KeyboardInterrupt)
        end = "was stopped" if stopped else "failed"
        why = _counted(self.progress, _WORDS)
        hint = getattr(error, "hint", "")
        if not told and isinstance(error, CoiledPulumiError) and not stopped:
            why = error.what
        text = f"{self.verb} {end} after {self._seconds()}: {why}"
        self._note("warning" if stopped else "error", text, hint=hint)

    def _note(
        self, level: Level, what: str, *, cluster: str = "", resource: str = "", hint: str = ""
    ) -> None:
        note(
            self.workspace, self.region, "engine", level, what,
            cluster=cluster or self.cluster, resource=resource, hint=hint,
        )  # fmt: skip

    def _seconds(self) -> str:
        return f"{time.monotonic() - self.began:.0f} s"


@contextlib.contextmanager
def recorded(*, workspace: str, cluster: str = "", verb: str, region: str) -> Iterator[Run]:
    """Record a run of the engine: `run.finished(result.progress)` at its end, or the error that leaves the block.

    What is recorded is on this machine at once, and in the workspace's log group, if there is one, after the run. That
    it cannot be written anywhere never fails a run.

    Args:
        workspace: its name.
        cluster: the cluster that the run is about; empty for the workspace's own stack.
        verb: `up`, `refresh` or `destroy`.
        region: where the workspace's log group is.
    """
    run = Run(workspace, cluster, verb, region)
    run._began()
    # The client for the log group takes half a second to import, and the run leaves us idle meanwhile.
    threading.Thread(target=_prepare, args=(region,), daemon=True).start()
    try:
        yield run
    except BaseException as error:
        run._broke(error)
        push(workspace, region)
        raise
    if not run.ended:
        run.finished(run.progress)
    push(workspace, region)


def note(
    workspace: str, region: str, source: Source, level: Level, what: str, *,
    cluster: str = "", resource: str = "", hint: str = "",
) -> None:  # fmt: skip
    """Record one notification on this machine; `push` brings it to the log group."""
    now = datetime.now(UTC)
    keep(
        [notifications.make(now, workspace, cluster, source, level, what, resource=resource, hint=hint)],
        workspace,
        region,
    )


def keep(those: list[Notification], workspace: str, region: str) -> None:
    """Write notifications to the journal; a state folder that cannot be written is no reason to fail."""
    with contextlib.suppress(OSError):
        journal.of(workspace).append(*those, region=region)


def push(workspace: str, region: str) -> None:
    """Bring what is new in the journal to the log group; what cannot be brought now is brought after another run.

    Args:
        workspace: its name.
        region: of the run; other regions that the workspace is known to be in get it too.
    """
    kept = journal.of(workspace)
    for one in {region: None} | dict.fromkeys(kept.regions()):
        with contextlib.suppress(CoiledPulumiError, OSError):
            kept.push(one)


def cluster_of(progress: Progress, urn: str, workspace: str) -> str:
    """Give the cluster that a resource of the workspace's stack belongs to; empty if to none."""
    above = {row.urn: row.parent for row in progress.rows.values()}
    while urn:
        kind = urn.rsplit("::", 2)[-2].rsplit("$", 1)[-1] if urn.count("::") >= 2 else ""
        if kind == "coiled:index:Cluster":
            return name_of(urn).removeprefix(f"{workspace}-cluster-")
        urn = above.pop(urn, "")
    return ""


def _prepare(region: str) -> None:
    with contextlib.suppress(CoiledPulumiError):
        session.client("logs", region)


def _counted(progress: Progress, words: dict[str, str]) -> str:
    counts = progress.counts()
    said = [f"{counts[op]} {word}" for op, word in words.items() if counts.get(op)]
    if counts.get("same"):
        said.append(f"{counts['same']} unchanged")
    return ", ".join(said) or "nothing was done"


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user} on {platform.node() or 'a machine without a name'}"
