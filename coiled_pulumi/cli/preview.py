"""`coiled-pulumi preview`: what `up` would do."""

from __future__ import annotations

from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import ChangesFoundError


def preview(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    policy_packs: options.Packs = [],  # noqa: B006 typer's form of an empty list
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Fail with exit code 7 if there are changes.")
    ] = False,
) -> None:
    """Show what `up` would create, change and delete; AWS is not changed."""
    from coiled_pulumi.ops import stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    packs = tuple(policy_packs)
    result = operate.perform(
        console,
        f"preview {target.stack}",
        lambda on: stacks.preview(target, on, policy_packs=packs),
        tense="planned",
    )
    operate.show(console, "preview", target, result, tense="planned")
    if expect_no_changes and result.progress.changed:
        # The result is on stdout already, with the changes: an error beside it would be a second document.
        console.error(ChangesFoundError("there are changes where none were expected"))
        raise typer.Exit(ChangesFoundError.exit_code)
