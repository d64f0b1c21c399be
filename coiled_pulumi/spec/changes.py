"""Changes of a workspace file by the names of its keys: edited where they are written, and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from coiled_pulumi.errors import Problem, SpecErrors, UsageError
from coiled_pulumi.spec import aliases, edit, load, reference, yaml12
from coiled_pulumi.spec.edit import REMOVED
from coiled_pulumi.spec.yaml12 import Path

_ITEM = re.compile(r"\[(\d+)\]")


def changed(
    text: str,
    wanted: Mapping[Path, object],
    *,
    source: str,
    cluster: str | None = None,
    before: tuple[Problem, ...] = (),
) -> tuple[str, load.Loaded]:
    """Give a workspace file with other values, comments and order as they were, and what it then says.

    A key that the file writes under another name for it is changed there.

    Args:
        text: the file.
        wanted: values by path in the workspace; None takes the key out.
        source: what the file is called in errors.
        cluster: one that the file has to have already, if it was named.
        before: problems that were found already.

    Raises:
        SpecErrors: what the file would say is wrong; all problems at once, in lines of the file as it is.
        UsageError: a change has no place in the file as it is written, or it has no such cluster.
    """
    try:
        document = yaml12.read(text)
        value, at = load.workspace_of(document)
    except yaml12.Unreadable as error:
        raise SpecErrors(source, error.problems) from None
    if cluster is not None:
        reference.require_cluster(cluster, yaml12.lookup(value, ("clusters",)), source)
    normal = aliases.normal(value)
    made: dict[Path, object] = {}
    problems = list(before)
    for path, new in wanted.items():
        ours = reference.canonical(path)
        if new is None and yaml12.lookup(value, path) is None:
            problems += _unknown(ours)  # taking out what cannot be there is a mistake
        made[(*at, *normal.back(ours))] = REMOVED if new is None else _item(normal, ours, new)
    after = edit.set_values(text, made, source=source)
    try:
        loaded = load.parse(after, source=source)
    except SpecErrors as error:
        found = [_placed(problem, document.lines, at) for problem in error.problems]
        raise SpecErrors(source, (*problems, *found)) from None
    if problems:
        raise SpecErrors(source, tuple(problems))
    return after, loaded


def _unknown(path: Path) -> list[Problem]:
    try:
        reference.find(path)
    except UsageError as error:
        return [Problem(yaml12.render(path), "is not a known key", hint=error.hint)]
    return []


def _item(normal: aliases.Normal, ours: Path, new: object) -> object:
    """Write one firewall as a list of one, unless the file has it in the short form."""
    if ours[-1] != "ingress" or not isinstance(new, Mapping) or (*ours, 0) in normal.written:
        return new
    return [new]


def _placed(problem: Problem, lines: Mapping[Path, int], at: Path) -> Problem:
    """Put a problem on the line that the file has now; on none where the key is new."""
    if not problem.line:
        return problem
    parts = _ITEM.sub(r".\1", problem.path).split(".") if problem.path else []
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    return replace(problem, line=lines.get((*at, *path), 0))


def settings(texts: list[str], *, cluster: str = "") -> dict[Path, object]:
    """Read `KEY=VALUE` of a shell; values are YAML, nothing or null takes a key out.

    Args:
        texts: as typed.
        cluster: that the keys are about; empty for the workspace.

    Raises:
        UsageError: one has another form, or says again what another said.
    """
    found: dict[Path, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"must be KEY=VALUE, got '{text[:60]}'", "as in region=us-west-2")
        path = (*(("clusters", cluster) if cluster else ()), *reference.split(key.strip()))
        if any(_overlap(reference.canonical(path), reference.canonical(other)) for other in found):
            raise UsageError(f"{key} is given twice")
        found[path] = value_of(value, called=key, hint="quote it")
    return found


def value_of(text: str, *, called: str, hint: str) -> object:
    """Read a value as YAML.

    Args:
        text: as typed.
        called: what it is the value of, in errors.
        hint: what to do about a text that is no YAML.

    Raises:
        UsageError: it is none, or says a key twice.
    """
    try:
        document = yaml12.read(text)
    except yaml12.Unreadable as error:
        raise UsageError(f"{called}: {error.problems[0].what}", hint) from None
    if document.problems:
        raise UsageError(f"{called}: {document.problems[0].what}")
    return document.value


def _overlap(one: Path, other: Path) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]
