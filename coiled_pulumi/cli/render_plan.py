"""A plan as a table and as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coiled_pulumi import catalog
from coiled_pulumi.plan import draw
from coiled_pulumi.plan.model import ExistingNetwork, Network

if TYPE_CHECKING:
    from rich.table import Table
    from rich.tree import Tree

    from coiled_pulumi.plan.model import Cluster, Instance, Rule, WorkerGroup, Workspace


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading)
    return table


def plan_table(plan: Workspace) -> Any:
    """Show the network by zone, what its way out costs, who may come in, and the clusters in it."""
    from rich.console import Group

    logs = f"logs {plan.logs.retention_days} days"
    head = f"[bold]{plan.name}[/] in {plan.region}, network {_network_name(plan)}, {logs}"
    parts: list[Any] = [head]
    if catalog.regions()[plan.region].opt_in:
        enable = f"aws account enable-region --region-name {plan.region}"
        parts.append(
            f"[yellow]{plan.region} is an opt-in region[/]: an account enables it once, with `{enable}`"
        )
    parts += ["", _zones(plan)]
    if isinstance(plan.network, Network):
        parts += ["", _ways_out(plan.network)]
    rules = _rules(plan)
    parts += ["", rules] if rules.row_count else ["", "nothing reaches the schedulers from outside"]
    parts += ["", _clusters(plan)] if plan.clusters else []
    return Group(*parts)


def _network_name(plan: Workspace) -> str:
    if isinstance(plan.network, ExistingNetwork):
        return f"{plan.network.vpc_id} (existing, not changed)"
    return plan.network.vpc.cidr


def _zones(plan: Workspace) -> Table:
    network = plan.network
    zones = _table("zone", "private", "public", "")
    if isinstance(network, ExistingNetwork):
        blocks = {(subnet.zone, subnet.tier): subnet.id for subnet in network.subnets}
        notes: dict[str, str] = {}
    else:
        blocks = {(subnet.zone, subnet.tier): subnet.cidr for subnet in network.subnets}
        notes = {nat.zone: "NAT gateway" for nat in network.nat_gateways}
        if network.nat_instance is not None:
            notes[network.nat_instance.zone] = f"NAT instance, {network.nat_instance.instance_type}"
    for zone in sorted({zone for zone, _ in blocks}):
        zones.add_row(
            zone,
            blocks.get((zone, "private"), "none"),
            blocks.get((zone, "public"), "none"),
            notes.get(zone, ""),
        )
    return zones


def _ways_out(network: Network) -> Table:
    from coiled_pulumi.plan.cost import ways_out

    table = _table("way out (network.nat)", "USD a month", "USD a GB", "")
    for way in ways_out(network):
        per_gb = f"{way.per_gb:.3f}" if way.per_gb else "none"
        note = "chosen; list prices of us-east-1, before traffic" if way.chosen else ""
        table.add_row(way.nat, f"{way.monthly:.2f}", per_gb, note, style="" if way.chosen else "dim")
    return table


def _rules(plan: Workspace) -> Table:
    table = _table("opens", "to", "for")
    for rule in _opening(plan):
        owner = rule.tags.get("coiled-pulumi:cluster")
        table.add_row(_ports(rule), rule.peer, rule.description + (f", {owner} only" if owner else ""))
    return table


def _opening(plan: Workspace) -> list[Rule]:
    """Give the rules that let somebody outside in."""
    found = [rule for rule in plan.security.rules if rule.group == "scheduler-group"]
    return found + [rule for cluster in plan.clusters for rule in cluster.security.rules]


def _ports(rule: Rule) -> str:
    return str(rule.from_port) if rule.from_port == rule.to_port else f"{rule.from_port}-{rule.to_port}"


def _clusters(plan: Workspace) -> Table:
    table = _table("cluster", "zone", "workers", "worker", "scheduler")
    for cluster in plan.clusters:
        table.add_row(
            f"[bold]{cluster.name}[/]",
            cluster.zone,
            _workers(cluster.workers),
            _machine(cluster.workers.template, cluster.workers.instance_types),
            _machine(cluster.scheduler, (cluster.scheduler.instance_type,)),
        )
        for group in cluster.more:
            table.add_row(
                f"  {group.label}", "", _workers(group), _machine(group.template, group.instance_types)
            )
    return table


def _workers(group: WorkerGroup) -> str:
    market = group.market
    if not market.spot:
        return draw.count(group)
    base = f", {market.on_demand_base} on-demand" if market.on_demand_base else ""
    return f"{draw.count(group)} spot{base}{', with fallback' if market.fallback else ''}"


def _machine(instance: Instance, types: tuple[str, ...]) -> str:
    others = f" or {len(types) - 1} more" if len(types) > 2 else f" or {types[1]}" if len(types) == 2 else ""
    return f"{types[0]}{others}, {instance.disk.size} GiB"


def plan_tree(plan: Workspace) -> Any:
    """Show what belongs to what."""
    from rich.tree import Tree

    root = Tree(f"[bold]{plan.name}[/] {plan.region}")
    _network_branch(root.add(f"network {_network_name(plan)}"), plan)
    security = root.add("security groups")
    for group in plan.security.groups:
        branch = security.add(group.key)
        for rule in plan.security.rules:
            if rule.group == group.key:
                branch.add(rule.key.removeprefix(group.key.removesuffix("group")))
    root.add(f"role and instance profile {plan.name}")
    for policy in plan.identity.attachments:
        root.add(f"policy {policy.arn}")
    root.add(f"log group {plan.name}, {plan.logs.retention_days} days")
    for cluster in plan.clusters:
        _cluster_branch(root.add(f"cluster [bold]{cluster.name}[/] in {cluster.zone}"), cluster)
    return root


def _network_branch(network: Tree, plan: Workspace) -> None:
    subnets = plan.network.subnets
    for zone in sorted({subnet.zone for subnet in subnets}):
        branch = network.add(zone)
        for subnet in subnets:
            if subnet.zone == zone:
                branch.add(f"{subnet.tier} {getattr(subnet, 'cidr', None) or subnet.id}")  # type: ignore[union-attr]
    if isinstance(plan.network, ExistingNetwork):
        return
    for nat in plan.network.nat_gateways:
        network.add(f"NAT gateway in {nat.subnet}")
    if plan.network.nat_instance is not None:
        network.add(f"NAT instance in {plan.network.nat_instance.subnet}")
    for endpoint in plan.network.endpoints:
        network.add(f"endpoint {endpoint.service}")


def _cluster_branch(branch: Tree, cluster: Cluster) -> None:
    branch.add(f"scheduler {cluster.scheduler.instance_type} in {cluster.scheduler.subnet}")
    for group in cluster.groups:
        types = " or ".join(group.instance_types)
        called = "workers" if group is cluster.workers else f"workers of {group.label},"
        branch.add(f"{_workers(group)} {called} {types} in {group.template.subnet}")
    for rule in cluster.security.rules:
        branch.add(rule.key.removeprefix(f"{cluster.key}-"))
    if cluster.placement is not None:
        branch.add(f"placement group {cluster.placement.key}")
