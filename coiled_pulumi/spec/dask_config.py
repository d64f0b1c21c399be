"""The level below the workspace file: backend options in dask's configuration.

Read are `coiled-pulumi.backend-options` (in any file of dask's, as `~/.config/dask/coiled-pulumi.yaml`, or in the
environment as `DASK_COILED_PULUMI__BACKEND_OPTIONS__REGION`) and, under it, an existing `coiled.backend-options`, of
which keys that are Coiled's alone are passed over.
"""

from __future__ import annotations

import json
import os
import re
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from coiled_pulumi.errors import Problem, SpecErrors, echo
from coiled_pulumi.spec import aliases, messages, yaml12
from coiled_pulumi.spec.options import Options

#: Namespaces in dask's configuration, the stronger first.
OURS, COILEDS = "coiled-pulumi", "coiled"
KEY = "backend-options"
#: Beside it, for who starts clusters from Python: which workspace, and where Pulumi keeps its state.
OTHERS = ("workspace", "backend")
#: More than any file of dask's configuration.
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Config:
    """What dask's configuration says.

    Attributes:
        options: the backend options.
        origins: by key of `options`, where it stands: a file with its line, or a variable.
    """

    options: Options = field(default_factory=Options)
    origins: Mapping[str, str] = field(default_factory=dict)


NOTHING = Config()


def read(environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration of whoever runs this.

    Raises:
        SpecErrors: what ours says is wrong; the lines name the file.
    """
    if "dask.config" not in sys.modules and not _mentioned(environ):
        return NOTHING  # the usual case, for which importing dask would cost a fifth of a second
    try:
        import dask.config
    except ValueError as error:  # a file that is no YAML, of which dask reads all at once
        raise _unreadable(error) from None

    reading = _Reading(environ)
    reading.around(dask.config.get(OURS, None))
    for space in (COILEDS, OURS):
        said = dask.config.get(space, None)
        # Anything else than a mapping has no such key.
        reading.section(space, dask.config.get(f"{space}.{KEY}", None) if isinstance(said, Mapping) else None)
    return reading.config()


class _Reading:
    """Both sections brought together, and where each key of them stands."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._value: dict[str, object] = {}
        self._normal = aliases.Normal(self._value)
        #: By key as it was written, the namespace that it is from.
        self._spaces: dict[str, str] = {}
        self._problems: list[Problem] = []

    def around(self, said: object) -> None:
        """Take what is ours as a whole: options that stand beside their section would not be heard."""
        if said is not None and not isinstance(said, Mapping):
            self._beside("", f"must be a mapping with the key {KEY}, got {echo(said)}")
        for key in _section(said):
            if key not in (KEY.replace("-", "_"), *OTHERS):
                known = key in Options.model_fields or key in aliases.ALIASES
                self._beside(key, f"stands outside of {KEY}" if known else "is not a known key")

    def _beside(self, key: str, what: str) -> None:
        source, line = _origin((OURS, key) if key else (OURS,), self._environ, at_least=1)
        path = f"{OURS}.{key}" if key else OURS
        hint = f"options stand under {OURS}.{KEY}"
        self._problems.append(Problem(path, what, line, hint, source))

    def section(self, space: str, said: object) -> None:
        """Take a section; what the one before said counts where this one says nothing."""
        if space == OURS and said is not None and not isinstance(said, Mapping):
            self._add(OURS, Problem("", f"must be a mapping, got {echo(said)}"))
        found = _section(said)
        if space == COILEDS:
            found = {key: part for key, part in found.items() if _is_ours(key)}
        normal = aliases.Normal(None)
        if "region" in map(_ours, found) and "zone" not in map(_ours, found):
            self._forget_zone()
        for key, part in aliases.options(found, (), normal).items():
            for path in [path for path in self._normal.written if path[0] == key]:
                del self._normal.written[path]
            if key == "disk" and isinstance(part, dict):
                part = {**_section(self._value.get(key)), **part}
            self._value[key] = part
            self._spaces[str(normal.back((key,))[0])] = space
        self._normal.written |= normal.written
        for problem in normal.problems:
            self._add(space, problem)

    def _forget_zone(self) -> None:
        """Drop a zone that was said with the region that no longer counts."""
        if self._value.pop("zone", None) is not None:
            for path in [path for path in self._normal.written if path[0] == "zone"]:
                del self._normal.written[path]

    def config(self) -> Config:
        """Check what was said.

        Raises:
            SpecErrors: it is wrong.
        """
        options = Options()
        try:
            options = Options.model_validate_json(json.dumps(self._value, default=str))
        except ValidationError as error:
            for problem in messages.problems(error, Options, self._normal, {}, ()):
                key = next(iter(_parts(problem.path)), "")
                self._add(self._spaces.get(key, OURS), problem)
        if self._problems:
            raise SpecErrors("dask.config", tuple(self._problems))
        if not self._value:
            return NOTHING
        written = {key: str(self._normal.back((key,))[0]) for key in self._value}
        return Config(
            options,
            {key: _place(*self._origin(self._spaces[name], (name,))) for key, name in written.items()},
        )

    def _add(self, space: str, problem: Problem) -> None:
        source, line = self._origin(space, _parts(problem.path))
        path = ".".join(part for part in (space, KEY, problem.path) if part)
        self._problems.append(replace(problem, path=path, line=line, source=source))

    def _origin(self, space: str, path: tuple[str, ...]) -> tuple[str, int]:
        return _origin((space, KEY, *path), self._environ)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^.\[\]]+", path))


def _place(source: str, line: int) -> str:
    return f"{source}:{line}" if line else source


def _section(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {}
    # Dask's own files are full of keys without a value, which say nothing.
    return {str(key).replace("-", "_"): part for key, part in value.items() if part is not None}


def _ours(key: str) -> str:
    return aliases.ALIASES.get(key, key)


def _is_ours(key: str) -> bool:
    return _ours(key) in Options.model_fields


def _unreadable(error: ValueError) -> SpecErrors:
    """Say which file of dask's is no YAML, in dask's own words of which the first line has the file."""
    first, *rest = (line.strip() for line in str(error).splitlines() if line.strip())
    found = re.search(r"'(.+)' is malformed", first)
    where = [int(number) for line in rest for number in re.findall(r"^in .*, line (\d+), column", line)]
    why = next((line for line in reversed(rest) if not line.startswith("in ") and len(line) > 1), first)
    source = found[1] if found else "dask.config"
    return SpecErrors(
        source,
        (Problem("", f"is no YAML, so dask reads none of its files: {why}", where[0] if where else 0),),
    )


def folders(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Give where dask looks for its files, the weakest first, without importing it.

    The same as `dask.config.paths` (dask/config.py, `_get_paths`); a test compares them.
    """
    found = [environ.get("DASK_ROOT_CONFIG", "/etc/dask"), os.path.join(sys.prefix, "etc", "dask")]
    found += [os.path.join(prefix, "etc", "dask") for prefix in site.PREFIXES]
    found.append(os.path.join(os.path.expanduser("~"), ".config", "dask"))
    if "DASK_CONFIG" in environ:
        found.append(environ["DASK_CONFIG"])
    seen = [Path(path) for path in found]
    return [path for index, path in enumerate(seen) if path not in seen[index + 1 :]]


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    for place in folders(environ):
        if place.is_dir():
            yield from sorted(f for f in place.iterdir() if f.suffix in (".yaml", ".yml", ".json"))
        elif place.is_file():
            yield place


def _mentioned(environ: Mapping[str, str]) -> bool:
    if any(name.startswith(("DASK_COILED", "DASK_INTERNAL_INHERIT_CONFIG")) for name in environ):
        return True
    return any("coiled" in _text(file) for file in _files(environ))


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_MAX_BYTES)
    except OSError:
        return ""


def _origin(path: tuple[str, ...], environ: Mapping[str, str], *, at_least: int = 3) -> tuple[str, int]:
    """Find who said it: the environment is stronger than files, a later file than an earlier one; the line or 0."""
    key = path[:at_least]
    for length in range(len(path), 1, -1):
        wanted = _variable(path[:length])
        for name in environ:
            if _variable((name.removeprefix("DASK_"),)) == wanted:
                return name, 0
    for name in environ:
        if _variable((name.removeprefix("DASK_"),)).startswith(f"{_variable(key)}__"):
            return name, 0
    for file in reversed(list(_files(environ))):
        if line := _line(_text(file), path, at_least=len(key)):
            return str(file), line
    return "dask.config", 0


def _variable(path: tuple[str, ...]) -> str:
    return "__".join(path).upper().replace("-", "_")


def _line(text: str, path: tuple[str, ...], *, at_least: int) -> int:
    """Give the line of the longest beginning of a path that the text has, of so many parts at least, or 0."""
    try:
        lines = yaml12.read(text).lines
    except yaml12.Unreadable:
        return 0
    there = {_variable(tuple(map(str, at))): line for at, line in lines.items()}
    for length in range(len(path), at_least - 1, -1):
        if line := there.get(_variable(path[:length])):
            return line
    return 0
