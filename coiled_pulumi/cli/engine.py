"""`coiled-pulumi engine`: get Pulumi where it is not."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

app = typer.Typer(help="Get Pulumi, its AWS plugin and its Python host.", no_args_is_help=True)


@app.command("install", short_help="Find, download or build it.")
def install(
    download: Annotated[bool, typer.Option(help="Whether to try the official release.")] = True,
    build: Annotated[
        bool, typer.Option(help="Whether to build it from Go's module proxy where that fails.")
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Find Pulumi on PATH, else download its release, else build it from Go's module proxy (about 10 minutes)."""
    from coiled_pulumi.engine import install as engine

    console = Console(as_json=as_json)
    found = engine.install(report=console.note, allow_download=download, allow_build=build)
    if as_json:
        console.data({key: _plain(value) for key, value in dataclasses.asdict(found).items()})
    else:
        console.text(f"pulumi {found.version} ({found.source}): {found.pulumi}")


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if value is None else str(value)
