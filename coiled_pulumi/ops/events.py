"""What the engine says while it works, reduced to a picture of where it stands.

No I/O and no clock: a line of the event log goes in, `Progress` changes, and the rows that changed come out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["running", "done", "failed"]

#: Operations that leave a resource as it is.
QUIET = frozenset({"same", "read", "read-discard"})
#: What the parts of a replacement are counted as in Pulumi's summary.
_PARTS = {"create-replacement": "replace", "delete-replaced": "replace", "discard-replaced": "replace"}
_EPILOGUE = re.compile(r"(update|preview|refresh|destroy) failed|resource .* failed")
_MARKUP = re.compile(r"<\{%.*?%\}>")


@dataclass(slots=True)
class Row:
    """One resource in this operation; times are seconds since the operation began."""

    urn: str
    type: str
    name: str
    parent: str
    op: str
    state: State
    started: float
    ended: float = 0.0
    diffs: tuple[str, ...] = ()
    message: str = ""

    @property
    def seconds(self) -> float:
        """How long it took, 0 while it is running."""
        return max(self.ended - self.started, 0.0) if self.ended else 0.0


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something that the engine, the program or a provider said."""

    severity: str
    message: str
    urn: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a policy found."""

    policy: str
    level: str
    message: str
    urn: str = ""


@dataclass(slots=True)
class Progress:
    """The picture so far."""

    #: By URN and operation, in the order in which they began.
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    #: Set if and only if the engine came to its summary.
    changes: dict[str, int] | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    #: Set by who runs the engine, when it was asked to stop.
    stopping: bool = False

    @property
    def changed(self) -> list[Row]:
        """The resources that are not left as they are."""
        return [row for row in self.rows.values() if row.op not in QUIET]

    @property
    def errors(self) -> list[Diagnostic]:
        """What went wrong, each text once, without what the engine says after every failure."""
        errors = [d for d in dict.fromkeys(self.diagnostics) if d.severity == "error"]
        return [d for d in errors if not _EPILOGUE.fullmatch(d.message)] or errors

    def counts(self) -> dict[str, int]:
        """Count the resources by operation: the engine's own summary, or what was seen of a cut run."""
        if self.changes is not None:
            return dict(self.changes)
        return dict(Counter(_PARTS.get(row.op, row.op) for row in self.rows.values() if row.state == "done"))


def reduce(progress: Progress, event: dict[str, Any], at: float) -> list[Row]:
    """Take one event in; give the rows that it changed. Unknown kinds of event change nothing.

    Args:
        progress: the picture so far; it is changed.
        event: a line of the engine's event log.
        at: when it came, in seconds since the operation began (the engine's own stamps are whole seconds).
    """
    match event:
        case {"resourcePreEvent": {"metadata": dict() as metadata}}:
            return [_begin(progress, metadata, at)]
        case {"resOutputsEvent": {"metadata": dict() as metadata, **rest}}:
            if metadata.get("type") == "pulumi:pulumi:Stack":
                progress.outputs = (metadata.get("new") or {}).get("outputs") or progress.outputs
            return _end(progress, metadata, at, "done", planning=bool(rest.get("planning")))
        case {"resOpFailedEvent": {"metadata": dict() as metadata}}:
            return _end(progress, metadata, at, "failed")
        case {"diagnosticEvent": dict() as diagnostic}:
            return _diagnose(progress, diagnostic)
        case {"policyEvent": dict() as policy}:
            finding = Finding(
                policy=policy.get("policyName", ""),
                level=policy.get("enforcementLevel", ""),
                message=_once(plain(policy.get("message", ""))),
                urn=policy.get("resourceUrn", ""),
            )
            progress.findings.append(finding)
        case {"summaryEvent": {"resourceChanges": dict() as changes}}:
            progress.changes = {op: count for op, count in changes.items() if count}
    return []


def _begin(progress: Progress, metadata: dict[str, Any], at: float) -> Row:
    urn, op = metadata["urn"], metadata["op"]
    row = progress.rows.get((urn, op))
    if row is None:
        resource = metadata.get("new") or metadata.get("old") or {}
        diffs = metadata.get("diffs") or sorted(metadata.get("detailedDiff") or {})
        row = Row(
            urn,
            metadata["type"],
            name_of(urn),
            resource.get("parent", ""),
            op,
            "running",
            at,
            diffs=tuple(diffs),
        )
        progress.rows[(urn, op)] = row
    elif row.state != "running":
        # What earlier replacements left behind goes by the same name: one row for all of them.
        row.state, row.started, row.ended = "running", at, 0.0
    return row


def _end(
    progress: Progress, metadata: dict[str, Any], at: float, state: State, *, planning: bool = False
) -> list[Row]:
    row = progress.rows.get((metadata["urn"], metadata["op"])) or _refreshed(progress, metadata, at)
    row.state = state
    row.ended = row.started if planning else at
    return [row]


def _refreshed(progress: Progress, metadata: dict[str, Any], at: float) -> Row:
    """Give the row of a refresh: it begins as `refresh` and ends as what it found (same, update, delete)."""
    began = progress.rows.pop((metadata["urn"], "refresh"), None)
    return _begin(progress, metadata, began.started if began else at)


def _diagnose(progress: Progress, diagnostic: dict[str, Any]) -> list[Row]:
    severity = diagnostic.get("severity", "info").removesuffix("#err")
    if diagnostic.get("ephemeral") or severity == "debug":
        return []
    message = plain(diagnostic.get("message", "")).strip().removeprefix(f"{severity}: ")
    urn = diagnostic.get("urn", "")
    if message:
        progress.diagnostics.append(Diagnostic(severity, message, urn))
    rows = [row for (at, _), row in progress.rows.items() if at == urn and row.state != "done"]
    for row in rows:
        row.message = message
    return rows


def _once(text: str) -> str:
    """Drop lines that repeat others: before what a policy reports stands its description, often the same."""
    return "\n".join(dict.fromkeys(line for line in text.strip().splitlines() if line.strip()))


def plain(text: str) -> str:
    """Take the engine's colour marks out of a text."""
    return _MARKUP.sub("", text)


def name_of(urn: str) -> str:
    """Give the logical name at the end of a URN."""
    return urn.rsplit("::", 1)[-1]
