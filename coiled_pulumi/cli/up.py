"""`coiled-pulumi up`: make what the workspace file says."""

from __future__ import annotations

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console


def up(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
    policy_packs: options.Packs = [],  # noqa: B006 typer's form of an empty list
) -> None:
    """Make what the workspace file says: shows the changes, asks, then applies them."""
    from coiled_pulumi.ops import stacks

    console = Console(as_json=as_json)
    target = options.target(stack, file)
    packs = tuple(policy_packs)
    if not yes:
        operate.require_terminal(console)
    # With packs also when nobody is asked: what they refuse is then refused before anything is made.
    if packs or not yes:
        planned = operate.perform(
            console,
            f"preview {target.stack}",
            lambda on: stacks.preview(target, on, policy_packs=packs),
            tense="planned",
        )
        if not yes:
            operate.show(console, "preview", target, planned, tense="planned")
            if not planned.progress.changed:
                return
            operate.confirm(console, f"Apply these changes to {target.stack}?", yes=False)
    result = operate.perform(
        console, f"up {target.stack}", lambda on: stacks.up(target, on, policy_packs=packs)
    )
    operate.show(console, "up", target, result)
