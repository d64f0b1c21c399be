"""`coiled-pulumi destroy`: delete a workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console


def destroy(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
    preview_only: Annotated[
        bool, typer.Option("--preview-only", help="Only tell what would be deleted.")
    ] = False,
) -> None:
    """Delete everything of a workspace: its clusters, its network, its role and its logs."""
    from coiled_pulumi.ops import stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    if not preview_only:
        clusters = ", ".join(target.loaded.workspace.clusters) or "none"
        question = f"Delete everything of {target.stack} (clusters: {clusters}), its logs included?"
        operate.confirm(console, question, yes=yes)
    tense = "planned" if preview_only else "done"
    result = operate.perform(
        console,
        f"destroy {target.stack}",
        lambda on: stacks.destroy(target, on, preview_only=preview_only),
        tense=tense,
    )
    operate.show(console, "destroy", target, result, tense=tense)
