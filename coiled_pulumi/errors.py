"""Every error that a user can cause or meet, as data; the text is made in `__str__`.

CoiledPulumiError            exit 1   anything below, caught once by the CLI
├── UsageError               exit 2   a flag or argument that makes no sense
│   └── SpecErrors           exit 2   one or more problems of a workspace file
├── CredentialsError         exit 3   no, half or expired credentials
├── DeploymentError          exit 4   the engine or AWS refused
│   ├── PolicyError          exit 5   a mandatory policy was violated
│   └── WorkersMissingError  exit 4   what was asked for is made, but not all workers started
├── NoSuchStackError         exit 6   the stack was never created
├── ChangesFoundError        exit 7   changes where none were expected
├── CancelledError           exit 8   the user stopped it
├── DeadlineError            exit 9   it took longer than allowed
└── EngineError              exit 1   Pulumi, its plugin or the toolchain is missing or unfit

The exit codes are Pulumi's own (pulumi/pulumi, `cmd/exit_codes.go`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

#: More problems than this are counted, not listed.
MAX_PROBLEMS = 20
#: Longest piece of a user's own text that an error repeats, in characters.
MAX_ECHO = 60


def echo(value: object) -> str:
    """Show a scalar of the user's in an error: quoted, on one line, clipped, control characters escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, int | float):
        text = str(value)
    else:
        text = "'" + str(value).encode("unicode_escape").decode("ascii") + "'"
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 3] + "..."


class CoiledPulumiError(Exception):
    """Root of the tree: a sentence that says what is wrong and, where there is one, what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\nhint: {self.hint}" if self.hint else self.what


class UsageError(CoiledPulumiError):
    """A flag, an argument or a combination of them that makes no sense."""

    exit_code = 2


class CredentialsError(CoiledPulumiError):
    """No AWS credentials, half of them, or expired ones."""

    exit_code = 3


class DeploymentError(CoiledPulumiError):
    """The engine or AWS refused an operation.

    Attributes:
        faults: what AWS said, explained (`aws.faults.Fault`), where a run of the engine failed.
    """

    exit_code = 4
    faults: tuple[Any, ...] = ()


class PolicyError(DeploymentError):
    """A mandatory policy was violated; nothing was changed."""

    exit_code = 5


class WorkersMissingError(DeploymentError):
    """Everything is made, but not all workers started; what started stays.

    Attributes:
        workers: by cluster what was wanted, what is there, and why not more, as plain values.
    """

    def __init__(self, what: str, hint: str = "", workers: dict | None = None) -> None:
        super().__init__(what, hint)
        self.args = (what, hint, workers)
        self.workers = workers or {}


class NoSuchStackError(CoiledPulumiError):
    """The workspace was never brought up on this backend."""

    exit_code = 6


class ChangesFoundError(CoiledPulumiError):
    """There are changes where the caller asked for none."""

    exit_code = 7


class CancelledError(CoiledPulumiError):
    """The user stopped the operation."""

    exit_code = 8


class DeadlineError(CoiledPulumiError):
    """An operation took longer than it was allowed to."""

    exit_code = 9


class EngineError(CoiledPulumiError):
    """Pulumi, its AWS plugin or the toolchain to build them is missing or does not fit."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a workspace file.

    Attributes:
        path: where in the document, as `clusters.main.n_workers`; empty for the document itself.
        what: the constraint and the value, as one sentence without a full stop.
        line: 1-based line in the file, 0 where there is none.
        hint: what to write instead; may be empty.
        source: the file, or whatever else it stands in, where that is not the one that was read.
    """

    path: str
    what: str
    line: int = 0
    hint: str = ""
    source: str = ""

    def render(self, source: str) -> str:
        """Make the one line `file:line: path: what (hint)`."""
        where = self.source or source
        where = f"{where}:{self.line}" if self.line else where
        path = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}: {path}{self.what}{hint}"


class SpecErrors(UsageError):
    """All problems of one workspace file, one line each, in order of line."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        ordered = tuple(sorted(set(problems), key=lambda p: (p.line, p.path, p.what)))
        super().__init__(source, "")
        self.args = (source, ordered)
        self.source = source
        self.problems = ordered

    def __str__(self) -> str:
        lines = [problem.render(self.source) for problem in self.problems[:MAX_PROBLEMS]]
        rest = len(self.problems) - MAX_PROBLEMS
        if rest > 0:
            lines.append(f"{self.source}: and {rest} more")
        return "\n".join(lines)
