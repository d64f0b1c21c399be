"""Backend options of a workspace, set in its own file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coiled_pulumi.errors import Problem, UsageError, echo
from coiled_pulumi.ops import target
from coiled_pulumi.spec import changes, edit, load, reference, yaml12
from coiled_pulumi.spec.aliases import ALIASES
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.workspace import Workspace

__all__ = ["Change", "change", "set_backend_options"]

#: What Coiled's function calls options that it knows under another name elsewhere:
#: https://docs.coiled.io/user_guide/api.html (coiled.set_backend_options)
_COILEDS = {"aws_region": "region", **ALIASES}
_SECRETS = ("access_key", "secret", "token", "password", "credential")


@dataclass(frozen=True, slots=True)
class Change:
    """A checked change of a workspace file, not yet written.

    Attributes:
        file: the file.
        before: what it holds.
        after: what it shall hold.
        loaded: what that says.
        diff: between the two, empty if they are the same.
    """

    file: Path
    before: str
    after: str
    loaded: load.Loaded
    diff: str

    def write(self) -> None:
        """Put it in the place of the file.

        Raises:
            UsageError: the file is no longer what was read, or cannot be written.
        """
        if self.diff:
            edit.write(self.file, self.after, before=self.before)


def set_backend_options(
    options: Mapping[str, object] | None = None,
    *,
    workspace: str | None = None,
    file: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    **more: object,
) -> str:
    """Set backend options in a workspace's file, for everybody who uses the workspace; give the diff.

    They hold for all clusters that set none of their own, from the next `up` on. Comments and the order of keys stay.
    The file is checked as it would be; if anything is wrong, nothing is written.

    Args:
        options: by name, ours or Coiled's, as `{"region": "us-west-2", "disk": {"size": 200}}`; a mapping changes
            only the keys that it names, None takes a key out.
        workspace: its name; may be left out where the project around the current folder has just one.
        file: any workspace file, in place of a name.
        dry_run: only give the diff.
        more: further options, by keyword; those of Coiled's function too, where we have them.

    Raises:
        UsageError: which workspace is not clear, or the file has a form in which a change has no place.
        SpecErrors: an option is unknown or wrong; all problems at once.
    """
    if isinstance(options, str):
        raise UsageError(
            "options are a mapping or keywords, got text", "workspace='NAME' names the workspace"
        )
    if options is not None and not isinstance(options, Mapping):
        raise UsageError(
            "options are a mapping or keywords", 'as in {"region": "us-west-2"}, or region="us-west-2"'
        )
    if workspace is not None and file is not None:
        raise UsageError("workspace and file exclude each other", "the file names its workspace")
    given = {**(options or {})}
    if twice := sorted(given.keys() & more.keys()):
        raise UsageError(f"{twice[0]} is given twice")
    try:
        found = target.find_file(
            stack=workspace, file=Path(file) if file is not None else None, folder=Path.cwd()
        )
    except UsageError as error:  # in the words of a shell
        raise UsageError(
            error.what, error.hint.replace("--file", "file=").replace("--stack", "workspace=")
        ) from None
    wanted, problems = _read(given | more)
    made = change(found, wanted, stack=workspace, problems=tuple(problems))
    if not dry_run:
        made.write()
    return made.diff


def change(
    file: Path,
    wanted: Mapping[yaml12.Path, Any],
    *,
    stack: str | None = None,
    cluster: str | None = None,
    problems: tuple[Problem, ...] = (),
) -> Change:
    """Change values of a workspace file and check what comes out; nothing is written yet.

    Args:
        file: the file.
        wanted: values by path in the workspace; None takes the key out.
        stack: name of the workspace that was asked for, if it was.
        cluster: one that the file has to have already, if it was named.
        problems: what is known to be wrong already.

    Raises:
        UsageError: the file cannot be read, or a change has no place in it.
        SpecErrors: what it would say is wrong.
    """
    source = os.fspath(file)
    before = edit.read(file)
    after, loaded = changes.changed(before, wanted, source=source, cluster=cluster, before=problems)
    target.require_name(loaded, stack or (_stack_of(file) if ("name",) in wanted else None))
    return Change(file, before, after, loaded, edit.diff(before, after, source))


def _stack_of(file: Path) -> str | None:
    """Give the stack of a project that a file is of; None for a file on its own."""
    around = target.workspace_files(file.resolve().parent)
    return next((name for name, path in around.items() if path.resolve() == file.resolve()), None)


def _read(given: Mapping[str, object]) -> tuple[dict[yaml12.Path, object], list[Problem]]:
    """Give values by path, and what is wrong with the names."""
    wanted: dict[yaml12.Path, object] = {}
    problems: list[Problem] = []
    said: dict[str, str] = {}
    for name, value in given.items():
        key = _COILEDS.get(name, name)
        if (name, value) == ("backend", "aws"):
            continue  # Coiled's function has others
        if name == "backend":
            problems.append(Problem(name, f"must be aws, got {echo(value)}"))
        elif key not in Options.model_fields:
            problems.append(_refused(name))
        elif key in said:
            problems.append(Problem(name, f"is the same as {said[key]}, give one of them"))
        elif key == "disk" and isinstance(value, Mapping):
            wanted |= {(key, str(inner)): part for inner, part in value.items()}
        elif not _is_plain(value):
            problems.append(Problem(name, "must be made of mappings, lists, texts, numbers, true and false"))
        else:
            wanted[(key,)] = value
        said.setdefault(key, name)
    return wanted, problems


def _is_plain(value: object) -> bool:
    """Tell whether a file can have a value."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _refused(name: str) -> Problem:
    if any(word in name.lower() for word in _SECRETS):
        what = "is not kept: credentials come from the environment"
        return Problem(name, what, hint="AWS_PROFILE, or whatever else AWS's own tools read")
    if name in Workspace.model_fields:
        what = "is no backend option, it is for the workspace's file alone"
        inside = "" if reference.find((name,))[0].is_leaf else ".KEY"
        return Problem(name, what, hint=f"coiled-pulumi set {name}{inside}=VALUE")
    if name in Cluster.model_fields:
        what = "is no backend option, it is for one cluster"
        return Problem(name, what, hint=f"coiled-pulumi set clusters.NAME.{name}=VALUE")
    return Problem(
        name, "is not a known key", hint=reference.near(name, list(Options.model_fields), _COILEDS)
    )
