"""Views for people: tables and trees from plain records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli.live import SIGNS, is_physical, short_type

if TYPE_CHECKING:
    from coiled_pulumi.cli.live import Tense
    from coiled_pulumi.ops.events import Progress, Row
    from coiled_pulumi.outputs import WorkspaceOutputs

_COLOURS = {"+": "green", "~": "yellow", "-": "red", "±": "magenta"}
#: The steps of a replacement; one row stands for all of them.
_STEPS = frozenset({"create-replacement", "delete-replaced"})
_WORDS = {
    "planned": {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"},
    "done": {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"},
    "found": {
        "create": "new",
        "update": "changed outside of Pulumi",
        "replace": "replaced",
        "delete": "gone",
    },
}


def changes_view(progress: Progress, *, tense: Tense) -> Any:
    """Show each change with its reason, and one line that counts them.

    Args:
        progress: what the engine said.
        tense: whether it was done, is still to be done, or was only found.
    """
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    # The reasons are what may wrap: a name that is cut off cannot be looked for.
    for wraps in (False, False, False, True, False):
        table.add_column(no_wrap=not wraps, overflow="fold")
    for row, seconds in _visible(progress):
        sign = SIGNS[row.op]
        table.add_row(
            f"[{_COLOURS.get(sign, 'white')}]{sign}[/]",
            short_type(row.type),
            escape(row.name),
            f"[yellow]{escape(', '.join(row.diffs))}[/]",
            f"[dim]{seconds:.1f} s[/]" if seconds and tense == "done" else "",
        )
    parts = [table] if table.row_count else []
    for finding in progress.findings:
        colour = "red" if finding.level == "mandatory" else "yellow"
        parts.append(f"[{colour}]{finding.level}[/] {escape(finding.policy)}: {escape(finding.message)}")
    return Group(*parts, summary(progress, tense=tense))


def _visible(progress: Progress) -> Iterator[tuple[Row, float]]:
    """Give the rows to show, and the seconds that each took with all of its steps."""
    replaced = {row.urn for row in progress.changed if row.op == "replace"}
    for row in progress.changed:
        if not is_physical(row) or row.op not in SIGNS or (row.op in _STEPS and row.urn in replaced):
            continue
        steps = [step for step in progress.changed if step.urn == row.urn and step.op in _STEPS]
        yield row, row.seconds + (sum(step.seconds for step in steps) if row.op == "replace" else 0.0)


def summary(progress: Progress, *, tense: Tense) -> str:
    """Say in one line what changed and what stayed."""
    counts = progress.counts()
    said = [f"{counts[op]} {words}" for op, words in _WORDS[tense].items() if counts.get(op)]
    if counts.get("same"):
        said.append(f"{counts['same']} unchanged")
    return ", ".join(said) or "nothing to do"


def outputs_view(record: WorkspaceOutputs) -> Any:
    """Show what a workspace offers."""
    from rich.console import Group
    from rich.table import Table

    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("workspace", record.name),
        ("region", record.region),
        ("vpc", record.vpc_id),
        ("nat address", ", ".join(record.nat_addresses.values()) or "none"),
        ("role", record.role_arn),
        ("instance profile", record.instance_profile),
        ("log group", record.log_group),
        ("subnets", _subnets(record)),
    ):
        facts.add_row(f"[dim]{name}[/]", value)
    clusters = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("cluster", "zone", "workers", "scheduler", "private address", "instance"):
        clusters.add_column(heading)
    for name, cluster in record.clusters.items():
        clusters.add_row(
            f"[bold]{name}[/]",
            cluster.zone,
            str(cluster.n_workers),
            cluster.scheduler_address,
            cluster.scheduler_private_address,
            cluster.scheduler_id,
        )
    return Group(facts, "", clusters) if record.clusters else facts


def _subnets(record: WorkspaceOutputs) -> str:
    zones = {key.partition("-")[2] for key in record.subnets}
    return f"{len(record.subnets)} in {len(zones)} zone{'s' if len(zones) != 1 else ''}"
