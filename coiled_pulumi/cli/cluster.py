"""`coiled-pulumi cluster`: the table of verbs for clusters that run, of the workspace's file and beside it."""

from __future__ import annotations

from collections.abc import Callable

import typer

from coiled_pulumi.cli import (
    cluster_dashboard,
    cluster_list,
    cluster_logs,
    cluster_rotate,
    cluster_scale,
    cluster_start,
    cluster_status,
    cluster_stop,
)

app = typer.Typer(
    help="Start, watch, scale and stop clusters.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _add(verb: Callable[..., None], short: str, *examples: str) -> None:
    """Add a verb with the line that lists it and with examples of what to type after its name."""
    name = verb.__name__.rstrip("_")
    lines = [f"  coiled-pulumi cluster {name} {example}".rstrip() for example in examples]
    app.command(name, short_help=short, epilog="\b\n" + "\n".join(["Examples:", *lines]))(verb)


_add(
    cluster_start.start,
    "Start a cluster on the workspace's network.",
    "mine --n-workers 20 --spot",
    "mine --n-workers 0-50 --package pandas==2.2.3 --env API_TOKEN --idle-timeout 1h",
    "big --zone us-east-1c --set worker.memory='64 GiB'",
)
_add(
    cluster_status.status,
    "Show how a cluster is.",
    "mine",
    "mine --timeline",
    "main --workspace dev --json",
)
_add(cluster_list.list_, "List the clusters of a workspace.", "", "--reap", "--workspace dev")
_add(
    cluster_logs.logs,
    "Show what its machines write.",
    "mine --follow",
    "mine --since 10m --role scheduler",
    "mine --tail 100 --filter ERROR",
    "mine --phases",
)
_add(cluster_dashboard.dashboard, "Print the link to its dashboard.", "mine", "mine --open")
_add(
    cluster_scale.scale,
    "Give it another number of workers.",
    "mine 40",
    "mine 0-80",
    "mine 2 --group gpu",
)
_add(cluster_rotate.rotate, "Give it new certificates.", "mine", "mine --wait")
_add(cluster_stop.stop, "Delete it.", "mine", "--all --yes")
