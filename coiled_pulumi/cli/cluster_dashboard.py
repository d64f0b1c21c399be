"""`coiled-pulumi cluster dashboard`: the link to a cluster's dashboard, which a token opens."""

from __future__ import annotations

from typing import Annotated

import typer

from coiled_pulumi.cli import cluster_options, options
from coiled_pulumi.cli.console import Console


def dashboard(
    name: cluster_options.Name,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    no_token: Annotated[bool, typer.Option("--no-token", help="Leave the token out.")] = False,
    as_json: options.Json = False,
) -> None:
    """Print the link to a cluster's dashboard.

    The token in it is a secret: whoever has the link sees the cluster and what runs on it.
    """
    console = Console(as_json=as_json)
    found = cluster_options.session(cluster_options.place(stack, file, workspace), name)
    link = found.dashboard.partition("?")[0] if no_token else found.dashboard
    if as_json:
        console.data({"version": 1, "cluster": name, "dashboard": link, "scheduler": found.scheduler})
    else:
        console.text(link)
    if open_:
        import webbrowser

        if not webbrowser.open(link):
            console.note("note: there is no browser to open here")
