"""The lines of a workspace file as everybody may see them: without the values of variables."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from coiled_pulumi.spec.software import SET, is_secret
from coiled_pulumi.spec.yaml12 import Path


def masked(lines: list[str]) -> dict[str, str]:
    """Give those lines of a YAML text that have such a value or a part of one, and what to show for each.

    Args:
        lines: the text, each with its end.
    """
    try:
        root = yaml.compose("".join(lines), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return {}
    spans = [] if root is None else sorted(set(_spans(root, (), frozenset())))
    shown = list(lines)
    # From the end, so that what is before keeps its columns.
    for (first, left), (last, right) in reversed(spans):
        end = right if last == first else len(lines[first].rstrip("\n"))
        shown[first] = shown[first][:left] + SET + shown[first][end:]
        for index in range(first + 1, min(last + 1, len(lines))):
            part = lines[index][:right] if index == last else lines[index]
            if part.strip():
                rest = shown[index][right:] if index == last else "\n"
                shown[index] = part[: len(part) - len(part.lstrip())] + SET + rest
    return {line: show for line, show in zip(lines, shown, strict=True) if line != show}


Mark = tuple[int, int]


def _spans(node: yaml.Node, path: Path, above: frozenset[int]) -> Iterator[tuple[Mark, Mark]]:
    """Give where the values stand, from and to, as line and column."""
    if is_secret(path):
        start, end = node.start_mark, node.end_mark
        yield (start.line, start.column), (end.line, end.column)
    elif isinstance(node, yaml.MappingNode) and id(node) not in above:
        for key, value in node.value:
            yield from _spans(value, (*path, str(key.value)), above | {id(node)})
    elif isinstance(node, yaml.SequenceNode) and id(node) not in above:
        for index, value in enumerate(node.value):
            yield from _spans(value, (*path, index), above | {id(node)})
