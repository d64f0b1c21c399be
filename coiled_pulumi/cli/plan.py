"""`coiled-pulumi plan`: what the workspace file comes to, without engine, credentials or network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console


def plan(
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    tree: Annotated[bool, typer.Option("--tree", help="Show a tree in place of the table.")] = False,
    svg: Annotated[
        Path | None,
        typer.Option(
            "--svg",
            metavar="FILE",
            help="Also draw the network into this file; `-` is stdout, and nothing else.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Show what will exist; needs no engine, no credentials and no network."""
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.plan.model import to_json

    planned = build(options.load(stack, file).workspace)
    console = Console(as_json=as_json)
    if svg is not None:
        from coiled_pulumi.plan.draw import draw

        picture = draw(planned)
        if str(svg) == "-":
            console.text(picture)
            return
        svg.write_text(picture, encoding="utf-8")
        console.note(f"network drawn in {svg}")
    if as_json:
        console.text(to_json(planned))
        return
    from coiled_pulumi.cli import render_plan

    console.rich().print(render_plan.plan_tree(planned) if tree else render_plan.plan_table(planned))
