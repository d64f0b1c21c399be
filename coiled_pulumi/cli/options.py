"""Options that several verbs share, and how they name a workspace."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from coiled_pulumi.ops.target import Target
    from coiled_pulumi.spec.load import Loaded


def _known_stacks(incomplete: str) -> list[str]:
    from coiled_pulumi.ops.target import workspace_files

    return [name for name in workspace_files(Path.cwd()) if name.startswith(incomplete)]


def _quietly(context: typer.Context) -> Loaded | None:
    """Read the workspace that a line which is still being typed names; None where there is none to read."""
    from coiled_pulumi.errors import CoiledPulumiError

    file = context.params.get("file")
    with contextlib.suppress(CoiledPulumiError, OSError):
        return load(context.params.get("stack"), Path(file) if file else None)
    return None


def _known_clusters(context: typer.Context, incomplete: str) -> list[str]:
    loaded = _quietly(context)
    return [name for name in loaded.workspace.clusters if name.startswith(incomplete)] if loaded else []


def known_paths(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a path of the workspace file."""
    from coiled_pulumi.spec.explain import paths

    cluster = context.params.get("cluster")
    before = f"clusters.{cluster}." if cluster else ""
    found = [path.removeprefix(before) for path in paths(_quietly(context)) if path.startswith(before)]
    return [path for path in found if path.startswith(incomplete)]


Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        "-s",
        metavar="NAME",
        help="Workspace of this project, by name.",
        autocompletion=_known_stacks,
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Any workspace file.", show_default=False, dir_okay=True
    ),
]
Packs = Annotated[
    list[Path],
    typer.Option(
        "--policy-pack", metavar="FOLDER", help="Folder of a policy pack; may be given several times."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
OfCluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", "-c", metavar="NAME", help="Of this cluster of the file.", autocompletion=_known_clusters
    ),
]
NoPreflight = Annotated[
    bool, typer.Option("--no-preflight", envvar="COILED_PULUMI_NO_PREFLIGHT", help="Ask AWS nothing before.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def load(stack: str | None, file: Path | None) -> Loaded:
    """Read the workspace that the options name.

    Raises:
        SpecErrors: it is wrong, or has another name than the stack that was asked for.
    """
    from coiled_pulumi.ops import target as ops
    from coiled_pulumi.spec.load import load as read

    loaded = read(ops.find_file(stack=stack, file=file, folder=Path.cwd()))
    ops.require_name(loaded, stack)
    return loaded


def target(stack: str | None, file: Path | None) -> Target:
    """Read the workspace that the options name and prepare where Pulumi runs for it.

    Raises:
        CoiledPulumiError: the file is wrong, there is no engine, or no place for Pulumi's state.
    """
    from coiled_pulumi.ops import target as ops

    found = ops.target(ops.find_file(stack=stack, file=file, folder=Path.cwd()), state=ops.state_home())
    ops.require_name(found.loaded, stack)
    ops.require_backend(found)
    return found
