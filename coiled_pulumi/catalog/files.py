"""Where the facts are read from: the bundled files, or the user's refreshed copies of them.

A copy is `<name>.json` in `copies()`, written by `coiled-pulumi catalog update`. It takes the place of the bundled
file as a whole. One that cannot be read, has another `version` or another shape is left aside: facts of yesterday
are better than a command that does not start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

#: Shape of the files; a copy with another number is left aside.
VERSION: Final = 1
#: Every file, in the order in which people are told of them.
NAMES: Final = ("regions", "instance_types", "offerings", "quotas", "prices")

T = TypeVar("T")
P = ParamSpec("P")


class Source(NamedTuple):
    """Where the facts of one file come from.

    Attributes:
        name: one of `NAMES`.
        source: who said so, in words.
        date: the day on which they said it, as 2026-11-23.
        path: the file that is read.

    """

    name: str
    source: str
    date: str
    path: Path


def copies() -> Path:
    """Give the folder of the user's copies, which may not exist: `$XDG_DATA_HOME/coiled-pulumi/catalog`.

    https://specifications.freedesktop.org/basedir-spec/latest/ (a relative path there counts as none)
    """
    given = os.environ.get("XDG_DATA_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path(os.path.expanduser("~/.local/share"))
    return base / "coiled-pulumi" / "catalog"


@cache
def document(name: str) -> dict[str, Any]:
    """Give the document in use: the user's copy where there is a good one, else the bundled one."""
    return _copy(name) or bundled(name)


def bundled(name: str) -> dict[str, Any]:
    """Read the bundled document, whatever copies there are."""
    return json.loads(_bundled_path(name).read_text(encoding="utf-8"))


def sources() -> list[Source]:
    """Tell for every file where its facts come from, in the order of `NAMES`."""
    found = []
    for name in NAMES:
        used = document(name)
        path = copies() / f"{name}.json" if _copy(name) else _bundled_path(name)
        found.append(Source(name, used["source"], used["date"], path))
    return found


def ignored() -> list[Path]:
    """Give the copies that are there and not used, because they cannot be read or do not fit."""
    paths = [copies() / f"{name}.json" for name in NAMES]
    return [path for path in paths if os.path.lexists(path) and not _copy(path.stem)]


def write_copy(name: str, text: str) -> Path:
    """Write the user's copy of a file in one step: nobody ever reads half of it.

    Raises:
        ValueError: the text does not have the shape of such a file; nothing was written.
        OSError: the folder or the file cannot be written.

    """
    if not fits(name, json.loads(text)):
        msg = f"not a catalog of {name}"
        raise ValueError(msg)
    import tempfile  # only the writer needs it, and it is slow to import

    folder = copies()
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, folder / f"{name}.json")
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return folder / f"{name}.json"


def forget() -> None:
    """Read the files anew when they are next asked for."""
    for cached in _CACHES:
        cached.cache_clear()


def cached(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function makes of the files until `forget`."""
    kept = cache(function)
    _CACHES.append(kept)
    return kept


def _bundled_path(name: str) -> Path:
    # Not importlib.resources: importing that costs more than reading all the files.
    return Path(__file__).parent / "data" / f"{name}.json"


@cache
def _copy(name: str) -> dict[str, Any] | None:
    """Read the user's copy; None where there is none that can be used."""
    try:
        text = (copies() / f"{name}.json").read_text(encoding="utf-8")
        document = json.loads(text)
        return document if fits(name, document) else None
    except (OSError, ValueError, RecursionError):
        return None


def fits(name: str, document: Any) -> bool:
    """Tell whether a document has the shape of a file of this name, down to each row."""
    try:
        head = (document["version"], type(document["source"]), type(document["date"]))
        rows = document[name]
        return head == (VERSION, str, str) and bool(rows) and all(map(_ROWS[name], rows, rows.values()))
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _is_region(name: str, row: dict[str, Any]) -> bool:
    zones = row["zones"]
    return (
        type(row["opt_in"]) is bool
        and isinstance(zones, list)
        and bool(zones)
        and all(isinstance(zone, str) and len(zone) == len(name) + 1 and zone[:-1] == name for zone in zones)
    )


def _is_type(name: str, row: list[Any]) -> bool:
    return "." in name and [type(cell) for cell in row] == [str, int, int, int, int, str, str]


def _is_offering(_: str, row: dict[str, str]) -> bool:
    return all(letters.isalpha() and isinstance(types, str) for letters, types in row.items())


def _is_quota(_: str, row: dict[str, Any]) -> bool:
    texts = (row["service"], row["name"], row["unit"], row["url"])
    return all(isinstance(text, str) for text in texts) and isinstance(row["default"], int | float)


def _is_price(_: str, row: dict[str, Any]) -> bool:
    texts = (row["name"], row["unit"], row["url"])
    return all(isinstance(text, str) for text in texts) and isinstance(row["usd"], int | float)


_ROWS: Final[dict[str, Callable[[str, Any], bool]]] = {
    "regions": _is_region,
    "instance_types": _is_type,
    "offerings": _is_offering,
    "quotas": _is_quota,
    "prices": _is_price,
}
_CACHES: list[Any] = [document, _copy]
