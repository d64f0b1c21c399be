"""`coiled-pulumi doctor`: what is used, from where, and what is wrong."""

from __future__ import annotations

import dataclasses

import typer

from coiled_pulumi.cli import options
from coiled_pulumi.cli.console import Console

_MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "error": "[red]error[/]"}


def doctor(as_json: options.Json = False) -> None:
    """Tell which engine, plugin and settings are used, from where, and what is wrong with them."""
    from coiled_pulumi.engine import doctor as engine

    findings = engine.examine()
    console = Console(as_json=as_json)
    if as_json:
        console.data([dataclasses.asdict(finding) for finding in findings])
    else:
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in findings:
            hint = f"\n[dim]hint: {escape(finding.hint)}[/]" if finding.hint and finding.state != "ok" else ""
            table.add_row(_MARKS[finding.state], escape(finding.name), escape(finding.text) + hint)
        console.rich().print(table)
    if any(finding.state == "error" for finding in findings):
        raise typer.Exit(1)
