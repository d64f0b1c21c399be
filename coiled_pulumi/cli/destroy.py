"""`coiled-pulumi destroy`: delete a workspace."""

from __future__ import annotations

import functools
from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError


def destroy(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
    preview_only: Annotated[
        bool, typer.Option("--preview-only", help="Only tell what would be deleted.")
    ] = False,
    with_clusters: Annotated[
        bool, typer.Option("--with-clusters", help="Also stop clusters that were started beside the file.")
    ] = False,
) -> None:
    """Delete everything of a workspace: its clusters, its network, its role and its logs."""
    from coiled_pulumi.ops import clusters, stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    beside = clusters.names(target)
    if beside and not with_clusters:
        what = f"clusters are up beside the file of {target.stack}: {', '.join(beside)}"
        raise UsageError(what, f"coiled-pulumi cluster stop {beside[0]}, or destroy --with-clusters")
    if not preview_only:
        known = ", ".join([*target.loaded.workspace.clusters, *beside]) or "none"
        question = f"Delete everything of {target.stack} (clusters: {known}), its logs included?"
        operate.confirm(console, question, yes=yes)
        clusters.clear(target, perform=functools.partial(operate.perform, console), tell=console.note)
    tense = "planned" if preview_only else "done"
    result = operate.perform(
        console,
        f"destroy {target.stack}",
        lambda on: stacks.destroy(target, on, preview_only=preview_only),
        tense=tense,
    )
    operate.show(console, "destroy", target, result, tense=tense)
