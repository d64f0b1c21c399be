"""`coiled-pulumi schema`: the JSON Schema of a workspace file."""

from __future__ import annotations

from typing import Annotated

import typer

from coiled_pulumi.cli.console import Console


def schema(
    bare: Annotated[
        bool, typer.Option("--bare", help="Of the workspace alone, without Pulumi's file around.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is what it is, with and without.")] = False,
) -> None:
    """Print the JSON Schema of a workspace file, for editors."""
    del as_json  # taken because every verb takes it
    from coiled_pulumi.spec import schema as schemas

    Console(as_json=True).data(schemas.workspace_schema() if bare else schemas.stack_file_schema())
