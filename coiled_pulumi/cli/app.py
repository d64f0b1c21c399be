"""The table of commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import typer

from coiled_pulumi.cli import (
    destroy,
    doctor,
    engine,
    init,
    local,
    outputs,
    plan,
    preview,
    refresh,
    schema,
    up,
    validate,
)
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, CoiledPulumiError, SpecErrors

app = typer.Typer(
    name="coiled-pulumi",
    help="Dask clusters on your own AWS account: one YAML file, plain Pulumi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: rich costs more to import than everything else that --help needs.
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.command("validate")(validate.validate)
app.command("plan")(plan.plan)
app.command("preview")(preview.preview)
app.command("up")(up.up)
app.command("refresh")(refresh.refresh)
app.command("destroy")(destroy.destroy)
app.command("outputs")(outputs.outputs)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(engine.app, name="engine")
app.add_typer(local.app, name="local")


def _version(value: bool) -> None:  # noqa: FBT001 typer's callback form
    if value:
        from importlib.metadata import version

        typer.echo(f"coiled-pulumi {version('coiled-pulumi')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with Pulumi's exit codes."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; give the exit code."""
    console = Console(as_json="--json" in arguments)
    try:
        app(list(arguments), prog_name="coiled-pulumi")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0
    except CoiledPulumiError as error:
        return _fail(console, error)
    except KeyboardInterrupt:
        return _fail(console, CancelledError("stopped by you"))
    except BrokenPipeError:
        # `coiled-pulumi plan | head`: nobody reads on; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(console: Console, error: CoiledPulumiError) -> int:
    if console.as_json:
        lines = str(error).splitlines() if isinstance(error, SpecErrors) else [error.what]
        detail = {"kind": type(error).__name__, "what": lines, "hint": error.hint, "exit_code": error.exit_code}
        typer.echo(json.dumps({"error": detail}))
    console.error(error)
    return error.exit_code
