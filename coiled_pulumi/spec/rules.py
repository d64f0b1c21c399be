"""Rules across objects: each looks at the whole workspace and gives the problems that it finds."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator

from coiled_pulumi import catalog
from coiled_pulumi.errors import Problem, echo
from coiled_pulumi.spec.base import suggest
from coiled_pulumi.spec.workspace import Workspace

#: Rules of one security group that AWS allows by default; each port and block is one.
#: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MAX_INGRESS_RULES = 60
#: Addresses of each subnet that AWS keeps for itself.
RESERVED_ADDRESSES = 5


def zones_of(workspace: Workspace) -> tuple[str, ...]:
    """Give the zones that have a subnet pair, in order of their names."""
    return tuple(sorted(workspace.network.zones or catalog.regions()[workspace.region].zones))


def default_zone(workspace: Workspace) -> str:
    """Give the zone of clusters that name none."""
    return workspace.zone or catalog.regions()[workspace.region].default_zone


def network_zones_exist(workspace: Workspace) -> Iterator[Problem]:
    """Every zone of the network is one of the region."""
    known = catalog.regions()[workspace.region].zones
    for index, zone in enumerate(workspace.network.zones or ()):
        if zone not in known:
            yield Problem(
                f"network.zones[{index}]",
                f"must be a zone of {workspace.region}, got {echo(zone)}",
                hint=_near_zone(workspace, zone),
            )


def _near_zone(workspace: Workspace, zone: str) -> str:
    known = catalog.regions()[workspace.region].zones
    return suggest(catalog.nearest(zone, list(known), most=1)) or "it has " + ", ".join(known)


def chosen_zones_have_subnets(workspace: Workspace) -> Iterator[Problem]:
    """The zone of the workspace and of each cluster has a subnet pair."""
    zones = zones_of(workspace)
    if workspace.zone is None and default_zone(workspace) not in zones:
        what = f"is required, its default {default_zone(workspace)} is not one of network.zones"
        yield Problem("zone", what, hint="it lists " + ", ".join(map(echo, zones)))
    elif default_zone(workspace) not in zones:
        yield _no_subnet(workspace, "zone", default_zone(workspace), zones)
    for name, cluster in workspace.clusters.items():
        if cluster.zone is not None and cluster.zone not in zones:
            yield _no_subnet(workspace, f"clusters.{name}.zone", cluster.zone, zones)


def _no_subnet(workspace: Workspace, path: str, zone: str, zones: tuple[str, ...]) -> Problem:
    if zone not in catalog.regions()[workspace.region].zones:
        what = f"must be a zone of {workspace.region}, got {echo(zone)}"
        return Problem(path, what, hint=_near_zone(workspace, zone))
    what = f"must be one of network.zones, got {echo(zone)}"
    return Problem(path, what, hint="it lists " + ", ".join(map(echo, zones)))


def workers_fit_their_subnet(workspace: Workspace) -> Iterator[Problem]:
    """The workers of all clusters of a zone fit in the zone's private subnet (an eighth of the network)."""
    prefix = ipaddress.IPv4Network(workspace.network.cidr).prefixlen + 3
    room = 2 ** (32 - prefix) - RESERVED_ADDRESSES
    wanted: Counter[str] = Counter()
    for name, cluster in workspace.clusters.items():
        zone = cluster.zone or default_zone(workspace)
        wanted[zone] += cluster.n_workers
        if wanted[zone] > room:
            yield Problem(
                f"clusters.{name}.n_workers",
                f"must fit the private subnet of {zone}: room for {room} workers, {wanted[zone]} wanted",
                hint="use another zone or a larger network.cidr",
            )


def schedulers_fit_their_subnet(workspace: Workspace) -> Iterator[Problem]:
    """The schedulers of a zone and a NAT gateway fit in the zone's public subnet (a 64th of the network)."""
    prefix = ipaddress.IPv4Network(workspace.network.cidr).prefixlen + 6
    room = 2 ** (32 - prefix) - RESERVED_ADDRESSES - 1
    wanted: Counter[str] = Counter()
    for name, cluster in workspace.clusters.items():
        zone = cluster.zone or default_zone(workspace)
        wanted[zone] += 1
        if wanted[zone] > room:
            yield Problem(
                f"clusters.{name}",
                f"must fit the public subnet of {zone}: room for {room} schedulers, {wanted[zone]} wanted",
                hint="use another zone or a larger network.cidr",
            )


def ingress_rules_distinct(workspace: Workspace) -> Iterator[Problem]:
    """No port is opened twice to the same block, and there are not more rules than AWS takes."""
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(workspace.ingress):
        for port in rule.ports:
            if (port, rule.cidr) in seen:
                what = f"must not open port {port} to {rule.cidr} again"
                yield Problem(f"ingress[{index}].ports", what)
            seen.add((port, rule.cidr))
    if len(seen) > MAX_INGRESS_RULES:
        what = f"must be at most {MAX_INGRESS_RULES} pairs of port and block, got {len(seen)}"
        yield Problem("ingress", what, hint="AWS's limit for one security group")


RULES: tuple[Callable[[Workspace], Iterator[Problem]], ...] = (
    network_zones_exist,
    chosen_zones_have_subnets,
    workers_fit_their_subnet,
    schedulers_fit_their_subnet,
    ingress_rules_distinct,
)


def check(workspace: Workspace) -> tuple[Problem, ...]:
    """Apply every rule."""
    return tuple(problem for rule in RULES for problem in rule(workspace))
