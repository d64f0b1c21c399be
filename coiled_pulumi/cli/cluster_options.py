"""What the verbs of `cluster` have in common: how they name a workspace and a cluster, and what that completes to."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.errors import UsageError
from coiled_pulumi.values import WORKERS

if TYPE_CHECKING:
    from coiled_pulumi.ops.sessions import Known, Session
    from coiled_pulumi.ops.target import Place

#: As `ops.sessions` reads it; its import costs what a completion must not.
_VARIABLE = "COILED_PULUMI_WORKSPACE"


def _named_workspace(params: Mapping[str, Any]) -> str:
    """Tell which workspace a line that is still being typed means; empty where that is not clear."""
    from coiled_pulumi.ops.target import workspace_files

    if params.get("file"):
        return ""
    if named := params.get("workspace") or params.get("stack"):
        return str(named)
    files = list(workspace_files(Path.cwd()))
    return files[0] if len(files) == 1 else ("" if files else os.environ.get(_VARIABLE, ""))


def _projects() -> Iterator[Path]:
    """Give our configurations of the stacks on this backend: what was brought up from this machine."""
    from coiled_pulumi.ops import target

    return (target.state_home() / "projects" / target.backend_key()).glob("*/Pulumi.*.yaml")


def _declared(file: Path) -> list[str]:
    """Give the clusters of a workspace's file from our copy of it, which is JSON."""
    with contextlib.suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        return list(json.loads(file.read_text())["config"]["coiled:workspace"]["clusters"])
    return []


def known(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a cluster, of a workspace's file or beside it, from what this machine knows: no engine."""
    wanted, found = _named_workspace(context.params), set()
    for file in _projects():
        workspace, dot, name = file.parent.name.partition(".")
        if wanted in ("", workspace) and "." not in name:
            found |= {name} if dot else set(_declared(file))
    return sorted(name for name in found if name.startswith(incomplete))


def known_beside(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a cluster beside the workspace's file."""
    wanted = _named_workspace(context.params)
    stacks = (file.parent.name.partition(".") for file in _projects())
    found = {name for workspace, _, name in stacks if wanted in ("", workspace)}
    return sorted(name for name in found if name and "." not in name and name.startswith(incomplete))


def _known_workspaces(incomplete: str) -> list[str]:
    found = {file.parent.name for file in _projects()}
    return sorted(name for name in found if "." not in name and name.startswith(incomplete))


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of the cluster.", show_default=False, autocompletion=known),
]
Beside = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of the cluster.", show_default=False, autocompletion=known_beside
    ),
]
Workspace = Annotated[
    str | None,
    typer.Option(
        "--workspace",
        metavar="NAME",
        help="Any workspace of the backend, for who has no file of it. Where there is no file: "
        f"{_VARIABLE}, or the only one.",
        show_default=False,
        autocompletion=_known_workspaces,
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for workers.")]


def place(stack: str | None, file: Path | None, workspace: str | None) -> Place:
    """Give the workspace that the options name: by its file, or by its name alone.

    Raises:
        CoiledPulumiError: there is none, which one is not clear, or there is no place for Pulumi's state.
    """
    from coiled_pulumi.ops import sessions
    from coiled_pulumi.ops.target import workspace_files

    if workspace is not None:
        if stack is not None or file is not None:
            other = "--stack" if stack is not None else "--file"
            hint = "--workspace is for who has no file"
            raise UsageError(f"--workspace and {other} exclude each other", hint)
        if not workspace:
            raise UsageError("no workspace is called ''", "lower-case letters, digits and hyphens")
        return sessions.workspace(workspace)
    if stack is None and file is None and not workspace_files(Path.cwd()):
        return sessions.workspace()
    return options.target(stack, file)


def located(where: Place) -> Place:
    """Say in which region a workspace is that is known by its name alone.

    Raises:
        CoiledPulumiError: it was never brought up.
    """
    import dataclasses

    from coiled_pulumi.ops import stacks

    if where.region:
        return where
    return dataclasses.replace(where, region=stacks.read_outputs(where).region)


def record(where: Place, name: str) -> Known:
    """Give what is written of a cluster, one beside the file or one of it, without its secrets.

    Raises:
        NoSuchStackError: there is none of that name.
        CoiledPulumiError: it never came up whole.
    """
    from coiled_pulumi.ops import clusters, sessions

    if (found := sessions.written(where, name)) is not None:
        return found
    beside = clusters.require(where, name)  # which says what there is, and how to go on
    return sessions.Known(beside.region, beside.cluster, declared=False, config=beside.config)


def session(where: Place, name: str) -> Session:
    """Give a cluster that is up, of the file or beside it.

    Raises:
        NoSuchStackError: there is none of that name.
        CoiledPulumiError: it never came up whole, or its secrets cannot be read.
    """
    from coiled_pulumi.ops import sessions

    return sessions.attach(where, name)


def workers(text: str) -> int | list[int]:
    """Read a number of workers, or a range as `0-20`, `0,20` or `[0, 20]`.

    Raises:
        UsageError: it is neither.
    """
    parts = re.fullmatch(r"\[?\s*(\d{1,9})(?:\s*[-,]\s*(\d{1,9}))?\s*\]?", text)
    if parts is None or (text.startswith("[") != text.endswith("]")):
        raise UsageError(f"not a number of workers: '{text[:40]}'", "as 5, or a range as 0-20")
    low, high = parts.groups()
    return int(low) if high is None else [int(low), int(high)]


def workers_first(group: str) -> tuple[bool, str]:
    """Give what groups are sorted by: the one that every cluster has comes first."""
    return group != WORKERS, group


def told(least: int, most: int) -> str:
    """Write a number of workers, or a range."""
    return str(least) if least == most else f"{least}-{most}"
