"""`coiled-pulumi up`: make what the workspace file says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from coiled_pulumi.cli import operate, options, preflight, workers
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError

if TYPE_CHECKING:
    from pathlib import Path

    from coiled_pulumi.ops.target import Target


def up(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
    policy_packs: options.Packs = [],  # noqa: B006 typer's form of an empty list
    no_preflight: options.NoPreflight = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for workers.")] = False,
) -> None:
    """Make what the workspace file says: shows the changes, asks, then applies them."""
    console = Console(as_json=as_json)
    bring_up(
        console,
        options.target(stack, file),
        yes=yes,
        packs=tuple(policy_packs),
        check=not no_preflight,
        wait=not no_wait,
    )


def bring_up(
    console: Console, target: Target, *, yes: bool, packs: tuple[Path, ...], check: bool, wait: bool = True
) -> None:
    """Check, show, ask and apply; what AWS would refuse stops it before anything is made.

    Args:
        console: where to.
        target: which workspace.
        yes: do not ask.
        packs: folders of policy packs.
        check: whether AWS is asked before the engine is.
        wait: whether workers are waited for at the end.
    """
    from coiled_pulumi.aws.machines import ended
    from coiled_pulumi.ops import stacks

    if not yes:
        operate.require_terminal(console)
    if check:
        preflight.require(console, target.loaded)
    gone: list[str] = []
    if target.loaded.workspace.clusters:
        # Who cannot ask AWS is told so by the checks before, or by the engine.
        with contextlib.suppress(CoiledPulumiError):
            gone = ended(target.stack, target.region)
    if gone:
        console.note(f"{' and '.join(gone)} ended by itself and is started again")
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
        console,
        f"up {target.stack}",
        lambda on: stacks.up(target, on, policy_packs=packs, anew=bool(gone)),
    )
    workers.finish(console, target, result, wait=wait)
    if not console.as_json:
        for name in target.loaded.workspace.clusters:
            console.note(f"dashboard: coiled-pulumi cluster dashboard {name}")
