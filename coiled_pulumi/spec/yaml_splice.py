"""One change of a YAML text: the few characters to take out and put in, everything else left as it is.

Every function gives splices. What they do is not taken on trust: `edit` reads the result again and compares.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from coiled_pulumi.spec import yaml12, yaml_nodes, yaml_text
from coiled_pulumi.spec.yaml_nodes import Entry, Node, Tree

_DEFAULT_STEP = 2


class _Removed:
    def __repr__(self) -> str:
        return "REMOVED"


#: Stands for the value of a key that is to go.
REMOVED: Final = _Removed()


class NoPlaceError(Exception):
    """The text has a form in which this change has no place of its own; says why."""


class Splice(NamedTuple):
    """Put `text` in the place of what stands between two offsets."""

    start: int
    end: int
    text: str


def change(text: str, path: yaml12.Path, value: object) -> str:
    """Make one change; what is missing on the way to it is made.

    Args:
        text: a document that `yaml12.read` reads without a problem.
        path: from the root; an index as long as its list appends.
        value: plain value to write, or `REMOVED`; removing what is not there changes nothing.

    Raises:
        NoPlaceError: it has no place in the text.
    """
    splices = _Change(yaml_nodes.parse(text)).splices(path, value)
    pieces, at = [], 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        pieces += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join(pieces) + text[at:]


class _Change:
    """Finds the splices for one change of one text."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._text = tree.text
        self._break = "\r\n" if re.search(r"\r?\n", self._text + "\n")[0] == "\r\n" else "\n"
        root = tree.root
        #: A document of JSON stays one.
        keys = root.entries if root and root.flow and root.kind == "mapping" else []
        self._quote = '"' if keys and all(entry.quoted for entry in keys) else ""

    def splices(self, path: yaml12.Path, value: object) -> list[Splice]:
        if not path:
            raise NoPlaceError("it is the whole document")
        chain, node, rest = self._walk(path)
        if not rest:
            self._refuse_shared(node)
            return self._remove(chain) if value is REMOVED else self._replace(*chain[-1], value)
        if value is REMOVED:
            return []
        for part in reversed(rest[1:]):
            if isinstance(part, int):
                raise NoPlaceError("there is no such item")
            value = {part: value}
        return self._add(chain, node, rest[0], value)

    def _walk(self, path: yaml12.Path) -> tuple[list[tuple[Node, Entry]], Node | None, yaml12.Path]:
        """Give the collections and entries on the way to a path, what stands there, and the part that is missing."""
        chain: list[tuple[Node, Entry]] = []
        node = self._tree.root
        for depth, part in enumerate(path):
            if node is None:
                return chain, None, path[depth:]
            if node.kind == "alias":
                raise NoPlaceError(f"it comes from the anchor &{node.text}")
            if self._tree.shared(node):
                raise NoPlaceError("other places take it over by an alias")
            if node.null:
                return chain, node, path[depth:]
            wanted = "a list" if isinstance(part, int) else "a mapping"
            if not wanted.endswith(node.kind):
                raise NoPlaceError(f"{yaml12.render(path[:depth]) or 'the document'} is not {wanted}")
            entry = node.entry(part)
            if entry is None:
                if isinstance(part, int) and part != len(node.entries):
                    raise NoPlaceError("there is no such item")
                return chain, node, path[depth:]
            chain.append((node, entry))
            node = entry.value
        return chain, node, ()

    def _refuse_shared(self, node: Node) -> None:
        if self._tree.feeds_others(node):
            raise NoPlaceError("other places take it over by an alias")

    # What is there gets another value.

    def _replace(self, parent: Node, entry: Entry, value: object) -> list[Splice]:
        node = entry.value
        if parent.flow:
            style = self._quote or (node.style if isinstance(value, str) else "")
            return self._put(entry, yaml_text.inline(value, style=style))
        style = node.style if node.style in ("'", '"') else ""
        short = yaml_text.short(value, style=style)
        if short is None:
            return self._put_lines(parent, entry, yaml_text.lines(value, self._step()))
        return self._fold(entry, short) if node.block else self._put(entry, short)

    def _put(self, entry: Entry, text: str) -> list[Splice]:
        """Write a short value over one that is no block collection."""
        node = entry.value
        if node.start == node.end:
            return [Splice(entry.mark, entry.mark, " " + text)]
        return [Splice(node.start, node.end, text + self._comment_within(node))]

    def _fold(self, entry: Entry, text: str) -> list[Splice]:
        """Write a short value over a block collection."""
        node = entry.value
        if not self._breaks(entry.mark, node.inner):
            return [Splice(node.start, self._last(node), text)]
        behind = entry.mark
        if node.start < node.inner and not self._breaks(entry.mark, node.start):
            # An anchor that nobody uses goes with what it stood for.
            behind += len(re.match(r"(?:[ \t]*[&!]\S*)*", self._text[entry.mark : node.inner])[0])
        line_end, column = self._line_end(behind), self._column(entry.start) + 1
        return [
            Splice(entry.mark, behind, " " + text),
            Splice(line_end, self._with_comments(self._line_end(node.end), column, gaps=True), ""),
        ]

    def _put_lines(self, parent: Node, entry: Entry, lines: list[str]) -> list[Splice]:
        """Write a block collection over anything."""
        node = entry.value
        if node.block:
            column = self._column(node.inner)
            if parent.kind == "mapping" and column <= self._column(entry.start):
                # A list in its key's own column; a mapping cannot stand there.
                more = " " * self._step()
                return [Splice(node.inner, self._last(node), more + self._join(lines, column + len(more)))]
            return [Splice(node.inner, self._last(node), self._join(lines, column))]
        empty = node.start == node.end
        note = self._comment_within(node)
        line_end = self._line_end(node.end)
        apart = not empty and self._breaks(entry.mark, node.start)
        if parent.kind == "list":
            column = self._column(entry.start) + 2 if empty else self._column(node.start)
            first = (
                Splice(entry.mark, entry.mark, " " + lines[0])
                if empty
                else Splice(node.start, node.end, lines[0])
            )
            first = first._replace(text=first.text + note)
            more = self._break + " " * column + self._join(lines[1:], column) if lines[1:] else ""
            return [first, Splice(line_end, line_end, more)]
        column = self._column(entry.start) + self._step()
        joined = " " * column + self._join(lines, column)
        if not apart:
            return [Splice(entry.mark, node.end, note), Splice(line_end, line_end, self._break + joined)]
        if not note and not self._text[node.end : line_end].strip():
            return [Splice(self._line_start(node.start), line_end, joined)]
        return [Splice(node.start, node.end, note.strip()), Splice(line_end, line_end, self._break + joined)]

    def _comment_within(self, node: Node) -> str:
        """Give the comment behind the indicator of a block scalar, with the blanks before it."""
        header = self._text[node.inner : self._line_end(node.inner)] if node.style in ("|", ">") else ""
        found = re.search(r"[ \t]+#.*", header)
        return found[0] if found else ""

    # Something new.

    def _add(
        self, chain: list[tuple[Node, Entry]], node: Node | None, part: str | int, value: object
    ) -> list[Splice]:
        new = [value] if isinstance(part, int) else {part: value}
        if node is not None and not node.null and node.entries:
            return self._append(node, None if isinstance(part, int) else part, value)
        if isinstance(part, int) and (node is None or node.null):
            raise NoPlaceError("there is no such item")
        if chain:
            return self._replace(*chain[-1], new)
        lines = yaml_text.lines(new, self._step())
        if node is None:
            whole = len(self._text)
            lead = self._break if self._text and not self._text.endswith(("\n", "\r")) else ""
            tail = self._break if not lead else ""
            return [Splice(whole, whole, lead + self._join(lines, 0) + tail)]
        if node.start == node.end:
            at = self._line_end(node.start)
            if node.start == self._line_start(node.start):
                at = node.start
                return [Splice(at, at, self._join(lines, 0) + self._break)]
            return [Splice(at, at, self._break + self._join(lines, 0))]
        return [Splice(node.start, node.end, self._join(lines, 0))]

    def _append(self, node: Node, key: str | None, value: object) -> list[Splice]:
        first, last = node.entries[0], node.entries[-1]
        if node.flow:
            text = yaml_text.inline(value, style=self._quote)
            text = text if key is None else f"{yaml_text.scalar(key, style=self._quote, flow=True)}: {text}"
            return self._append_flow(node, text)
        column = self._column(first.start)
        lines = self._join(yaml_text.entry(key, value, self._step()), column)
        if node.tail > last.start and self._text[node.tail - 1] in "\r\n":
            return [Splice(node.tail, node.tail, " " * column + lines + self._break)]
        # A list may stand in the same column as the key that it belongs to: a comment there is the next key's.
        at = self._with_comments(self._line_end(node.tail), column + (key is None))
        return [Splice(at, at, self._break + " " * column + lines)]

    def _append_flow(self, node: Node, text: str) -> list[Splice]:
        first, last = node.entries[0], node.entries[-1]
        behind = last.value.end if last.comma is None else last.comma + 1
        if not self._breaks(node.inner, first.start) or not self._breaks(behind, node.end):
            return [Splice(behind, behind, f" {text}" if last.comma is not None else f", {text}")]
        line_end = self._line_end(behind)
        line = self._break + " " * self._column(first.start) + text
        if last.comma is not None:
            return [Splice(line_end, line_end, line + ",")]
        return [Splice(behind, behind, ","), Splice(line_end, line_end, line)]

    # Something goes.

    def _remove(self, chain: list[tuple[Node, Entry]]) -> list[Splice]:
        parent, entry = chain[-1]
        if len(parent.entries) == 1:
            return self._empty(chain[:-1], parent)
        at = parent.entries.index(entry)
        following = parent.entries[at + 1] if at + 1 < len(parent.entries) else None
        if parent.flow:
            return self._remove_flow(parent.entries[at - 1], entry, following)
        line_start, line_end = self._line_start(entry.start), self._line_end(entry.value.end)
        if entry.value.tail > line_end:
            line_end = self._line_end(entry.value.tail - 1)
        if entry.value.block:
            line_end = self._with_comments(line_end, self._column(entry.start) + 1, gaps=True)
        lead = self._text[line_start : entry.start]
        if not lead.strip():
            behind = self._behind_break(line_end)
            before = self._block_scalar_at_end(parent.entries[at - 1].value) if at else None
            if before and before.tail > before.end:
                # Blank lines would become part of a text that keeps them.
                behind += len(re.match(r"(?:[ \t]*\r?\n)*", self._text[behind:])[0])
            if behind == line_end and not before:
                # The last line, and it has no end: the one before it becomes such a line. A block scalar needs its own.
                line_start = len(re.sub(r"\r?\n\Z", "", self._text[:line_start]))
            return [Splice(line_start, behind, "")]
        if following and "#" not in self._text[line_end : following.start]:
            return [Splice(entry.start, following.start, "")]
        return [Splice(line_start + len(lead.rstrip()), line_end, "")]

    def _block_scalar_at_end(self, node: Node) -> Node | None:
        while node.block:
            node = node.entries[-1].value
        return node if node.style in ("|", ">") else None

    def _empty(self, chain: list[tuple[Node, Entry]], node: Node) -> list[Splice]:
        """Take the only entry out of a collection."""
        brackets = "{}" if node.kind == "mapping" else "[]"
        if node.flow:
            return [Splice(node.inner, node.end, brackets)]
        if chain:
            return self._fold(chain[-1][1], brackets)
        return [Splice(node.inner, self._last(node), brackets)]

    def _remove_flow(self, before: Entry, entry: Entry, following: Entry | None) -> list[Splice]:
        start, end = entry.start, entry.value.end if entry.comma is None else entry.comma + 1
        line_start, line_end = self._line_start(start), self._line_end(end)
        behind = re.match(r"[ \t]*(#?)", self._text[end:line_end])
        ends_line = end + behind.end() == line_end or bool(behind[1])
        if ends_line and not self._text[line_start:start].strip() and line_end < len(self._text):
            gone = Splice(line_start, self._behind_break(line_end), "")
        elif following and not ends_line:
            gone = Splice(start, end + behind.end(), "")
        else:
            gone = Splice(len(self._text[:start].rstrip(" \t")), end, "")
        if following or entry.comma is not None:
            return [gone]
        # The one before it becomes the last, which has no comma here.
        return [
            Splice(before.comma, before.comma + 1, ""),
            gone._replace(start=max(gone.start, before.comma + 1)),
        ]

    # Lines and columns.

    def _breaks(self, start: int, end: int) -> bool:
        return "\n" in self._text[start:end]

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """Give the end of a line, before what ends it."""
        end = self._text.find("\n", at)
        end = len(self._text) if end < 0 else end
        return end - 1 if end > at and self._text[end - 1 : end + 1] == "\r\n" else end

    def _behind_break(self, at: int) -> int:
        return at + len(re.compile(r"(\r?\n)?").match(self._text, at)[0])

    def _column(self, at: int) -> int:
        return at - self._line_start(at)

    def _join(self, lines: list[str], column: int) -> str:
        return (self._break + " " * column).join(lines)

    def _last(self, node: Node) -> int:
        """Give the end of a block collection, with the comment behind it unless all of it is on one line."""
        return self._line_end(node.end) if self._breaks(node.inner, node.end) else node.end

    def _with_comments(self, line_end: int, column: int, *, gaps: bool = False) -> int:
        """Go on over the lines of comment that follow and are indented as far as a column.

        Args:
            line_end: where to start.
            column: the least indentation.
            gaps: whether blank lines may stand before them.
        """
        pattern = re.compile(r"(?:\r?\n[ \t]*)" + ("+" if gaps else "") + "#")
        while (found := pattern.match(self._text, line_end)) and self._column(found.end() - 1) >= column:
            line_end = self._line_end(found.end())
        return line_end

    def _step(self) -> int:
        """Give how far this document indents."""
        todo = [self._tree.root] if self._tree.root else []
        while todo:
            node = todo.pop()
            for entry in node.entries if node.block else []:
                child = entry.value
                if node.kind == "mapping" and child.block and child.kind == "mapping":
                    return max(1, self._column(child.inner) - self._column(entry.start))
                todo.append(child)
        return _DEFAULT_STEP
