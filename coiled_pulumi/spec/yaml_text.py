"""Plain values as YAML text, the way our own files are written.

Mappings and lists of mappings go by indentation, lists of scalars stand in brackets. Text is quoted only where a
reader of YAML 1.2 or of 1.1 would take it for something else: `yes`, `010`, `12:30`, `2026-01-01`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

import yaml
from yaml.resolver import Resolver

from coiled_pulumi.spec import yaml12

#: Longer lists of scalars get one line per item.
MAX_FLOW = 80

_RESOLVER = Resolver()
_TEXT = "tag:yaml.org,2002:str"
# What readers differ on and PyYAML takes for text: booleans of YAML 1.1, numbers of the core schema of YAML 1.2.
_AMBIGUOUS = re.compile(
    r"[yYnN]|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?0[oOxXbB][0-9a-fA-F_]+"
)
# Stricter than YAML: what an editor may colour wrongly is quoted too.
_PLAIN = re.compile(
    r"(?!\.\.\.)(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[^\s\-]))(?:[^\s:#]|:(?=\S)|(?<=\S)#| (?=\S))*"
)
_FLOW_PLAIN = re.compile(r"[^,\[\]{}:?#]*")
#: May not stand in a file as it is, or would not be seen.
_ESCAPED = re.compile(
    "[^ -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def scalar(value: object, *, style: str = "", flow: bool = False) -> str:
    """Write null, a boolean, a number or text.

    Args:
        value: what to write.
        style: the quote to put text in; empty to quote it only where it has to be.
        flow: whether it stands between brackets.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    text = str(value)
    if style == '"' or _ESCAPED.search(text):
        written = json.dumps(text, ensure_ascii=False)
        return _ESCAPED.sub(lambda found: _escape(found[0]), written)
    return text if style != "'" and _is_plain(text, flow=flow) else "'" + text.replace("'", "''") + "'"


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # Without a point it is text in YAML 1.1.
    return text if "." in text else text.replace("e", ".0e")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_plain(text: str, *, flow: bool) -> bool:
    if not isinstance(yaml12.resolve(text), str) or _AMBIGUOUS.fullmatch(text):
        return False
    if _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) != _TEXT:
        return False
    return bool(_PLAIN.fullmatch(text)) and (not flow or bool(_FLOW_PLAIN.fullmatch(text)))


def inline(value: object, *, style: str = "") -> str:
    """Write any value on one line, with brackets around collections.

    Args:
        value: what to write.
        style: the quote for all text and keys in it; empty to quote them only where they have to be.
    """
    if isinstance(value, Mapping):
        pairs = (
            f"{scalar(key, style=style, flow=True)}: {inline(item, style=style)}"
            for key, item in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item, style=style) for item in value) + "]"
    return scalar(value, style=style, flow=True)


def short(value: object, *, style: str = "") -> str | None:
    """Write what stands behind its key in our files; None for what stands in lines below it.

    Args:
        value: what to write.
        style: the quote for it if it is text.
    """
    if not isinstance(value, Mapping | list | tuple):
        return scalar(value, style=style)
    if value and (
        isinstance(value, Mapping) or any(isinstance(item, Mapping | list | tuple) for item in value)
    ):
        return None
    text = inline(value)
    return text if len(text) <= MAX_FLOW else None


def lines(value: object, step: int) -> list[str]:
    """Write a collection that is not empty by indentation, one string per line, the first at the margin.

    Args:
        value: a mapping or a list.
        step: blanks per level.
    """
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in entry(key, item, step)]
    return [line for item in value for line in entry(None, item, step)]


def entry(key: str | None, value: object, step: int) -> list[str]:
    """Write a key with its value or, without a key, an item of a list; see `lines`."""
    text = short(value)
    if key is None:
        first, *rest = [text] if text is not None else lines(value, step)
        return ["- " + first, *("  " + line for line in rest)]
    head = scalar(key) + ":"
    if text is not None:
        return [f"{head} {text}"]
    return [head, *(" " * step + line for line in lines(value, step))]
