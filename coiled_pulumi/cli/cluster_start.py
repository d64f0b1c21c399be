"""`coiled-pulumi cluster start`: a cluster beside the workspace's file, by flags."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import cluster_list, cluster_options, operate, options, preflight
from coiled_pulumi.cli import workers as waiting
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.ops.engine_run import Result
    from coiled_pulumi.ops.target import Place


def start(
    name: cluster_options.Beside,
    stack: options.Stack = None,
    file: options.File = None,
    workspace: cluster_options.Workspace = None,
    n_workers: Annotated[
        str | None,
        typer.Option(
            "--n-workers",
            "-n",
            metavar="N",
            help="Number of workers, or a range as 0-20 within which it is set while the cluster runs.",
            show_default=False,
        ),
    ] = None,
    worker_type: Annotated[
        str | None,
        typer.Option(
            "--worker-type",
            metavar="TYPE",
            help="Instance type of workers; several with commas.",
            show_default=False,
        ),
    ] = None,
    spot: Annotated[
        bool | None,
        typer.Option("--spot/--no-spot", help="Whether workers are spot instances.", show_default=False),
    ] = None,
    idle_timeout: Annotated[
        str | None,
        typer.Option(
            "--idle-timeout",
            metavar="SPAN",
            help="End the cluster when nothing was computed for so long, as 2h or never.",
            show_default=False,
        ),
    ] = None,
    cluster_timeout: Annotated[
        str | None,
        typer.Option(
            "--cluster-timeout",
            metavar="SPAN",
            help="End the cluster after so long, as 8h, whatever it does.",
            show_default=False,
        ),
    ] = None,
    environ: Annotated[
        list[str],
        typer.Option(
            "--env",
            metavar="KEY=VALUE",
            help="Variable of Dask's processes, kept as a secret; KEY alone takes the value that it has here. "
            "May be given several times.",
        ),
    ] = [],  # noqa: B006 typer's form of an empty list
    packages: Annotated[
        list[str],
        typer.Option(
            "--package",
            metavar="REQUIREMENT",
            help="Python package to install, as pandas==2.2.3. May be given several times.",
        ),
    ] = [],  # noqa: B006
    python: Annotated[
        str | None,
        typer.Option("--python", metavar="VERSION", help="Version of Python, as 3.12.", show_default=False),
    ] = None,
    container: Annotated[
        str | None,
        typer.Option(
            "--container", metavar="IMAGE", help="Container image to run Dask in.", show_default=False
        ),
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
    ] = [],  # noqa: B006
    as_json: options.Json = False,
    no_preflight: options.NoPreflight = False,
    no_wait: cluster_options.NoWait = False,
) -> None:
    """Start a cluster on the workspace's network; nothing of the workspace's own stack is locked or changed.

    A cluster of that name that is up as asked is completed where something of it is missing; one that is up otherwise
    is left alone, and told. What is left of one that ended itself is deleted first.
    """
    from coiled_pulumi.ops import clusters

    console = Console(as_json=as_json)
    flags: dict[str, Any] = {
        "n_workers": None if n_workers is None else cluster_options.workers(n_workers),
        "spot": spot,
        "idle_timeout": idle_timeout,
        "cluster_timeout": cluster_timeout,
        "environ": variables(environ) or None,
        "packages": packages or None,
        "python": python,
        "container": container,
        "zone": zone,
        "region": region,
        "worker": {"instance_type": _types(worker_type)} if worker_type is not None else None,
    }
    asked = wanted(settings, **flags)
    where = cluster_options.place(stack, file, workspace)
    order = clusters.order(where, name, asked)
    where = dataclasses.replace(where, region=order.record.region)
    perform = functools.partial(operate.perform, console)
    _clear(console, where, name)
    made, result = clusters.start(
        where,
        order,
        perform=perform,
        tell=console.note,
        check=lambda plan: (
            None if no_preflight else preflight.require_plan(console, plan, undone="no machine was started")
        ),
    )
    finish(console, "start", made, result, wait=not no_wait)
    _tell_ended(console, where)


def _types(text: str) -> str | list[str]:
    names = [one.strip() for one in text.split(",")]
    return names if len(names) > 1 else names[0]


def finish(console: Console, verb: str, where: Place, result: Result, *, wait: bool) -> None:
    """Sum up, wait for workers, and tell how to get to the cluster."""
    from coiled_pulumi import outputs
    from coiled_pulumi.ops.sessions import SCHEDULER_PORT

    record = outputs.read_cluster(result.progress.outputs)
    row = cluster_list.row(record.name, "start", record.region, record.cluster, "up") if record else None
    waiting.finish(console, where, result, wait=wait, verb=verb, more={"cluster": row})
    if row is None or console.as_json:
        return
    console.rich().print(cluster_list.table([row]))
    address = row["scheduler_address"] or row["scheduler_private_address"]
    console.text(
        f"scheduler  tls://{address}:{SCHEDULER_PORT}\n"
        f"dashboard  coiled-pulumi cluster dashboard {row['name']}\n"
        f"Python     import coiled_pulumi\n"
        f'           client = coiled_pulumi.Cluster("{row["name"]}", workspace="{where.workspace}").get_client()'
    )


def variables(given: list[str]) -> dict[str, str]:
    """Read variables as `KEY=VALUE`, or as `KEY` of this process: that stands in no history of a shell.

    Raises:
        UsageError: one is none, is given twice, or is not set here.
    """
    made: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name:
            raise UsageError("--env takes KEY=VALUE or KEY", "as in --env OMP_NUM_THREADS=1")
        if name in made:
            raise UsageError(f"--env {name} is given twice")
        if not equals and name not in os.environ:
            raise UsageError(f"--env {name}: there is no such variable here", f"--env {name}=VALUE")
        made[name] = value if equals else os.environ[name]
    return made


def wanted(settings: list[str], **flags: Any) -> dict[str, Any]:
    """Put flags and `--set KEY=VALUE` together into what a cluster of the file would have; values are YAML.

    Raises:
        UsageError: a setting has another form, or says again what was said.
    """
    from coiled_pulumi.spec import changes, reference

    made: dict[Any, Any] = {key: value for key, value in flags.items() if value is not None}
    for setting in settings:
        path, equals, text = setting.partition("=")
        try:
            keys = reference.split(path.strip()) if equals else ()
        except UsageError:
            keys = ()
        if not keys:
            raise UsageError(f"--set takes KEY=VALUE, got '{setting[:60]}'", "as in --set worker.cpu=8")
        level = made
        for key in keys[:-1]:
            level = level.setdefault(key, {})
            if not isinstance(level, dict):
                raise UsageError(f"--set {path}: {key} has a value already")
        if keys[-1] in level:
            raise UsageError(f"{path} is given twice")
        level[keys[-1]] = changes.value_of(text, called=f"--set {path}", hint="quote it for the shell")
    return {key: _lists(key, part) for key, part in made.items()}


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


def _clear(console: Console, where: Place, name: str) -> None:
    """Delete what is left of a cluster of that name that ended itself."""
    from coiled_pulumi import outputs
    from coiled_pulumi.aws.machines import ended
    from coiled_pulumi.ops import clusters, stacks
    from coiled_pulumi.plan.build import cluster_stack

    stack = cluster_stack(where.workspace, name)
    try:
        record = outputs.read_cluster(stacks.outputs_of(stack, where.project))
    except NoSuchStackError:
        return
    gone: list[str] = []
    # Who may not ask hears it from the engine in a moment.
    with contextlib.suppress(CoiledPulumiError):
        gone = ended(stack, record.region) if record else []
    if record is None or name not in gone:
        return
    console.note(f"cluster {name} ended by itself; what is left of it is deleted first")
    there = dataclasses.replace(where, region=record.region)
    clusters.stop(there, name, perform=functools.partial(operate.perform, console), tell=console.note)


def _tell_ended(console: Console, where: Place) -> None:
    from coiled_pulumi.aws import machines

    with contextlib.suppress(CoiledPulumiError):
        cluster_list.tell_ended(console, machines.ended_beside(where.workspace, where.region))
