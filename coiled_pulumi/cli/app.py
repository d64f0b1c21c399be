"""The table of commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
import typer.main

from coiled_pulumi.cli import (
    catalog,
    cluster,
    destroy,
    doctor,
    engine,
    explain,
    iam,
    init,
    local,
    notifications,
    outputs,
    plan,
    preflight,
    preview,
    refresh,
    schema,
    set_values,
    setup,
    up,
    validate,
)
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, CoiledPulumiError, SpecErrors, UsageError

#: What typer raises for wrong options and arguments; it exports only what is derived from it.
_Misuse: type[Any] = typer.BadParameter.__bases__[0]
#: What typer makes of a Ctrl-C while a verb runs, in the way of shells: 128 and the signal's number.
_INTERRUPTED = 130

_EXIT_CODES = """\b
Exit codes:
  0 done                    5 a mandatory policy is violated
  1 any other error         6 no such stack
  2 wrong option or file    7 changes where none were expected
  3 credentials             8 cancelled
  4 AWS refused             9 took too long"""

app = typer.Typer(
    name="coiled-pulumi",
    help="Dask clusters on your own AWS account: one YAML file, plain Pulumi.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: rich costs more to import than everything else that --help needs.
    rich_markup_mode=None,
)


def _add(verb: Callable[..., None], short: str, *examples: str) -> None:
    """Add a verb with the line that lists it and with examples of what to type after its name."""
    name = verb.__name__.rstrip("_")
    lines = [f"  coiled-pulumi {name} {example}".rstrip() for example in examples]
    app.command(name, short_help=short, epilog="\b\n" + "\n".join(["Examples:", *lines]))(verb)


_add(
    init.init,
    "Write a workspace file, and a project around it.",
    "",
    "--name prod --region eu-west-1 --yes",
    "--file lab.yaml",
)
_add(validate.validate, "Check a workspace file.", "--stack dev", "--file lab.yaml --json")
_add(
    plan.plan,
    "Show what a file comes to; needs no AWS.",
    "--stack dev",
    "--tree",
    "--json",
    "--svg network.svg",
)
_add(
    explain.explain,
    "Say why a key of a file has its value.",
    "region --stack dev",
    "clusters.main.worker.instance_type --stack dev",
    "--stack dev --cluster main",
)
_add(
    set_values.set_,
    "Change values of a file, comments kept.",
    "region=us-west-2 zone=us-west-2b --stack dev",
    "clusters.main.n_workers=10 --file lab.yaml --yes",
    "spot=true worker.memory='64 GiB' --stack dev --cluster main",
)
_add(
    preflight.preflight,
    "Ask AWS what would go wrong; changes nothing.",
    "--stack dev",
    "--file lab.yaml --json",
)
_add(
    preview.preview,
    "Show what `up` would change.",
    "--stack dev",
    "--policy-pack policies --expect-no-changes",
)
_add(up.up, "Make what the file says.", "--stack dev", "--stack prod --yes --policy-pack policies")
_add(
    refresh.refresh, "Find what changed outside of Pulumi.", "--stack dev --preview-only", "--stack dev --yes"
)
_add(outputs.outputs, "Show addresses and names of what is up.", "--stack dev", "--stack dev --json")
_add(
    notifications.notifications,
    "Show what happened to a workspace.",
    "--stack dev --since 2h",
    "--stack dev --cluster main --follow",
)
_add(destroy.destroy, "Delete a workspace.", "--stack dev --preview-only", "--stack dev --yes")
_add(schema.schema, "Print the JSON Schema of a file.", "> stack-file.schema.json")
_add(doctor.doctor, "Tell what is used and what is wrong.", "", "--json")
app.add_typer(catalog.app, name="catalog")
app.add_typer(cluster.app, name="cluster")
app.add_typer(engine.app, name="engine")
app.add_typer(local.app, name="local")
app.add_typer(setup.app, name="setup")
app.add_typer(iam.app, name="iam")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"coiled-pulumi {version('coiled-pulumi')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
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
        code = _commands()(list(arguments), prog_name="coiled-pulumi", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as leave:
        # Completion leaves so; and typer itself does when nobody reads on.
        code = 0 if _is_broken_pipe(leave.__context__) else leave.code
    except BrokenPipeError:
        _hush()
        code = 0
    except _Misuse as error:
        return _misused(console, error)
    except CoiledPulumiError as error:
        return _fail(console, error)
    except typer.Abort:
        console.note("")  # the question stands on an open line
        return _fail(console, CancelledError("stopped by you"))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(console, CoiledPulumiError(f"{where}{(error.strerror or str(error)).lower()}"))
    if code == _INTERRUPTED:
        return _fail(console, CancelledError("stopped by you"))
    return code if isinstance(code, int) else 0


@functools.cache
def _commands() -> Callable[..., Any]:
    """Make what reads a command line out of the table, once."""
    return typer.main.get_command(app)


def _is_broken_pipe(error: BaseException | None) -> bool:
    if isinstance(error, BrokenPipeError):
        _hush()
        return True
    return False


def _hush() -> None:
    """After `coiled-pulumi plan | head`: nobody reads on; keep Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]


def _misused(console: Console, error: Any) -> int:
    """Say what is wrong with the options in our own form; a group without a verb shows its help."""
    text = error.format_message().strip().rstrip(".")
    if error.ctx is not None and type(error).__name__ == "NoArgsIsHelpError":
        console.note(error.ctx.get_help())
        return UsageError.exit_code
    command = error.ctx.command_path if error.ctx else "coiled-pulumi"
    return _fail(console, UsageError(text[:1].lower() + text[1:], f"{command} --help"))


def _fail(console: Console, error: CoiledPulumiError) -> int:
    if console.as_json:
        lines = (str(error) if isinstance(error, SpecErrors) else error.what).splitlines()
        detail = {
            "kind": type(error).__name__,
            "what": lines,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        workers = getattr(error, "workers", None)
        console.data({"version": 1, **({"workers": workers} if workers else {}), "error": detail})
    console.error(error)
    return error.exit_code
