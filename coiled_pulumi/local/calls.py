"""The log of API calls: one JSON line per call, written by the server, read by `status` and by tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

#: Actions that start so change nothing, whatever the service.
_READS: Final = re.compile(
    r"(Describe|Get|List|Head|Lookup|Search|Check|BatchGet|Filter|Preview|Simulate|Test|Validate)"
)
#: Services whose every action is a read as far as resources go: STS only hands out credentials.
_READ_SERVICES: Final = frozenset({"sts"})
_READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Call:
    """One API call that the server answered."""

    time: float
    """When it came in, in seconds since the epoch."""
    service: str
    """The signing name: ec2, autoscaling, iam, logs, ssm, s3, sts ..."""
    action: str
    region: str
    status: int
    """The HTTP status of the answer."""
    ms: float
    """How long the answer took."""
    mutating: bool
    """Whether the action is one that changes something, judged by its name (S3: by its method)."""

    def line(self) -> str:
        """Make the line of the log."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


def is_mutating(service: str, action: str, *, method: str = "POST", dry_run: bool = False) -> bool:
    """Judge by name whether a call changes something; a dry run never does."""
    if dry_run or service in _READ_SERVICES:
        return False
    if service == "s3":
        return method not in _READ_METHODS
    return not _READS.match(action)


def read(path: Path, since: int = 0) -> list[Call]:
    """Read the log from its line `since` on; a file that is not there is an empty log.

    A last line that is still being written is left for the next time.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = text.splitlines(keepends=True)
    return [Call(**json.loads(line)) for line in lines[since:] if line.endswith("\n")]


def count(path: Path) -> int:
    """Count the calls without reading what they were; also the `since` for a later `read`."""
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def mutating(calls: Iterable[Call], *, state: bool = False) -> list[Call]:
    """Keep the calls meant to change something, also those that were refused.

    Args:
        calls: as `read` gave them.
        state: also keep S3's, which a program of ours only makes for Pulumi's state.

    """
    return [call for call in calls if call.mutating and (state or call.service != "s3")]
