"""Edits of a YAML file that leave every comment, quote, blank line and order of keys as the user wrote them.

The text is changed by splices, never written anew. What comes out is read again and has to mean exactly what was
read before with the change applied: a change that has no place in the text is refused, with what to write by hand.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from coiled_pulumi.errors import MAX_ECHO, Problem, SpecErrors, UsageError
from coiled_pulumi.spec import load, messages, secret_lines, yaml12, yaml_splice, yaml_text
from coiled_pulumi.spec.software import masked
from coiled_pulumi.spec.yaml_splice import REMOVED

__all__ = ["REMOVED", "diff", "read", "remove", "set_values", "write"]

_BOM = "\ufeff"


def set_values(text: str, changes: Mapping[yaml12.Path, object], *, source: str) -> str:
    """Change values in a YAML text; lines that no change is about stay as they are, byte for byte.

    A value that is there already changes nothing. Missing mappings on the way to a value are made; a new key goes to
    the end of its mapping. Of a mapping or list that gets another value, what both have in common is left alone.
    Comments go only with what they are part of: those within a collection that is removed or replaced, and the one
    behind a value that is removed.

    Args:
        text: a whole document, with whatever byte order mark and line ends it has.
        changes: plain values (null, booleans, numbers, text, mappings by text, lists) or `REMOVED`, by path from the
            root, made in this order. An index as long as its list appends. What is removed need not be there.
        source: what to call the text in errors.

    Raises:
        SpecErrors: the text is not one plain YAML document.
        UsageError: a change cannot be made in place: what it is about is shared by an anchor, is of another kind than
            the path says, or has a form that leaves it no room. Nothing was changed then.
    """
    mark, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    try:
        document = yaml12.read(text)
    except yaml12.Unreadable as error:
        raise SpecErrors(source, error.problems) from None
    if document.problems:
        raise SpecErrors(source, tuple(document.problems))
    value = document.value
    for path, new in changes.items():
        new = new if new is REMOVED else _plain(new)
        try:
            wanted = _applied(value, path, new)
            if not _same(wanted, value):
                text = _edited(text, value, path, new, wanted)
        except yaml_splice.NoPlaceError as why:
            raise _refusal(document.lines, path, new, str(why), source) from None
        value = wanted
    return mark + text


def remove(text: str, paths: Iterable[yaml12.Path], *, source: str) -> str:
    """Take keys or items out of a YAML text, those that are there; see `set_values`."""
    return set_values(text, dict.fromkeys(paths, REMOVED), source=source)


def diff(before: str, after: str, source: str) -> str:
    """Show what an edit changes as a unified diff, empty if nothing; lines end in a line feed whatever the file has.

    Values of variables are nobody's business: in their place stands that they are set.
    """
    old, new = _lines(before), _lines(after)
    shown = secret_lines.masked(old) | secret_lines.masked(new)
    lines = list(difflib.unified_diff(old, new, source, source))
    # The first two are the names of the file.
    lines[2:] = [line[0] + shown.get(line[1:], line[1:]) for line in lines[2:]]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(text: str) -> list[str]:
    text = text.removeprefix(_BOM).replace("\r\n", "\n")
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.split("\n")[-1]) else []
    )


# What the result has to mean.


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _same(one: object, other: object) -> bool:
    """Compare plain values: 1, 1.0 and true differ, the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _applied(value: object, path: yaml12.Path, new: object) -> object:
    """Give a plain value with one change made; what it was is left alone."""
    if not path:
        if new is REMOVED:
            raise yaml_splice.NoPlaceError("it is the whole document")
        return new
    part, rest = path[0], path[1:]
    if value is None and isinstance(part, str):
        value = {}
    if new is REMOVED and part not in _keys(value):
        return value
    if isinstance(value, dict) and isinstance(part, str):
        if new is REMOVED and not rest:
            return {key: item for key, item in value.items() if key != part}
        return value | {part: _applied(value.get(part), rest, new)}
    if isinstance(value, list) and isinstance(part, int) and 0 <= part <= len(value):
        if new is REMOVED and not rest:
            return value[:part] + value[part + 1 :]
        inner = value[part] if part < len(value) else None
        return [*value[:part], _applied(inner, rest, new), *value[part + 1 :]]
    kind = "an item" if isinstance(part, int) else "a key"
    raise yaml_splice.NoPlaceError(f"there is no place for {kind} {yaml12.render((part,))}")


def _keys(value: object) -> Iterable[str | int]:
    if isinstance(value, list):
        return range(len(value))
    return value.keys() if isinstance(value, dict) else ()


# How it is made.


def _edited(text: str, value: object, path: yaml12.Path, new: object, wanted: object) -> str:
    """Make one change by its smallest steps, or else as a whole."""
    reason = yaml_splice.NoPlaceError("")
    for steps in (list(_steps(path, _at(value, path), new)), [(path, new)]):
        after = text
        try:
            for step, item in steps:
                after = yaml_splice.change(after, step, item)
            document = yaml12.read(after)
        except yaml_splice.NoPlaceError as error:
            reason = error
            continue
        except yaml12.Unreadable:
            continue
        if not document.problems and _same(document.value, wanted):
            return after
    raise yaml_splice.NoPlaceError(str(reason) or "the way it is written leaves no room for it")


def _at(value: object, path: yaml12.Path) -> object:
    for part in path:
        if part not in _keys(value):
            return REMOVED
        value = value[part]  # type: ignore[index]
    return value


def _steps(path: yaml12.Path, old: object, new: object) -> Iterator[tuple[yaml12.Path, object]]:
    """Split the change of a collection into changes of what differs; removals last, from the end."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() & new.keys():
        for key, item in new.items():
            yield from _steps((*path, key), old.get(key, REMOVED), item)
        yield from (((*path, key), REMOVED) for key in old if key not in new)
    elif (
        isinstance(old, list)
        and isinstance(new, list)
        and old
        and new
        and (kept := _kept(old, new)) is not None
    ):
        for index, item in enumerate(new):
            at = kept[index] if index < len(kept) else index
            yield from _steps((*path, at), old[at] if at < len(old) else REMOVED, item)
        if len(new) < len(old):
            yield from (((*path, index), REMOVED) for index in reversed(range(len(old))) if index not in kept)
    elif old is REMOVED or new is REMOVED or not _same(old, new):
        yield path, new


def _kept(old: list[object], new: list[object]) -> list[int] | None:
    """Tell where the items of a new list stand in the old one; None if there is no telling without a rewrite."""
    if len(old) == len(new):
        return list(range(len(old)))
    if len(old) < len(new):
        return list(range(len(old))) if _same(old, new[: len(old)]) else None
    found: list[int] = []
    for index, item in enumerate(old):
        if len(found) < len(new) and _same(item, new[len(found)]):
            found.append(index)
    return found if len(found) == len(new) else None


def _refusal(
    lines: Mapping[yaml12.Path, int], path: yaml12.Path, new: object, why: str, source: str
) -> UsageError:
    line = messages.line_of(lines, path)
    problem = Problem(yaml12.render(path), f"cannot be edited in place: {why}", line)
    if new is REMOVED:
        return UsageError(problem.render(source), "take it out by hand")
    key = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
    by_hand = (key + yaml_text.inline(masked(path, new))).encode("unicode_escape").decode("ascii")
    by_hand = by_hand if len(by_hand) <= MAX_ECHO else by_hand[: MAX_ECHO - 3] + "..."
    return UsageError(problem.render(source), f"write it by hand: {by_hand}")


# Files.


def read(path: str | os.PathLike[str]) -> str:
    """Read a file for an edit: with its byte order mark and its line ends.

    Raises:
        UsageError: it cannot be read.
        SpecErrors: it is too large or not UTF-8.
    """
    source = os.fspath(path)
    data = _bytes(source)
    if len(data) > load.MAX_BYTES:
        raise SpecErrors(source, (Problem("", f"must be at most {load.MAX_BYTES:,} bytes"),))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecErrors(source, (Problem("", f"must be UTF-8, byte {error.start} is not", line),)) from None


def write(path: str | os.PathLike[str], text: str, *, before: str) -> None:
    """Put an edited text in the place of a file, whole or not at all, with the file's mode.

    A symbolic link stays one: the file that it leads to is replaced.

    Args:
        path: the file.
        text: what it shall hold.
        before: what `read` gave.

    Raises:
        UsageError: the file is no longer what was read, or cannot be written; it is as it was then.
    """
    source = os.fspath(path)
    real = Path(os.path.realpath(source))
    new = None
    try:
        with tempfile.NamedTemporaryFile(dir=real.parent, prefix=f".{real.name}.", delete=False) as stream:
            new = Path(stream.name)
            stream.write(text.encode())
            stream.flush()
            status = real.stat()
            _take_over(stream.fileno(), status)
            os.fsync(stream.fileno())
        # As late as can be; between this and the next line a change by others would be lost.
        if _bytes(source) != before.encode():
            msg = f"{source}: was changed by someone else since it was read"
            raise UsageError(msg, "run the command again")
        new.replace(real)
        new = None
    except OSError as error:
        msg = f"{source}: cannot be written: {(error.strerror or str(error)).lower()}"
        raise UsageError(msg) from None
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def _take_over(descriptor: int, status: os.stat_result) -> None:
    """Give a new file the owner and the mode of the one that it replaces; only root can give files away."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _bytes(source: str) -> bytes:
    """Read a regular file, one byte more than may be in it at most."""
    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            msg = f"{source}: is not a regular file"
            raise UsageError(msg)
        with Path(source).open("rb") as stream:
            return stream.read(load.MAX_BYTES + 1)
    except OSError as error:
        msg = f"{source}: {(error.strerror or 'cannot be read').lower()}"
        raise UsageError(msg) from None
