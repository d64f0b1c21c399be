"""`coiled-pulumi preview`: what `up` would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import ChangesFoundError

Packs = Annotated[
    list[Path], typer.Option("--policy-pack", help="Folder of a policy pack; may be given several times.")
]


def preview(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    policy_packs: Packs = [],  # noqa: B006 typer's form of an empty list
    expect_no_changes: Annotated[bool, typer.Option(help="Fail with exit code 7 if there are changes.")] = False,
) -> None:
    """Show what `up` would create, change and delete; nothing is changed."""
    from coiled_pulumi.ops import stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    packs = tuple(policy_packs)
    result = operate.perform(
        console, f"preview {target.stack}", lambda on: stacks.preview(target, on, policy_packs=packs)
    )
    operate.show(console, "preview", target, result, planned=True)
    if expect_no_changes and result.progress.changed:
        raise ChangesFoundError(f"{len(result.progress.changed)} changes where none were expected")
