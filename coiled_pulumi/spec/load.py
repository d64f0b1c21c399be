"""From a workspace file to a checked `Workspace`, or to all that is wrong with it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from coiled_pulumi.errors import Problem, SpecErrors, UsageError, echo
from coiled_pulumi.spec import messages, rules, yaml12
from coiled_pulumi.spec.workspace import Workspace

#: Where the workspace stands in a Pulumi stack file.
CONFIG_KEY = "coiled:workspace"
#: Keys by which a Pulumi stack file is told from a bare workspace.
_STACK_KEYS = {"config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment"}
#: Larger than 10,000 clusters need; reading stays well under half a second.
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace, where it was read, the line of everything in it, and its values as written."""

    workspace: Workspace
    source: str
    lines: Mapping[yaml12.Path, int]
    raw: Mapping[str, object]


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read a Pulumi stack file (`config: coiled:workspace:`) or a file that holds only the workspace.

    Raises:
        UsageError: the file cannot be read.
        SpecErrors: what it says is wrong; all problems at once.
    """
    source = os.fspath(path)
    return parse(_text(source), source=source)


def parse(text: str, *, source: str) -> Loaded:
    """Read a workspace from text; see `load`."""
    try:
        document = yaml12.read(text)
        value, at = _workspace_of(document)
    except yaml12.Unreadable as error:
        raise SpecErrors(source, error.problems) from None
    return validate(value, source=source, lines=document.lines, at=at, before=tuple(document.problems))


def validate(
    value: object,
    *,
    source: str,
    lines: Mapping[yaml12.Path, int] | None = None,
    at: yaml12.Path = (),
    before: tuple[Problem, ...] = (),
) -> Loaded:
    """Check plain values.

    Args:
        value: mappings, lists and scalars, as from YAML or Pulumi's config.
        source: what to call them in errors.
        lines: line by path of the whole file.
        at: path of the value in the file.
        before: problems that reading the file found.

    Raises:
        SpecErrors: what they say is wrong.
    """
    lines = lines or {}
    try:
        # Through JSON: pydantic's strict mode then takes lists for tuples, and nothing else for anything else.
        workspace = Workspace.model_validate_json(json.dumps(value))
    except ValidationError as error:
        found = messages.problems(error, Workspace, value, lines, at)
        raise SpecErrors(source, (*before, *found)) from None
    found = [
        Problem(p.path, p.what, p.line or messages.line_of(lines, (*at, *_split(p.path))), p.hint)
        for p in rules.check(workspace)
    ]
    if before or found:
        raise SpecErrors(source, (*before, *found))
    return Loaded(workspace, source, lines, value)  # type: ignore[arg-type]


def validate_given(value: object, path: str | os.PathLike[str]) -> Loaded:
    """Check values that Pulumi gave, with lines of the stack's file where it says the same.

    It need not say the same (`--config`, `--config-file`) or be there at all: what Pulumi gave is what counts.

    Raises:
        SpecErrors: what they say is wrong.
    """
    source = os.fspath(path)
    try:
        document = yaml12.read(_text(source))
        written, at = _workspace_of(document)
    except (UsageError, yaml12.Unreadable):
        return validate(value, source=source)
    if written != value:
        return validate(value, source=source)
    return validate(value, source=source, lines=document.lines, at=at)


def _split(path: str) -> yaml12.Path:
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def _workspace_of(document: yaml12.Document) -> tuple[object, yaml12.Path]:
    top = document.value
    if top is None:
        raise yaml12.Unreadable(
            Problem("", "must hold a workspace, it is empty", 0, "coiled-pulumi init writes one")
        )
    if not isinstance(top, dict):
        kind = "a list" if isinstance(top, list) else "a single value"
        raise yaml12.Unreadable(Problem("", f"must be a mapping, got {kind}", document.lines[()]))
    if not _STACK_KEYS & top.keys():
        return top, ()
    config = top.get("config")
    if not isinstance(config, dict) or CONFIG_KEY not in config:
        line = document.lines.get(("config",), 1)
        raise yaml12.Unreadable(Problem("config", f"must have the key '{CONFIG_KEY}'", line))
    value = config[CONFIG_KEY]
    if not isinstance(value, dict):
        line = document.lines[("config", CONFIG_KEY)]
        raise yaml12.Unreadable(
            Problem(f"config.{CONFIG_KEY}", f"must be a mapping, got {echo(value)}", line)
        )
    return value, ("config", CONFIG_KEY)


def _text(source: str) -> str:
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            msg = f"{source}: is a folder"
            raise UsageError(msg, "name the workspace file in it")
        if not stat.S_ISREG(mode):
            msg = f"{source}: is not a regular file"
            raise UsageError(msg)
        with Path(source).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{source}: {(error.strerror or 'cannot be read').lower()}"
        hint = "coiled-pulumi init writes a workspace file" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(msg, hint) from None
    if len(data) > MAX_BYTES:
        raise SpecErrors(source, (Problem("", f"must be at most {MAX_BYTES:,} bytes"),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecErrors(source, (Problem("", f"must be UTF-8, byte {error.start} is not", line),)) from None
