"""`coiled-pulumi catalog`: the facts about AWS that plans are made from, and how to refresh them."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

app = typer.Typer(help="What plans know of AWS, and how to refresh it.", no_args_is_help=True)

_USE = """\b
Examples:
  coiled-pulumi catalog update
  coiled-pulumi catalog update --region us-east-1 --region eu-west-1"""


def _known_regions(incomplete: str) -> list[str]:
    from coiled_pulumi import catalog

    return [name for name in catalog.regions() if name.startswith(incomplete)]


@app.command("update", short_help="Refresh them from AWS.", epilog=_USE)
def update(
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="NAME",
            help="Ask this region only; may be given several times. Without it: all that are enabled.",
            autocompletion=_known_regions,
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Ask AWS what it has and keep the answers as copies of your own; plans use those from then on.

    Zones are those that your account sees. Delete the folder to use the bundled facts again.
    """
    from coiled_pulumi.aws import catalog

    console = Console(as_json=as_json)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    done = catalog.update(tuple(dict.fromkeys(region or ())), today=today, tell=console.note)
    if as_json:
        console.data(
            {
                "version": 1,
                "asked": done.asked,
                "left": [dataclasses.asdict(one) for one in done.left],
                "without_quotas": done.without_quotas,
                "changes": {
                    one.kind: {"added": one.added, "removed": one.removed, "changed": one.changed}
                    for one in done.changes
                },
                "folder": str(done.folder),
            }
        )
        return
    for one in done.changes:
        kind = one.kind.replace("_", " ")
        console.text(f"{kind}: {one.added} added, {one.removed} removed, {one.changed} changed")
    if done.without_quotas == done.asked:
        console.note("the quotas of this account could not be read")
    elif done.without_quotas:
        console.note(f"the quotas of this account could not be read in {', '.join(done.without_quotas)}")
    console.note(f"written to {done.folder}")


@app.command("show", short_help="Tell where they come from.")
def show(as_json: options.Json = False) -> None:
    """Tell for each kind of facts who said so, when, and which file is read."""
    from coiled_pulumi import catalog

    console = Console(as_json=as_json)
    found, ignored = catalog.sources(), catalog.ignored()
    if as_json:
        console.data(
            {
                "version": 1,
                "files": [one._asdict() | {"path": str(one.path)} for one in found],
                "ignored": [str(path) for path in ignored],
            }
        )
        return
    for one in found:
        console.text(f"{one.name}: {one.date}, {one.source}\n  {one.path}")
    for path in ignored:
        console.note(f"not used, because it cannot be read or is of another version: {path}")
