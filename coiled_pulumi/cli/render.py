"""Views for people: tables and trees from plain records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli.live import SIGNS, is_physical, short_type

if TYPE_CHECKING:
    from coiled_pulumi.cli.live import Tense
    from coiled_pulumi.ops.events import Progress, Row
    from coiled_pulumi.outputs import WorkspaceOutputs
    from coiled_pulumi.plan.model import Workspace

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
        ("nat address", record.nat_address),
        ("role", record.role_arn),
        ("instance profile", record.instance_profile),
        ("log group", record.log_group),
        ("subnets", f"{len(record.subnets)} in {len(record.subnets) // 2} zones"),
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


def plan_table(plan: Workspace) -> Any:
    """Show the network by zone and the clusters in it."""
    from rich.console import Group
    from rich.table import Table

    zones = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("zone", "private", "public", ""):
        zones.add_column(heading)
    blocks = {(subnet.zone, subnet.tier): subnet.cidr for subnet in plan.network.subnets}
    for zone in sorted({subnet.zone for subnet in plan.network.subnets}):
        note = "NAT gateway" if plan.network.nat.subnet.endswith(zone) else ""
        zones.add_row(zone, blocks[zone, "private"], blocks[zone, "public"], note)
    rules = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("opens", "to", "for"):
        rules.add_column(heading)
    for rule in plan.security.rules:
        if rule.group == "scheduler-group":
            ports = (
                str(rule.from_port) if rule.from_port == rule.to_port else f"{rule.from_port}-{rule.to_port}"
            )
            rules.add_row(ports, rule.peer, rule.description)
    clusters = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("cluster", "zone", "workers", "worker", "scheduler"):
        clusters.add_column(heading)
    for cluster in plan.clusters:
        worker, scheduler = cluster.workers.template, cluster.scheduler
        clusters.add_row(
            f"[bold]{cluster.name}[/]",
            cluster.zone,
            str(cluster.workers.n_workers),
            f"{worker.instance_type}, {worker.disk} GiB",
            f"{scheduler.instance_type}, {scheduler.disk} GiB",
        )
    logs = f"logs {plan.logs.retention_days} days"
    head = f"[bold]{plan.name}[/] in {plan.region}, network {plan.network.vpc.cidr}, {logs}"
    parts = [head, "", zones]
    parts += ["", rules] if rules.row_count else ["", "nothing reaches the schedulers from outside"]
    return Group(*parts, *(["", clusters] if plan.clusters else []))


def plan_tree(plan: Workspace) -> Any:
    """Show what belongs to what."""
    from rich.tree import Tree

    root = Tree(f"[bold]{plan.name}[/] {plan.region}")
    network = root.add(f"network {plan.network.vpc.cidr}")
    for zone in sorted({subnet.zone for subnet in plan.network.subnets}):
        branch = network.add(zone)
        for subnet in plan.network.subnets:
            if subnet.zone == zone:
                branch.add(f"{subnet.tier} {subnet.cidr}")
    network.add(f"NAT gateway in {plan.network.nat.subnet}")
    network.add(f"endpoint {plan.network.endpoint.service}")
    security = root.add("security groups")
    for group in plan.security.groups:
        branch = security.add(group.key)
        for rule in plan.security.rules:
            if rule.group == group.key:
                branch.add(rule.key.removeprefix(group.key.removesuffix("group")))
    root.add(f"role and instance profile {plan.name}")
    root.add(f"log group {plan.name}, {plan.logs.retention_days} days")
    for cluster in plan.clusters:
        branch = root.add(f"cluster [bold]{cluster.name}[/] in {cluster.zone}")
        branch.add(f"scheduler {cluster.scheduler.instance_type} in {cluster.scheduler.subnet}")
        template = cluster.workers.template
        branch.add(f"{cluster.workers.n_workers} workers {template.instance_type} in {template.subnet}")
    return root
