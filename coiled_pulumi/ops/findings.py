"""What checks before a launch work with: what AWS told, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from coiled_pulumi.aws import discover

Level = Literal["error", "warning", "skipped", "ok"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "skipped", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        code: what kind, as `quota-exceeded`; the name of the check where nothing is wrong.
        level: `skipped` for what could not be checked: that is not the same as ok.
        what: with numbers, one line.
        cause: why AWS would refuse; empty where `what` says it.
        mend: a command to run or a key of the workspace file to change; empty where nothing is wrong.
    """

    code: str
    level: Level
    what: str
    cause: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why in one line."""

    why: str


@dataclass(slots=True)
class Facts:
    """What AWS told; each may be `Unknown`, and what was not asked is missing."""

    who: discover.Identity
    local: bool = False
    machines: Any = ()
    offered: Any = frozenset()
    subnets: Any = ()
    counts: Any = None
    ways_out: Any = None
    simulated: Any = None
    limits: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    named: dict[tuple[str, str], Any] = field(default_factory=dict)
    dry_runs: dict[str, Any] = field(default_factory=dict)
