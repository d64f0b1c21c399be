"""`coiled-pulumi refresh`: compare the state with AWS."""

from __future__ import annotations

from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console


def refresh(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
    preview_only: Annotated[bool, typer.Option("--preview-only", help="Only tell what drifted.")] = False,
) -> None:
    """Compare the state with AWS and write what was found into the state; AWS is not changed."""
    from coiled_pulumi.ops import stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    if not preview_only:
        operate.confirm(console, f"Write what AWS says into the state of {target.stack}?", yes=yes)
    result = operate.perform(
        console,
        f"refresh {target.stack}",
        lambda on: stacks.refresh(target, on, preview_only=preview_only),
        tense="found",
    )
    operate.show(console, "refresh", target, result, tense="found")
