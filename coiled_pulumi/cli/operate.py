"""What `preview`, `up`, `refresh` and `destroy` have in common: run, show, sum up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CancelledError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.cli.live import OnRows, Tense
    from coiled_pulumi.ops.engine_run import Result
    from coiled_pulumi.ops.target import Place

Operation = Callable[["OnRows"], "Result"]


def perform(console: Console, title: str, operation: Operation, *, tense: Tense = "done") -> Result:
    """Run an operation of the engine under a live view."""
    from coiled_pulumi.cli.live import view

    with view(console, title, tense=tense) as on_rows:
        return operation(on_rows)


def show(console: Console, verb: str, target: Place, result: Result, *, tense: Tense = "done") -> None:
    """Sum an operation up: JSON, or a table of changes and what the policies found.

    Args:
        console: where to.
        verb: what was done.
        target: to which stack.
        result: how it went.
        tense: whether it was done, is still to be done, or was only found.
    """
    if console.as_json:
        console.data(as_data(verb, target.stack, result))
        return
    from coiled_pulumi.cli.render import changes_view

    console.rich().print(changes_view(result.progress, tense=tense))
    console.note(f"{verb} {target.stack} took {result.seconds:.0f} s")


def as_data(verb: str, stack: str, result: Result) -> dict[str, Any]:
    """Give the result of an operation as plain values; `version` changes when a key changes its meaning."""
    progress = result.progress
    return {
        "version": 1,
        "verb": verb,
        "stack": stack,
        "seconds": round(result.seconds, 3),
        "changes": progress.counts(),
        "resources": [
            {
                "urn": row.urn,
                "type": row.type,
                "name": row.name,
                "op": row.op,
                "seconds": round(row.seconds, 3),
                "diffs": list(row.diffs),
            }
            for row in progress.changed
        ],
        "policies": [dataclasses.asdict(finding) for finding in progress.findings],
        "diagnostics": [dataclasses.asdict(d) for d in progress.diagnostics if d.severity != "info"],
    }


def confirm(console: Console, question: str, *, yes: bool) -> None:
    """Ask before something is changed.

    Raises:
        UsageError: nobody is there to answer.
        CancelledError: the answer is no.
    """
    if yes:
        return
    require_terminal(console)
    if console.ask(f"{question} [y/N]").lower() not in ("y", "yes"):
        raise CancelledError("nothing was changed")


def require_terminal(console: Console) -> None:
    """Make sure that there is somebody to ask, before work is done that an answer is needed for.

    Raises:
        UsageError: there is no terminal, or stdout is for JSON.
    """
    if console.as_json:
        raise UsageError("with --json nothing is asked", "add --yes")
    if not console.interactive:
        raise UsageError("there is no terminal to ask on", "add --yes")
