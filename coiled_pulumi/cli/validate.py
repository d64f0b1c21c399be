"""`coiled-pulumi validate`: check a workspace file without engine, credentials or network."""

from __future__ import annotations

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console


def validate(stack: options.Stack = None, file: options.File = None, as_json: options.Json = False) -> None:
    """Check a workspace file; needs no engine, no credentials and no network."""
    console = Console(as_json=as_json)
    loaded = options.load(stack, file)
    workspace = loaded.workspace
    if as_json:
        console.data({"version": 1, "file": loaded.source, "workspace": workspace.name, "valid": True})
        return
    clusters = len(workspace.clusters)
    noun = "cluster" if clusters == 1 else "clusters"
    console.text(f"{loaded.source}: workspace {workspace.name} with {clusters} {noun} is valid")
