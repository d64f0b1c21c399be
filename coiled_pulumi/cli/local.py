"""`coiled-pulumi local`: an AWS on this machine, for demos, tests and offline previews."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import UsageError

app = typer.Typer(help="An AWS on this machine: no account, no cost.", no_args_is_help=True)

_USE = """\b
Examples:
  eval "$(coiled-pulumi local env)"
  coiled-pulumi local env --json"""


@app.command("up", short_help="Start it.")
def up(
    port: Annotated[
        int, typer.Option(metavar="PORT", help="On 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Start the local AWS; if it runs, leave it as it is."""
    from coiled_pulumi.local import daemon, state

    record = daemon.up(home=state.default_home(), port=port)
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

    stopped = daemon.down(home=state.default_home(), purge=not keep)
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


def environment() -> dict[str, str]:
    """Make the variables by which bare `pulumi`, boto3 and the AWS CLI use the local AWS.

    Raises:
        UsageError: it is not running.
    """
    from coiled_pulumi import me
    from coiled_pulumi.engine import locate
    from coiled_pulumi.local import daemon, state

    home = state.default_home()
    record = state.load(home)
    if record is None or daemon.status(home).state != "running":
        raise UsageError("the local AWS is not running", "coiled-pulumi local up")
    variables = daemon.environment(record) | {me.VARIABLE: "127.0.0.1/32"}
    ambient = dict(os.environ)
    # The program runs with the Python that this is installed in, wherever the shell's own `python3` leads.
    ambient["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), ambient.get("PATH", "")])
    engine = locate.find()
    found = locate.environment(engine, ambient) if engine else {"PATH": ambient["PATH"]}
    return variables | found
