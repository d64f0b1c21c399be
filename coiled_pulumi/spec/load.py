"""From a workspace file to a checked `Workspace`, or to all that is wrong with it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from coiled_pulumi import catalog
from coiled_pulumi.errors import Problem, SpecErrors, UsageError, echo
from coiled_pulumi.spec import aliases, dask_config, machine_rules, messages, names, rules, yaml12
from coiled_pulumi.spec.base import Refusal
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.settled import settle, with_config
from coiled_pulumi.spec.workspace import Workspace

#: Where the workspace stands in a Pulumi stack file.
CONFIG_KEY = "coiled:workspace"
#: Keys by which a Pulumi stack file is told from a bare workspace.
_STACK_KEYS = {"config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment"}
#: Larger than 10,000 clusters need; reading stays well under half a second.
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace, where it was read, the line of everything in it, and its values as written.

    Attributes:
        workspace: what counts: the file, and dask's configuration where the file says nothing.
        source: what the file is called in errors.
        lines: line by path of the whole file.
        raw: the workspace's values as they were written.
        at: path of the workspace in the file.
        written: what the file alone says.
        config: what dask's configuration says.
    """

    workspace: Workspace
    source: str
    lines: Mapping[yaml12.Path, int]
    raw: Mapping[str, object]
    at: yaml12.Path
    written: Workspace
    config: dask_config.Config


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
        value, at = workspace_of(document)
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
    config: dask_config.Config | None = None,
) -> Loaded:
    """Check plain values.

    Args:
        value: mappings, lists and scalars, as from YAML or Pulumi's config.
        source: what to call them in errors.
        lines: line by path of the whole file.
        at: path of the value in the file.
        before: problems that reading the file found.
        config: the level below the file; that of whoever runs this if not given.

    Raises:
        SpecErrors: what they say is wrong.
    """
    lines = lines or {}
    normal = aliases.normal(value)

    def placed(problem: Problem) -> Problem:
        """Put a problem where the file has what it is about: under the name and the line that were written."""
        path = normal.back(_split(problem.path))
        line = problem.line or messages.line_of(lines, (*at, *path))
        return replace(problem, path=yaml12.render(path), line=line)

    earlier = (*before, *map(placed, normal.problems))
    try:
        # Through JSON: pydantic's strict mode then takes lists for tuples, and nothing else for anything else.
        written = Workspace.model_validate_json(json.dumps(normal.value))
    except ValidationError as error:
        found = messages.problems(error, Workspace, normal, lines, at)
        raise SpecErrors(source, (*earlier, *found)) from None
    config = dask_config.read() if config is None else config
    workspace = with_config(written, config.options)
    found = [_of_config(problem, written, config) or placed(problem) for problem in rules.check(workspace)]
    if earlier or found:
        raise SpecErrors(source, (*earlier, *found))
    return Loaded(workspace, source, lines, value, at, written, config)  # type: ignore[arg-type]


def declared(value: Mapping[str, object], *, source: str = "the workspace") -> Workspace:
    """Read back what `Workspace.declared` gave; the config of whoever reads it does not count.

    Raises:
        SpecErrors: another version of the program declared something else.
    """
    return validate(dict(value), source=source, config=dask_config.NOTHING).workspace


def _of_config(problem: Problem, written: Workspace, config: dask_config.Config) -> Problem | None:
    """Put a problem of what the config says there; the file has no line for it."""
    key = problem.path.partition(".")[0].partition("[")[0]
    if key not in config.origins or getattr(written, key) is not None:
        return None
    return replace(problem, source=config.origins[key])


def validate_cluster(name: str, value: object, *, workspace: Options) -> Cluster:
    """Check a cluster that stands in no file.

    Args:
        name: what it is called.
        value: what was asked for, as plain values.
        workspace: backend options of the workspace, with the config's in it.

    Raises:
        SpecErrors: it cannot be; all problems at once.
    """
    source = f"cluster {name}"
    normal = aliases.Normal(value)
    if isinstance(value, dict):
        normal.value = aliases.options(value, (), normal)
    try:
        names.check_slug(name)
        cluster = Cluster.model_validate_json(json.dumps(normal.value))
    except Refusal as refusal:
        hint = refusal.hint() if callable(refusal.hint) else refusal.hint
        raise SpecErrors(source, (Problem("name", f"{refusal.what}, got {echo(name)}", hint=hint),)) from None
    except ValidationError as error:
        found = messages.problems(error, Cluster, normal, {}, ())
        raise SpecErrors(source, (*normal.problems, *found)) from None
    settled = settle(workspace, cluster)
    region = catalog.regions()[settled.region]
    if settled.zone not in region.zones:
        raise SpecErrors(source, (*normal.problems, rules.no_such_zone(region, settled.zone, "zone")))
    found = [
        *normal.problems,
        *rules.market_fits(cluster, settled),
        *rules.software_fits(cluster),
        *machine_rules.of_cluster(cluster, settled),
    ]
    if found:
        raise SpecErrors(source, tuple(found))
    return cluster


def validate_given(value: object, path: str | os.PathLike[str]) -> Loaded:
    """Check values that Pulumi gave, with lines of the stack's file where it says the same.

    It need not say the same (`--config`, `--config-file`) or be there at all: what Pulumi gave is what counts.

    Raises:
        SpecErrors: what they say is wrong.
    """
    source = os.fspath(path)
    try:
        document = yaml12.read(_text(source))
        written, at = workspace_of(document)
    except (UsageError, yaml12.Unreadable):
        return validate(value, source=source)
    if written != value:
        return validate(value, source=source)
    return validate(value, source=source, lines=document.lines, at=at)


def _split(path: str) -> yaml12.Path:
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def workspace_of(document: yaml12.Document) -> tuple[object, yaml12.Path]:
    """Give the values of the workspace in a file, and where they stand.

    Raises:
        Unreadable: there is none.
    """
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
