"""`coiled-pulumi local`: an AWS on this machine, for demos, tests and offline previews."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

if TYPE_CHECKING:
    from coiled_pulumi.local.state import Record

app = typer.Typer(help="An AWS on this machine: no account, no cost.", no_args_is_help=True)

_USE = """\b
Examples:
  eval "$(coiled-pulumi local env)"
  coiled-pulumi local env --json"""
_QUOTA = """\b
Examples:
  coiled-pulumi local quota L-1216C47A 5
  coiled-pulumi local quota L-F678F1CE 1 --region eu-west-1"""
_NO_CAPACITY = """\b
Examples:
  coiled-pulumi local no-capacity --type m6i.xlarge --zone us-east-1a
  coiled-pulumi local no-capacity --type m6i.xlarge --zone us-east-1a --clear"""
_SPOT_INTERRUPT = """\b
Examples:
  coiled-pulumi local spot-interrupt i-0123456789abcdef0
  coiled-pulumi local spot-interrupt i-0123456789abcdef0 --after 5"""
_KILL = """\b
Examples:
  coiled-pulumi local kill i-0123456789abcdef0"""
_UP = """\b
Examples:
  coiled-pulumi local up
  coiled-pulumi local up --hosts 0"""
_Instance = Annotated[str, typer.Argument(metavar="INSTANCE", help="Id of the instance, as EC2 names it.")]
_Region = Annotated[str, typer.Option("--region", metavar="REGION", help="Where.")]


@app.command("up", short_help="Start it.", epilog=_UP)
def up(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="On 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    hosts: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many instances really run, 0 for none; as many as memory allows if not said.",
            min=0,
            max=1000,
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Start the local AWS; if it runs, leave it as it is."""
    from coiled_pulumi.local import daemon, state

    record = daemon.up(home=state.default_home(), port=port, hosts=hosts)
    console = Console(as_json=as_json)
    if as_json:
        console.data(
            {"version": 1, "endpoint": daemon.endpoint(record), "pid": record.pid, "port": record.port}
        )
        return
    console.text(f"local AWS at {daemon.endpoint(record)} (process {record.pid})")
    console.note('use it in this shell: eval "$(coiled-pulumi local env)"')


@app.command("down", short_help="Stop it and remove what was in it.")
def down(
    keep: Annotated[bool, typer.Option("--keep", help="Keep logs and the Pulumi state.")] = False,
    as_json: options.Json = False,
) -> None:
    """Stop the local AWS and remove everything of it."""
    from coiled_pulumi.local import daemon, state
    from coiled_pulumi.ops import target

    home = state.default_home()
    stopped = daemon.down(home=home, purge=not keep)
    if not keep:
        target.forget_backend(f"file://{state.backend_folder(home)}")
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, "stopped": stopped})
        return
    console.text("local AWS stopped" if stopped else "no local AWS was running")


@app.command("status", short_help="Tell whether it runs.")
def status(as_json: options.Json = False) -> None:
    """Tell whether the local AWS runs, since when, and what is in it."""
    from coiled_pulumi.local import daemon, state

    found = daemon.status(state.default_home())
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **dataclasses.asdict(found)})
        return
    if found.state != "running":
        console.text(f"local AWS: {found.state}")
        return
    console.text(f"local AWS: running on 127.0.0.1:{found.port}, process {found.pid}, {found.uptime:.0f} s")
    console.text(f"calls: {found.calls}")
    console.text(_hosts(found.hosts))
    for kind, count in sorted(found.resources.items()):
        if count:
            console.text(f"{kind}: {count}")


@app.command("env", short_help="Print what a shell needs to use it.", epilog=_USE)
def env(as_json: options.Json = False) -> None:
    """Print `export` lines: endpoint, credentials, backend and PATH, for a shell to evaluate."""
    from coiled_pulumi.local import daemon

    variables = environment()
    if as_json:
        Console().data(variables)
    else:
        Console().text(daemon.exports(variables))


@app.command("quota", short_help="Set what the account may have.", epilog=_QUOTA)
def quota(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the quota, as L-1216C47A.")],
    value: Annotated[
        float, typer.Argument(metavar="VALUE", help="Its new value, for launches from now on.", min=0)
    ],
    region: _Region = "us-east-1",
    as_json: options.Json = False,
) -> None:
    """Set a quota of the local account; what could not be launched before is tried again if it is raised."""
    from coiled_pulumi.local import control

    answer = control.ask(_running(), "quota", code=code, value=value, region=region)
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **answer})
        return
    console.text(f"{answer['name']}: {answer['before']:g} -> {answer['value']:g} in {answer['region']}")


@app.command("approve", short_help="Approve a wish for a higher quota.")
def approve(
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="The wish, as RequestServiceQuotaIncrease named it.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Approve every wish that is pending.")] = False,
    as_json: options.Json = False,
) -> None:
    """Approve what was asked of Service Quotas, as AWS does after minutes or days."""
    from coiled_pulumi.local import control

    if bool(request_id) == every:
        raise UsageError("name one wish, or say --all", "coiled-pulumi local approve --all")
    answer = control.ask(_running(), "approve", request_id=request_id)
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **answer})
        return
    for one in answer["approved"]:
        console.text(f"{one['code']} is {one['value']:g} in {one['region']} (request {one['request_id']})")
    if not answer["approved"]:
        console.text("no wish is pending")


@app.command("no-capacity", short_help="Have AWS run out of an instance type.", epilog=_NO_CAPACITY)
def no_capacity(
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="Instance type, as m6i.xlarge.")],
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help="Availability zone, as us-east-1a.")],
    clear: Annotated[bool, typer.Option("--clear", help="There is capacity again.")] = False,
    as_json: options.Json = False,
) -> None:
    """Have a zone of the local AWS run out of an instance type, until it is cleared."""
    from coiled_pulumi.local import control

    answer = control.ask(_running(), "no-capacity", type=type_, zone=zone, clear=clear)
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **answer})
        return
    for kind, where in answer["shortages"]:
        console.text(f"no {kind} in {where}")
    if not answer["shortages"]:
        console.text("every zone has every type")


@app.command("spot-interrupt", short_help="Have AWS take a spot instance away.", epilog=_SPOT_INTERRUPT)
def spot_interrupt(
    instance: _Instance,
    after: Annotated[
        float, typer.Option("--after", metavar="SECONDS", help="From the notice to the end.", min=0)
    ] = 120.0,
    as_json: options.Json = False,
) -> None:
    """Give a spot instance its notices now, and terminate it after a while, as AWS does."""
    from coiled_pulumi.local import control

    answer = control.ask(_running(), "spot-interrupt", instance=instance, after=after)
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **answer})
        return
    console.text(f"{answer['instance']} is interrupted at {answer['ends']}")


@app.command("kill", short_help="Have an instance's hardware break.", epilog=_KILL)
def kill(instance: _Instance, as_json: options.Json = False) -> None:
    """End an instance at once, as by a fault of the machine under it."""
    from coiled_pulumi.local import control

    answer = control.ask(_running(), "kill", instance=instance)
    console = Console(as_json=as_json)
    if as_json:
        console.data({"version": 1, **answer})
        return
    console.text(f"{answer['instance']} is {answer['state']} ({answer['reason']})")


def _hosts(found: Mapping[str, Any]) -> str:
    """Say what of the instances really runs."""
    mode, why = found["mode"], f" ({found['why']})" if found["why"] else ""
    if mode == "off":
        return f"hosts: off{why}, {found['on_paper']} only on paper"
    starting = f", {found['starting']} starting" if found["starting"] else ""
    how = {"namespaces": "in namespaces", "loopback": f"on loopback addresses{why}"}.get(mode, mode)
    return f"hosts: {found['running']} running {how}{starting}, {found['on_paper']} only on paper"


def _running() -> Record:
    """Give the record of the server.

    Raises:
        UsageError: it is not running.
    """
    from coiled_pulumi.local import daemon, state

    home = state.default_home()
    record = state.load(home)
    if record is None or not daemon.is_running(record):
        raise UsageError("the local AWS is not running", "coiled-pulumi local up")
    return record


def environment() -> dict[str, str]:
    """Make the variables by which bare `pulumi`, boto3 and the AWS CLI use the local AWS.

    Raises:
        UsageError: it is not running.
    """
    from coiled_pulumi import me
    from coiled_pulumi.engine import locate
    from coiled_pulumi.local import daemon

    record = _running()
    variables = daemon.environment(record) | {me.VARIABLE: "127.0.0.1/32"}
    ambient = dict(os.environ)
    # The program runs with the Python that this is installed in, wherever the shell's own `python3` leads.
    ambient["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), ambient.get("PATH", "")])
    engine = locate.find()
    found = locate.environment(engine, ambient) if engine else {"PATH": ambient["PATH"]}
    return variables | found
