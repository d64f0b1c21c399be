"""What happened to a workspace, kept on this machine: one line per notification, written at once.

    notifications/<backend>/<workspace>.jsonl    the notifications, oldest first
    notifications/<backend>/<workspace>.pushed   how far they are in the log group of each region, and in which stream

below the state folder, for their owner only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coiled_pulumi.aws import notification_log
from coiled_pulumi.aws.notifications import Notification, from_data, to_data
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops.target import backend_key, state_home
from coiled_pulumi.values import SLUG


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one workspace on one backend; several processes may write to it at a time."""

    workspace: str
    file: Path

    def append(self, *notifications: Notification, region: str) -> None:
        """Write notifications, each by one call of the system: what was written outlives us.

        Raises:
            OSError: the state folder cannot be written.
        """
        if not notifications:
            return
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True)
        folder.parent.chmod(0o700)
        handle = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for one in notifications:
                # A line that was cut off by a full disk is to spoil no other one.
                size = os.fstat(handle).st_size
                cut = size and os.pread(handle, 1, size - 1) != b"\n"
                line = json.dumps(to_data(one) | {"region": region}) + "\n"
                os.write(handle, (b"\n" if cut else b"") + line.encode())
        finally:
            os.close(handle)

    def read(self) -> list[Notification]:
        """Read all notifications, in the order in which they were written."""
        found = (from_data(data) for data, _ in self._lines(0))
        return [one for one in found if one is not None]

    def regions(self) -> tuple[str, ...]:
        """Give the regions that notifications were about, the first one first."""
        lines = (data for data, _ in self._lines(0) if isinstance(data, dict))
        return tuple(dict.fromkeys(data["region"] for data in lines if data.get("region")))

    def push(self, region: str) -> None:
        """Write to the workspace's log group of a region what is not there yet; nothing where there is no such group.

        All regions' groups get everything: who looks at one of them sees the whole workspace.

        Raises:
            CoiledPulumiError: AWS refused, or was not reached.
            OSError: the state folder cannot be written.
        """
        with self._pushed() as mark:
            start = int(mark["offsets"].get(region, 0))
            start = start if start <= self._size() else 0
            lines = list(self._lines(start))
            found = [one for one in (from_data(data) for data, _ in lines) if one is not None]
            if found and notification_log.push(self.workspace, region, mark["stream"], found):
                mark["offsets"] = mark["offsets"] | {region: lines[-1][1]}

    def _size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def _lines(self, start: int) -> Iterator[tuple[object, int]]:
        """Give each whole line's value, and where in the file it ends."""
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            stream.seek(start)
            end = start
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                with contextlib.suppress(ValueError):
                    yield json.loads(line), end

    @contextlib.contextmanager
    def _pushed(self) -> Iterator[dict]:
        """Give the mark to change; one process at a time has it."""
        if not self.file.exists():
            yield {"stream": "", "offsets": {}}
            return
        handle = os.open(self.file.with_suffix(".pushed"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                mark = dict(json.loads(os.pread(handle, 10_000, 0)))
            except (ValueError, TypeError):
                mark = {}
            # A stream of this journal alone: no other writer's lines come between.
            mark.setdefault("offsets", {})
            mark.setdefault("stream", f"{_host()}-{secrets.token_hex(4)}")
            before = dict(mark)
            yield mark
            if mark != before or not os.fstat(handle).st_size:
                text = json.dumps(mark).encode()
                os.pwrite(handle, text, 0)
                os.ftruncate(handle, len(text))
        finally:
            os.close(handle)


def of(workspace: str) -> Journal:
    """Give the journal of a workspace on the backend of this environment.

    Raises:
        UsageError: no workspace can have that name.
    """
    if not SLUG.fullmatch(workspace):
        raise UsageError(f"'{workspace[:60]}' is not the name of a workspace")
    return Journal(workspace, _folder() / f"{workspace}.jsonl")


def known() -> list[str]:
    """Give the workspaces of this backend that have a journal here."""
    return sorted(file.stem for file in _folder().glob("*.jsonl"))


def _folder() -> Path:
    return state_home() / "notifications" / backend_key()


def _host() -> str:
    """Give this machine's name as a part of the name of a log stream."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())[:40] or "unnamed"
