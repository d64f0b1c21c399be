"""`coiled-pulumi outputs`: what a workspace that is up offers."""

from __future__ import annotations

import dataclasses

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console


def outputs(stack: options.Stack = None, file: options.File = None, as_json: options.Json = False) -> None:
    """Show what a workspace that is up offers: network, role, log group, addresses of its clusters."""
    from coiled_pulumi.ops import stacks

    record = stacks.read_outputs(options.target(stack, file))
    console = Console(as_json=as_json)
    if as_json:
        console.data(dataclasses.asdict(record))
        return
    from coiled_pulumi.cli.render import outputs_view

    console.rich().print(outputs_view(record))
