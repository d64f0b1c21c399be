"""The network of a plan as an SVG picture: zones as columns, the public row above the private one."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from coiled_pulumi.plan.model import Cluster, ExistingNetwork, ExistingSubnet, Subnet, WorkerGroup, Workspace

#: Measures in pixels.
COLUMN, GAP, MARGIN, LINE, HEAD = 190, 14, 24, 34, 44
#: More clusters than this in one subnet are counted, not drawn.
MOST = 6

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2933 }
.title { font-size: 16px; font-weight: 600 }
.note { fill: #616e7c; font-size: 11px }
.vpc { fill: #f8fafc; stroke: #52606d; stroke-width: 1.5 }
.zone { fill: none; stroke: #9aa5b1; stroke-dasharray: 4 3 }
.public { fill: #e3f8ec; stroke: #2f9e5f }
.private { fill: #e6f0fb; stroke: #2f6fb2 }
.machine { fill: #ffffff; stroke: #52606d }
.way { stroke: #52606d; stroke-width: 1.5; fill: none; marker-end: url(#arrow) }
"""
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="#52606d"/></marker></defs>'
)


def draw(plan: Workspace) -> str:
    """Draw the network; equal plans give equal text."""
    zones = sorted({subnet.zone for subnet in plan.network.subnets})
    rows = max((_machines(plan, zone) for zone in zones), default=0)
    height = HEAD + rows * LINE + GAP
    width = len(zones) * (COLUMN + GAP) + GAP
    top = MARGIN + 92
    canvas = (width + 2 * MARGIN, top + 2 * height + 96)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{canvas[0]}" height="{canvas[1]}" '
        f'viewBox="0 0 {canvas[0]} {canvas[1]}" role="img">',
        f"<title>Network of the workspace {escape(plan.name)}</title>",
        f"<style>{_STYLE}</style>{_ARROW}",
        *_frame(plan, width, top, 2 * height + 66),
    ]
    for index, zone in enumerate(zones):
        left = MARGIN + GAP + index * (COLUMN + GAP)
        parts += _zone(plan, zone, left, top + 26, height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _machines(plan: Workspace, zone: str) -> int:
    return min(sum(cluster.zone == zone for cluster in plan.clusters), MOST + 1)


def _frame(plan: Workspace, width: int, top: int, height: int) -> Iterator[str]:
    middle = MARGIN + width // 2
    opened = [rule for rule in plan.security.rules if rule.group == "scheduler-group"]
    ports = ", ".join(f"{rule.from_port} from {rule.peer}" for rule in opened) or "nothing"
    yield _text(MARGIN, MARGIN + 8, f"{plan.name} in {plan.region}", "title")
    yield _text(MARGIN, MARGIN + 28, f"open to schedulers: {ports}", "note")
    yield _box(middle - 70, MARGIN + 40, 140, 26, "machine")
    yield _text(middle, MARGIN + 57, "internet gateway", anchor="middle")
    yield _box(MARGIN, top, width, height, "vpc")
    name, note = _network(plan)
    yield _text(MARGIN + 10, top + 18, name)
    yield _text(MARGIN + width - 10, top + 18, note, "note", anchor="end")
    yield f'<path class="way" d="M{middle} {MARGIN + 66}V{top}"/>'


def _network(plan: Workspace) -> tuple[str, str]:
    if isinstance(plan.network, ExistingNetwork):
        return f"VPC {plan.network.vpc_id}", "existing, not changed"
    interfaces = sum(endpoint.kind == "Interface" for endpoint in plan.network.endpoints)
    more = f", {interfaces} interface endpoints" if interfaces else ""
    return f"VPC {plan.network.vpc.cidr}", f"S3 gateway endpoint{more}"


def _zone(plan: Workspace, zone: str, left: int, top: int, height: int) -> Iterator[str]:
    subnets = {subnet.tier: subnet for subnet in plan.network.subnets if subnet.zone == zone}
    clusters = [cluster for cluster in plan.clusters if cluster.zone == zone]
    yield _box(left - 4, top, COLUMN + 8, 2 * height + 30, "zone")
    yield _text(left + 4, top + 16, zone, "note")
    note = _way_out(plan, zone)
    labels = [f"{cluster.name}: scheduler {cluster.scheduler.instance_type}" for cluster in clusters]
    if "public" in subnets:
        yield from _subnet(subnets["public"], left, top + 24, height - 6, labels, note)
    labels = [_workers(cluster, group) for cluster in clusters for group in cluster.groups]
    yield from _subnet(subnets["private"], left, top + 24 + height, height - 6, labels, "")


def _way_out(plan: Workspace, zone: str) -> str:
    if isinstance(plan.network, ExistingNetwork):
        return ""
    gateways = {nat.zone for nat in plan.network.nat_gateways}
    whose = "all private subnets" if len(gateways) == 1 else "this zone's private subnet"
    if zone in gateways:
        return f"NAT gateway, way out of {whose}"
    instance = plan.network.nat_instance
    return "NAT instance, way out of all private subnets" if instance and instance.zone == zone else ""


def _workers(cluster: Cluster, group: WorkerGroup) -> str:
    own = "" if group is cluster.workers else f" {group.label}"
    return f"{cluster.name}{own}: {count(group)} \u00d7 {group.template.instance_type}"


def count(group: WorkerGroup) -> str:
    """Say how many workers a group has."""
    return f"{group.n_workers} to {group.most}" if group.runtime else str(group.n_workers)


def _subnet(
    subnet: Subnet | ExistingSubnet, left: int, top: int, height: int, labels: list[str], note: str
) -> Iterator[str]:
    yield _box(left, top, COLUMN, height, subnet.tier)
    yield _text(
        left + 8, top + 16, f"{subnet.tier} {subnet.cidr if isinstance(subnet, Subnet) else subnet.id}"
    )
    if note:
        yield f"<g><title>{note}</title>{_text(left + 8, top + 32, note.split(',')[0], 'note')}</g>"
    shown = labels[:MOST] + ([f"and {len(labels) - MOST} more"] if len(labels) > MOST else [])
    for index, label in enumerate(shown):
        y = top + HEAD - 4 + index * LINE
        yield _box(left + 8, y, COLUMN - 16, LINE - 8, "machine")
        short = label if len(label) <= 27 else label[:26] + "…"
        yield f"<g><title>{escape(label)}</title>{_text(left + 14, y + 17, short)}</g>"


def _box(x: int, y: int, width: int, height: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'


def _text(x: int, y: int, text: str, kind: str = "", *, anchor: str = "") -> str:
    attributes = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x}" y="{y}"{attributes}>{escape(text)}</text>'
