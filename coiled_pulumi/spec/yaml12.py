"""YAML to plain values with the line of every one, under YAML 1.2's core schema and tight limits.

PyYAML's parser gives the events; the meaning of scalars is decided here, because PyYAML's own is YAML 1.1's
(`yes` a boolean, `010` eight, `12:30` a number). Duplicate keys, tags, merge keys and anything that could
grow beyond measure are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from coiled_pulumi.errors import Problem, echo

Path = tuple[str | int, ...]

#: A workspace of 2,000 clusters that leave nothing to defaults has room; aliases are expanded, so they count each
#: time. It bounds the time: 25,000 mistakes are found and told in half a second.
MAX_NODES = 25_000
MAX_DEPTH = 30
MAX_ALIASES = 50

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
# A leading zero is left text on purpose: decimal in YAML 1.2, octal in 1.1, so readers disagree on it.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?\.(inf|Inf|INF))|\.(nan|NaN|NAN)")
#: What YAML allows nowhere; the line breaks of YAML 1.1 that 1.2 and editors do not know (they would end a comment
#: where nobody sees it); and what makes a text read differently from how it looks (Trojan Source, CVE-2021-42574).
_UNFIT = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028-\u202e\u2066-\u2069\ufeff]"
)
#: Reading a number takes time that grows with the square of its digits, so longer ones stay text. All that JSON
#: writes for a double has room.
MAX_DIGITS = 100


class Unreadable(Exception):
    """The text is not one plain YAML document; carries the problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(slots=True)
class Document:
    """A parsed document: plain values, and the line of each key and item by path."""

    value: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(text: str) -> Document:
    """Parse one document.

    Raises:
        Unreadable: it is no YAML, holds several documents or a character that may not stand in one, or goes
            beyond a limit.
    """
    if found := _UNFIT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise Unreadable(Problem("", f"must not contain the invisible character U+{ord(found[0]):04X}", line))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"is not valid YAML: {error.problem or error.context}"
        line = mark.line + 1 if mark else 0
        raise Unreadable(Problem("", what, line, _tab_hint(text, line))) from None


def _tab_hint(text: str, line: int) -> str:
    # The parser may name the line after the last one.
    at = dict(enumerate(text.split("\n", line), start=1)).get(line, "")
    return "indent with spaces, not tabs" if re.match(" *\t", at) else ""


def resolve(text: str) -> object:
    """Give the value of a plain (unquoted) scalar under the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if len(text) <= MAX_DIGITS and _INT.fullmatch(text):
        return int(text)
    if len(text) <= MAX_DIGITS and _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


class _Composer:
    """Builds values from events; one instance reads one document."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = iter(events)
        self._out = Document()
        self._anchors: dict[str, object] = {}
        self._nodes = 0
        self._aliases = 0

    def document(self) -> Document:
        self._next(yaml.StreamStartEvent)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return self._out
        self._out.value = self._node(next(self._events), (), 0)
        self._next(yaml.DocumentEndEvent)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise Unreadable(
                Problem("", "must be one document, a second one starts here", event.start_mark.line + 1)
            )
        return self._out

    def _next(self, kind: type[yaml.Event]) -> yaml.Event:
        event = next(self._events)
        assert isinstance(event, kind), event  # noqa: S101 the parser's own grammar
        return event

    def _node(self, event: yaml.Event, path: Path, depth: int) -> object:
        line = event.start_mark.line + 1
        self._count(1, line)
        if depth > MAX_DEPTH:
            raise Unreadable(Problem("", f"must not nest deeper than {MAX_DEPTH} levels", line))
        self._out.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line)
        if event.tag not in (None, "!"):
            raise Unreadable(Problem(render(path), f"must not have a YAML tag, got {echo(event.tag)}", line))
        if isinstance(event, yaml.ScalarEvent):
            value: object = resolve(event.value) if event.implicit[0] and not event.tag else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path, depth)
        else:
            value = self._mapping(path, depth)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _alias(self, event: yaml.AliasEvent, line: int) -> object:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise Unreadable(Problem("", f"must not have more than {MAX_ALIASES} aliases", line))
        if event.anchor not in self._anchors:
            raise Unreadable(Problem("", f"refers to an unknown anchor {echo(event.anchor)}", line))
        value = self._anchors[event.anchor]
        self._count(_size(value), line)
        return value

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise Unreadable(Problem("", f"must not have more than {MAX_NODES:,} values", line))

    def _sequence(self, path: Path, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, object]:
        items: dict[str, object] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, path, line)
            if key in first:
                what = f"must not have {echo(key)} twice (first in line {first[key]})"
                self._out.problems.append(Problem(render(path), what, line))
                self._node(next(self._events), (*path, key, "again"), depth + 1)
                continue
            first[key] = line
            self._out.lines[(*path, key)] = line
            items[key] = self._node(next(self._events), (*path, key), depth + 1)
        return items

    def _key(self, event: yaml.Event, path: Path, line: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise Unreadable(Problem(render(path), "must have plain text as keys", line))
        if event.tag not in (None, "!"):
            raise Unreadable(Problem(render(path), f"must not have a YAML tag, got {echo(event.tag)}", line))
        if event.value == "<<" and event.implicit[0]:
            raise Unreadable(
                Problem(render(path), "must not use the merge key '<<', YAML 1.2 has none", line)
            )
        if event.implicit[0] and not isinstance(resolve(event.value), str):
            what = f"must have text as keys, got {event.value[:20] or 'null'}"
            self._out.problems.append(Problem(render(path), what, line, "quote it"))
        return event.value


def _size(value: object) -> int:
    """Count the values in a tree, as often as they would be written out; the sum is bounded by MAX_NODES."""
    seen = 0
    todo = [value]
    while todo and seen <= MAX_NODES:
        item = todo.pop()
        seen += 1
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return seen


def lookup(value: object, path: Path) -> Any:
    """Give what plain values have at a path; None for nothing."""
    for part in path:
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def render(path: Path) -> str:
    """Write a path as `clusters.main.ports[0]`; keys that users chose are clipped and escaped."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            clean = part.encode("unicode_escape").decode("ascii")
            clean = (clean if len(clean) <= 40 else clean[:37] + "...") or "''"
            text += f".{clean}" if text else clean
    return text
