"""`coiled-pulumi preflight`: ask AWS what would go wrong, before anything is made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

if TYPE_CHECKING:
    from coiled_pulumi.ops.findings import Finding
    from coiled_pulumi.plan.model import Workspace
    from coiled_pulumi.spec.load import Loaded

_COLOURS = {"error": "red", "warning": "yellow", "skipped": "dim", "ok": "green"}


def preflight(stack: options.Stack = None, file: options.File = None, as_json: options.Json = False) -> None:
    """Check quotas, rights, addresses and images at AWS; changes nothing."""
    console = Console(as_json=as_json)
    findings = examine(options.load(stack, file))
    failed = any(finding.level == "error" for finding in findings)
    if as_json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        console.data({"version": 1, "ok": not failed, "findings": rows})
    else:
        show(console, findings)
    if failed:
        raise typer.Exit(4)


def examine(loaded: Loaded) -> tuple[Finding, ...]:
    """Check a workspace against the account."""
    from coiled_pulumi.ops import preflight as ops
    from coiled_pulumi.plan.build import build

    return ops.examine(build(loaded.workspace))


def require(console: Console, loaded: Loaded) -> None:
    """Check before a launch: errors stop it, warnings are told.

    Raises:
        DeploymentError: AWS would refuse.
        CredentialsError: there are none.
    """
    from coiled_pulumi.plan.build import build

    require_plan(console, build(loaded.workspace))


def require_plan(console: Console, plan: Workspace, *, undone: str = "nothing was made") -> None:
    """Do the same for a plan."""
    from coiled_pulumi.ops import preflight as ops

    findings = ops.examine(plan)
    ops.require(findings, undone=undone)
    for finding in findings:
        if finding.level == "warning":
            console.note(f"warning: {_line(finding)}")


def show(console: Console, findings: tuple[Finding, ...]) -> None:
    """Write a line per finding, errors first, and one that counts them."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        colour = _COLOURS[finding.level]
        table.add_row(f"[{colour}]{finding.level}[/]", finding.code, escape(_line(finding)))
    console.rich().print(table)
    counts = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    console.rich().print(", ".join(f"{count} {level}" for level, count in counts.items() if count))


def _line(finding: Finding) -> str:
    cause = f": {finding.cause}" if finding.cause else ""
    mend = f"; {finding.mend}" if finding.mend and finding.level in ("error", "warning") else ""
    return f"{finding.what}{cause}{mend}"
