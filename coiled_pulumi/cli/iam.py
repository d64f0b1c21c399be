"""`coiled-pulumi iam`: the policy documents that a workspace needs, without engine, credentials or network."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

if TYPE_CHECKING:
    from coiled_pulumi.plan.model import Workspace

app = typer.Typer(help="Print the IAM documents that a workspace needs.", no_args_is_help=True)

Wide = Annotated[
    bool, typer.Option("--wide", help="One statement on all resources without conditions, as Coiled has it.")
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="For clusters in another region than the workspace's.",
        show_default=False,
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Say why each action is there, in its place.")]

_USE = """\b
Examples:
  coiled-pulumi iam {name} --stack dev > {name}.json
  coiled-pulumi iam {name} --stack dev --explain"""


@app.command("setup", short_help="For making the shared network.", epilog=_USE.format(name="setup"))
def setup(
    stack: options.Stack = None,
    file: options.File = None,
    wide: Wide = False,
    explain: Explain = False,
    region: Region = None,
    as_json: options.Json = False,
) -> None:
    """Print what making, changing and deleting network, groups, role and logs needs, beside `ongoing`."""
    _print("setup", stack, file, wide=wide, explain=explain, region=region, as_json=as_json)


@app.command("ongoing", short_help="For running clusters.", epilog=_USE.format(name="ongoing"))
def ongoing(
    stack: options.Stack = None,
    file: options.File = None,
    wide: Wide = False,
    explain: Explain = False,
    region: Region = None,
    as_json: options.Json = False,
) -> None:
    """Print what starting, scaling and stopping clusters needs, and looking at everything."""
    _print("ongoing", stack, file, wide=wide, explain=explain, region=region, as_json=as_json)


@app.command("instance", short_help="What machines get.", epilog=_USE.format(name="instance"))
def instance(
    stack: options.Stack = None,
    file: options.File = None,
    wide: Wide = False,
    explain: Explain = False,
    region: Region = None,
    as_json: options.Json = False,
) -> None:
    """Print what the role of the machines allows; `up` puts it there by itself."""
    _print("instance", stack, file, wide=wide, explain=explain, region=region, as_json=as_json)


def _planned(stack: str | None, file: options.File, region: str | None) -> Workspace:
    from coiled_pulumi.plan.build import build
    from coiled_pulumi.spec.load import declared
    from coiled_pulumi.spec.settled import settle

    workspace = options.load(stack, file).workspace
    if region is None or region == settle(workspace).region:
        return build(workspace)
    return build(declared(workspace.elsewhere(region), source="--region"), extension=True)


def _print(
    name: str,
    stack: str | None,
    file: options.File,
    *,
    wide: bool,
    explain: bool,
    region: str | None,
    as_json: bool,
) -> None:
    from coiled_pulumi.plan import policy_documents

    document = policy_documents.DOCUMENTS[name](_planned(stack, file, region), wide=wide)
    console = Console(as_json=as_json)
    if not explain:
        console.data(document)
        size = policy_documents.size(document)
        if size > policy_documents.LIMIT:
            console.note(
                f"warning: {size} characters, a managed policy has {policy_documents.LIMIT} at most:"
                " fewer `tags:` in the workspace file make it shorter"
            )
        return
    rows = policy_documents.explain(document)
    if as_json:
        console.data({"version": 1, "document": name, "actions": [dataclasses.asdict(row) for row in rows]})
        return
    width = max(len(row.action) for row in rows)
    console.text("\n".join(f"{row.action:{width}}  {row.why}" for row in rows))
