"""`coiled-pulumi cluster stop`: the workers end at once, then everything else goes."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import cluster_options, operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, CoiledPulumiError, DeploymentError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.ops.engine_run import Result
    from coiled_pulumi.ops.target import Place


def stop(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Name of the cluster.",
            show_default=False,
            autocompletion=cluster_options.known_beside,
        ),
    ] = None,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    all_: Annotated[
        bool, typer.Option("--all", help="All clusters that were started beside the workspace's file.")
    ] = False,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Delete everything of a cluster: its workers at once, the rest right after.

    Clusters of the workspace's file are taken out of the file, and go with the next up.
    """
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    if all_ == (name is not None):
        what = "--all goes without NAME" if all_ else "missing argument 'NAME'"
        raise UsageError(what, "coiled-pulumi cluster stop --help")
    where = cluster_options.place(stack, file, workspace)
    if name is not None:
        operate.confirm(console, f"Delete cluster {name} of {where.workspace}?", yes=yes)
        made, result = _stop(console, where, name)
        operate.show(console, "stop", made, result)
        return
    names = clusters.names(where)
    if names:
        question = f"Delete {len(names)} cluster{'s' if len(names) > 1 else ''} ({', '.join(names)}) of "
        operate.confirm(console, f"{question}{where.workspace}?", yes=yes)
    _stop_all(console, where, names)


def _stop_all(console: Console, where: Place, names: list[str]) -> None:
    """Stop clusters one after the other; one that cannot be stopped keeps no other one up.

    Raises:
        CoiledPulumiError: one could not be stopped.
    """
    from coiled_pulumi.ops import clusters

    # Whatever is wrong with one is told by who deletes it.
    with contextlib.suppress(CoiledPulumiError):
        for record in clusters.listed(where).values():
            clusters.empty(record)
    done: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in names:
        try:
            made, result = _stop(console, where, name)
        except CoiledPulumiError as error:
            if len(names) == 1 or isinstance(error, CancelledError):
                raise
            console.note(f"cluster {name} stays for now: {error.what}")
            failed.append(name)
            continue
        done.append({"cluster": name, **operate.as_data("stop", made.stack, result)})
        if not console.as_json:
            operate.show(console, "stop", made, result)
    if failed:
        what = f"{len(failed)} of {len(names)} clusters could not be deleted: {', '.join(failed)}"
        raise DeploymentError(what, "the same command goes on from here")
    if console.as_json:
        console.data({"version": 1, "verb": "stop", "workspace": where.workspace, "clusters": done})
    elif not names:
        console.note("there is no cluster to delete")


def _stop(console: Console, where: Place, name: str) -> tuple[Place, Result]:
    from coiled_pulumi.ops import clusters

    perform = functools.partial(operate.perform, console)
    return clusters.stop(where, name, perform=perform, tell=console.note)
