"""Where everything of a YAML document stands in its text: what `yaml12` reads as values, here as places.

Only for text that `yaml12.read` took without a problem: limits and what is refused are its business.
All places are offsets into the text, in characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import yaml

from coiled_pulumi.spec import yaml12

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Anchor and tag in front of a value.
_PROPERTIES = re.compile(r"(?:(?:&[^\s,\[\]{}]+|!)\s*)*")


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list.

    Attributes:
        start: its first character: of the key, of the dash, or of a flow list's item.
        key: the key's text, None for an item.
        mark: behind the `:` or the dash; the start of a flow list's item.
        value: its value.
        quoted: whether the key stands in double quotes.
        comma: where the comma behind it stands, in a flow collection that has one there.
    """

    start: int
    key: str | None
    mark: int
    value: Node
    quoted: bool = False
    comma: int | None = None


@dataclass(slots=True)
class Node:
    """A value in the text.

    Attributes:
        kind: an empty value is a scalar without text.
        start: its first character, anchor included; where one would stand if there is none.
        inner: the same without the anchor.
        end: behind its last character; a block scalar's blank lines at the end do not count.
        tail: where something may follow it without becoming part of it.
        flow: whether it stands between brackets.
        style: a scalar's quote or block indicator, empty if it is plain.
        text: a scalar's content.
        entries: what a collection holds.
    """

    kind: Literal["scalar", "alias", "mapping", "list"]
    start: int
    inner: int
    end: int
    tail: int
    flow: bool = False
    style: str = ""
    text: str = ""
    entries: list[Entry] = field(default_factory=list)

    @property
    def block(self) -> bool:
        """Whether it is a collection that goes by indentation."""
        return self.kind in ("mapping", "list") and not self.flow

    @property
    def null(self) -> bool:
        """Whether it is nothing, written or not."""
        return self.kind == "scalar" and not self.style and yaml12.resolve(self.text) is None

    def entry(self, part: str | int) -> Entry | None:
        """Give the entry of a key or index, None where there is none."""
        if self.kind == "list" and isinstance(part, int):
            return self.entries[part] if 0 <= part < len(self.entries) else None
        return next((entry for entry in self.entries if entry.key == part), None)


@dataclass(slots=True)
class Tree:
    """A document's text, its root (None where the text holds nothing), and who refers to whom.

    Attributes:
        aliases: place of each alias, and the node that it stands for.
    """

    text: str
    root: Node | None = None
    aliases: list[tuple[int, Node]] = field(default_factory=list)

    def shared(self, node: Node) -> bool:
        """Whether an alias stands for this very node."""
        return any(target is node for _, target in self.aliases)

    def feeds_others(self, node: Node) -> bool:
        """Whether an alias outside of a node stands for it or for something in it."""
        return any(
            node.start <= target.start <= node.end and not node.start <= at <= node.end
            for at, target in self.aliases
        )


def parse(text: str) -> Tree:
    """Find the places of a document that `yaml12.read` reads without a problem."""
    return _Builder(text).tree()


class _Builder:
    """Builds nodes from events, and finds dashes, colons and commas by the tokens; for one document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tree = Tree(text)
        self._anchors: dict[str, Node] = {}
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_LOADER))
        places: dict[type, list[int]] = {
            yaml.BlockEntryToken: [],
            yaml.ValueToken: [],
            yaml.FlowEntryToken: [],
        }
        for token in yaml.scan(text, Loader=_LOADER):
            if type(token) in places:
                places[type(token)].append(token.start_mark.index)
        self._dashes, self._colons, self._commas = places.values()

    def tree(self) -> Tree:
        next(self._events)
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            self._tree.root = self._node(next(self._events), None)
        return self._tree

    def _node(self, event: yaml.Event, mark: int | None) -> Node:
        """Build a node.

        Args:
            event: its first event.
            mark: where it would stand if it is empty.
        """
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            self._tree.aliases.append((start, self._anchors[event.anchor]))
            return Node("alias", start, start, end, end, text=event.anchor)
        inner = _PROPERTIES.match(self._text, start).end() if event.anchor or event.tag else start
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, start, inner, end, mark)
        else:
            kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            node = Node(kind, start, inner, end, end, flow=bool(event.flow_style))
            self._fill(node)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: yaml.ScalarEvent, start: int, inner: int, end: int, mark: int | None) -> Node:
        style = event.style or ""
        if start == end and mark is not None:
            start = inner = end = tail = mark
        elif style in ("|", ">"):
            keeps = "+" in self._text[inner:end].split("\n", 1)[0].split("#", 1)[0]
            trimmed = start + len(self._text[start:end].rstrip())
            end, tail = trimmed, end if keeps else trimmed
        else:
            inner, tail = min(inner, end), end
        return Node("scalar", start, inner, end, tail, style=style, text=event.value)

    def _fill(self, node: Node) -> None:
        while not isinstance(event := next(self._events), yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node.entries.append(self._item(node, event) if node.kind == "list" else self._pair(event))
        if node.flow:
            node.end = node.tail = event.end_mark.index
            limits = [entry.start for entry in node.entries[1:]] + [node.end]
            for entry, limit in zip(node.entries, limits, strict=False):
                at = bisect_left(self._commas, entry.value.end)
                if at < len(self._commas) and self._commas[at] < limit:
                    entry.comma = self._commas[at]
        else:
            last = node.entries[-1].value
            node.inner, node.end, node.tail = node.entries[0].start, last.end, last.tail

    def _item(self, node: Node, event: yaml.Event) -> Entry:
        start = event.start_mark.index
        if node.flow:
            return Entry(start, None, start, self._node(event, None))
        # The last dash in front of it; where the item is a list by dashes itself, `start` is that list's own dash.
        dash = self._dashes[bisect_left(self._dashes, start) - 1]
        return Entry(dash, None, dash + 1, self._node(event, dash + 1))

    def _pair(self, event: yaml.Event) -> Entry:
        key, key_end = event, event.end_mark.index
        event = next(self._events)
        at = bisect_right(self._colons, event.start_mark.index) - 1
        mark = self._colons[at] + 1 if at >= 0 and self._colons[at] >= key_end else key_end
        return Entry(key.start_mark.index, key.value, mark, self._node(event, mark), key.style == '"')
