"""`coiled-pulumi cluster`: clusters beside the workspace's file, each in a stack of its own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import operate, options, preflight, workers
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from coiled_pulumi.ops.engine_run import Result
    from coiled_pulumi.ops.target import Place

app = typer.Typer(
    help="Start, scale and stop clusters beside the workspace's file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the cluster.", show_default=False)]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for workers.")]


@app.command(
    short_help="Start a cluster on the workspace's network.",
    epilog="\b\nExamples:\n  coiled-pulumi cluster start mine --n-workers 20 --set spot=true\n"
    "  coiled-pulumi cluster start big --zone us-east-1c --set worker.memory='64 GiB'",
)
def start(
    name: Name,
    stack: options.Stack = None,
    file: options.File = None,
    n_workers: Annotated[
        int | None,
        typer.Option("--n-workers", "-n", metavar="N", help="Number of workers.", show_default=False),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Availability zone.", show_default=False)
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            "--region", metavar="REGION", help="Another region than the workspace's.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any key of a cluster, as worker.cpu=8; values are YAML. May be given several times.",
        ),
    ] = [],  # noqa: B006 typer's form of an empty list
    as_json: options.Json = False,
    no_preflight: options.NoPreflight = False,
    no_wait: NoWait = False,
) -> None:
    """Start a cluster on the workspace's network; nothing of the workspace's own stack is locked or changed.

    A cluster of that name that is up as asked is completed where something of it is missing; one that is up otherwise
    is left alone, and told.
    """
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    workspace = options.target(stack, file)
    wanted = _wanted(settings, n_workers=n_workers, zone=zone, region=region)
    order = clusters.order(workspace, name, wanted)
    place, result = clusters.start(
        workspace,
        order,
        perform=functools.partial(operate.perform, console),
        tell=console.note,
        check=lambda plan: (
            None if no_preflight else preflight.require_plan(console, plan, undone="no machine was started")
        ),
    )
    _finish(console, "start", place, result, wait=not no_wait)


@app.command()
def scale(
    name: Name,
    n_workers: Annotated[int, typer.Argument(metavar="N", help="Number of workers.", show_default=False)],
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    no_wait: NoWait = False,
) -> None:
    """Give a cluster another number of workers."""
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    workspace = options.target(stack, file)
    place, result = clusters.scale(
        workspace, name, n_workers, perform=functools.partial(operate.perform, console), tell=console.note
    )
    _finish(console, "scale", place, result, wait=not no_wait)


@app.command()
def stop(
    name: Name,
    stack: options.Stack = None,
    file: options.File = None,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """Delete everything of a cluster."""
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    workspace = options.target(stack, file)
    operate.confirm(console, f"Delete cluster {name} of {workspace.stack}?", yes=yes)
    place, result = clusters.stop(
        workspace, name, perform=functools.partial(operate.perform, console), tell=console.note
    )
    operate.show(console, "stop", place, result)


@app.command("list", short_help="List the clusters of a workspace.")
def list_(stack: options.Stack = None, file: options.File = None, as_json: options.Json = False) -> None:
    """List the clusters of a workspace: those of its file, and those beside it."""
    from coiled_pulumi.ops import clusters, stacks

    console = Console(as_json=as_json)
    workspace = options.target(stack, file)
    declared = stacks.read_outputs(workspace)
    rows = [_row(name, "file", declared.region, one) for name, one in declared.clusters.items()]
    for name, record in clusters.listed(workspace).items():
        if record is None:
            rows.append({"name": name, "from": "start", "region": workspace.region, "state": "incomplete"})
        else:
            rows.append(_row(name, "start", record.region, record.cluster))
    if as_json:
        console.data({"version": 1, "workspace": workspace.stack, "clusters": rows})
        return
    console.rich().print(_table(rows) if rows else "no clusters")


def _finish(console: Console, verb: str, place: Place, result: Result, *, wait: bool) -> None:
    """Sum up, wait for workers, and tell where the scheduler is."""
    from coiled_pulumi import outputs

    record = outputs.read_cluster(result.progress.outputs)
    row = _row(record.name, "start", record.region, record.cluster) if record else None
    workers.finish(console, place, result, wait=wait, verb=verb, more={"cluster": row})
    if row and not console.as_json:
        console.rich().print(_table([row]))


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("cluster", "from", "zone", "workers", "scheduler", "instance"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            f"[bold]{row['name']}[/]", row["from"], row.get("zone", row["state"]), str(row.get("n_workers", "")),
            row.get("scheduler_address") or row.get("scheduler_private_address", ""), row.get("scheduler_id", ""),
        )  # fmt: skip
    return table


def _row(name: str, origin: str, region: str, cluster: Any) -> dict[str, Any]:
    import dataclasses

    return {"name": name, "from": origin, "region": region, "state": "up", **dataclasses.asdict(cluster)}


def _wanted(settings: list[str], **flags: Any) -> dict[str, Any]:
    """Put flags and `--set KEY=VALUE` together into what a cluster of the file would have; values are YAML.

    Raises:
        UsageError: a setting has another form, or says again what was said.
    """
    from coiled_pulumi.spec import changes, reference

    wanted: dict[Any, Any] = {key: value for key, value in flags.items() if value is not None}
    for setting in settings:
        path, equals, text = setting.partition("=")
        try:
            keys = reference.split(path.strip()) if equals else ()
        except UsageError:
            keys = ()
        if not keys:
            raise UsageError(f"--set takes KEY=VALUE, got '{setting[:60]}'", "as in --set worker.cpu=8")
        level = wanted
        for key in keys[:-1]:
            level = level.setdefault(key, {})
            if not isinstance(level, dict):
                raise UsageError(f"--set {path}: {key} has a value already")
        if keys[-1] in level:
            raise UsageError(f"{path} is given twice")
        level[keys[-1]] = changes.value_of(text, called=f"--set {path}", hint="quote it for the shell")
    return {key: _lists(key, part) for key, part in wanted.items()}


def _lists(name: str, value: Any) -> Any:
    """Make lists of what was said item by item, as `ingress[0].cidr=me` says it."""
    if not isinstance(value, dict):
        return value
    made = {key: _lists(name, part) for key, part in value.items()}
    if made and sorted(made, key=str) == list(range(len(made))):
        return [made[index] for index in range(len(made))]
    if wrong := [key for key in made if isinstance(key, int)]:
        raise UsageError(f"--set {name}[{max(wrong)}]: there is none before it", f"{name}[0] is the first")
    return made
