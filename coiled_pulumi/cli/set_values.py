"""`coiled-pulumi set`: change values of a workspace file, comments and order kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import operate, options
from coiled_pulumi.cli.console import Console


def _known_settings(context: typer.Context, incomplete: str) -> list[str]:
    if "=" in incomplete:
        return []
    return [f"{path}=" for path in options.known_paths(context, incomplete)]


def set_(
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="Keys of the file, as region=us-west-2 or clusters.main.worker.cpu=8; values are YAML, and "
            "nothing takes a key out.",
            show_default=False,
            autocompletion=_known_settings,
        ),
    ],
    stack: options.Stack = None,
    file: options.File = None,
    cluster: options.OfCluster = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Change values of a workspace file: shows the changed lines, asks, then writes them.

    Comments and the order of keys stay. The file is checked as it would be: if anything is wrong, nothing is written.
    AWS is changed by the next `up`.
    """
    from coiled_pulumi.ops import target
    from coiled_pulumi.ops.backend_options import change
    from coiled_pulumi.spec import changes

    console = Console(as_json=as_json)
    found = target.find_file(stack=stack, file=file, folder=Path.cwd())
    wanted = changes.settings(settings, cluster=cluster or "")
    made = change(found, wanted, stack=stack, cluster=cluster)
    if made.diff and not as_json:
        console.text(made.diff)
    if made.diff and not dry_run:
        operate.confirm(console, f"Write {found}?", yes=yes)
        made.write()
    written = bool(made.diff) and not dry_run
    if as_json:
        console.data(
            {
                "version": 1,
                "file": str(found),
                "workspace": made.loaded.workspace.name,
                "changed": bool(made.diff),
                "written": written,
                "diff": made.diff,
            }
        )
    elif not made.diff:
        console.note(f"{found} says so already")
    else:
        console.note(f"wrote {found}" if written else f"{found} is left as it is")
