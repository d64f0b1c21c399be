"""Rules across objects: each looks at the whole workspace and gives the problems that it finds."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator

from coiled_pulumi import catalog
from coiled_pulumi.errors import Problem, echo
from coiled_pulumi.spec import machine_rules, tags
from coiled_pulumi.spec.access import Ingress
from coiled_pulumi.spec.base import suggest
from coiled_pulumi.spec.cluster import Cluster, largest
from coiled_pulumi.spec.settled import Settled, settle
from coiled_pulumi.spec.workspace import Workspace

#: Rules of one security group that AWS allows by default; each port and block is one.
#: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MAX_INGRESS_RULES = 60
#: Addresses of each subnet that AWS keeps for itself.
RESERVED_ADDRESSES = 5
#: What a NAT instance is: the smallest machine that is not slower than its network.
NAT_INSTANCE_TYPE = "t4g.nano"


def region_of(workspace: Workspace) -> catalog.RegionFacts:
    """Give the facts of the workspace's region."""
    return catalog.regions()[settle(workspace).region]


def zones_of(workspace: Workspace) -> tuple[str, ...]:
    """Give the zones that have subnets, in order of their names."""
    existing = workspace.network.existing
    if existing is not None:
        return tuple(sorted(existing.subnets))
    return tuple(sorted(workspace.network.zones or region_of(workspace).zones))


def default_zone(workspace: Workspace) -> str:
    """Give the zone of clusters that name none."""
    return settle(workspace).zone


def clusters_stand_in_the_region(workspace: Workspace) -> Iterator[Problem]:
    """The clusters of a file are in the region of its workspace."""
    region = region_of(workspace).name
    for name, cluster in workspace.clusters.items():
        if cluster.region not in (None, region):
            what = f"must be the workspace's region {region}, got {echo(cluster.region)}"
            hint = f"coiled-pulumi cluster start {name} --region {cluster.region} makes a network there"
            yield Problem(f"clusters.{name}.region", what, hint=hint)


def network_zones_exist(workspace: Workspace) -> Iterator[Problem]:
    """Every zone of the network is one of the region."""
    region = region_of(workspace)
    existing = workspace.network.existing
    places = [(f"network.zones[{index}]", zone) for index, zone in enumerate(workspace.network.zones or ())]
    places += [(f"network.existing.subnets.{zone}", zone) for zone in existing.subnets] if existing else []
    for path, zone in places:
        if zone not in region.zones:
            yield no_such_zone(region, zone, path)


def no_such_zone(region: catalog.RegionFacts, zone: str, path: str) -> Problem:
    """Say that a region does not have a zone, and which is meant or there."""
    near = suggest(catalog.nearest(zone, list(region.zones), most=1))
    hint = near or "it has " + ", ".join(region.zones)
    return Problem(path, f"must be a zone of {region.name}, got {echo(zone)}", hint=hint)


def chosen_zones_have_subnets(workspace: Workspace) -> Iterator[Problem]:
    """The zone of the workspace and of each cluster has subnets."""
    zones = zones_of(workspace)
    default = default_zone(workspace)
    if workspace.zone is None and default not in zones:
        what = f"is required, its default {default} is not one of {_where(workspace)}"
        yield Problem("zone", what, hint="it lists " + ", ".join(map(echo, zones)))
    elif default not in zones:
        yield _no_subnet(workspace, "zone", default, zones)
    region = region_of(workspace).name
    for name, cluster in workspace.clusters.items():
        elsewhere = cluster.region not in (None, region)
        if cluster.zone is not None and cluster.zone not in zones and not elsewhere:
            yield _no_subnet(workspace, f"clusters.{name}.zone", cluster.zone, zones)


def _where(workspace: Workspace) -> str:
    return "network.existing.subnets" if workspace.network.existing else "network.zones"


def _no_subnet(workspace: Workspace, path: str, zone: str, zones: tuple[str, ...]) -> Problem:
    region = region_of(workspace)
    if zone not in region.zones:
        return no_such_zone(region, zone, path)
    what = f"must be one of {_where(workspace)}, got {echo(zone)}"
    return Problem(path, what, hint="it lists " + ", ".join(map(echo, zones)))


def workers_fit_their_subnet(workspace: Workspace) -> Iterator[Problem]:
    """The workers of all clusters of a zone fit in the zone's private subnet (an eighth of the network)."""
    if workspace.network.existing is not None:
        return  # `preflight` asks how many addresses are left
    prefix = ipaddress.IPv4Network(workspace.network.cidr).prefixlen + 3
    room = 2 ** (32 - prefix) - RESERVED_ADDRESSES
    wanted: Counter[str] = Counter()
    for name, cluster in workspace.clusters.items():
        zone = settle(workspace, cluster).zone
        wanted[zone] += largest(cluster)
        if wanted[zone] > room:
            yield Problem(
                f"clusters.{name}.n_workers",
                f"must fit the private subnet of {zone}: room for {room} workers, {wanted[zone]} wanted",
                hint="use another zone or a larger network.cidr",
            )


def schedulers_fit_their_subnet(workspace: Workspace) -> Iterator[Problem]:
    """The schedulers of a zone and a NAT gateway fit in the zone's public subnet (a 64th of the network)."""
    if workspace.network.existing is not None:
        return
    prefix = ipaddress.IPv4Network(workspace.network.cidr).prefixlen + 6
    room = 2 ** (32 - prefix) - RESERVED_ADDRESSES - 1
    wanted: Counter[str] = Counter()
    for name, cluster in workspace.clusters.items():
        zone = settle(workspace, cluster).zone
        wanted[zone] += 1
        if wanted[zone] > room:
            yield Problem(
                f"clusters.{name}",
                f"must fit the public subnet of {zone}: room for {room} schedulers, {wanted[zone]} wanted",
                hint="use another zone or a larger network.cidr",
            )


def ingress_rules_distinct(workspace: Workspace) -> Iterator[Problem]:
    """No port is opened twice to the same block, and there are not more rules than AWS takes."""
    yield from _distinct("ingress", workspace.ingress or ())
    for name, cluster in workspace.clusters.items():
        yield from _distinct(f"clusters.{name}.ingress", cluster.ingress or ())


def _distinct(path: str, rules: tuple[Ingress, ...]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(rules):
        for port in rule.ports:
            if (port, rule.cidr) in seen:
                what = f"must not open port {port} to {rule.cidr} again"
                yield Problem(f"{path}[{index}].ports", what)
            seen.add((port, rule.cidr))
    if len(seen) > MAX_INGRESS_RULES:
        what = f"must be at most {MAX_INGRESS_RULES} pairs of port and block, got {len(seen)}"
        yield Problem(path, what, hint="AWS's limit for one security group")


def options_fit_together(workspace: Workspace) -> Iterator[Problem]:
    """What a cluster says about spot, reservations and its scheduler's address makes sense with the rest."""
    existing = workspace.network.existing
    for name, cluster in workspace.clusters.items():
        settled = settle(workspace, cluster)
        path = f"clusters.{name}"
        yield from market_fits(cluster, settled, f"{path}.")
        subnets = existing.subnets.get(settled.zone) if existing else None
        if settled.use_scheduler_public_ip and subnets and subnets.public is None:
            what = f"needs a public subnet of {settled.zone} for its scheduler"
            hint = f"add network.existing.subnets.{settled.zone}.public or set use_scheduler_public_ip: false"
            yield Problem(path, what, hint=hint)


def market_fits(cluster: Cluster, settled: Settled, at: str = "") -> Iterator[Problem]:
    """How workers are bought makes sense; `at` stands before the path of each problem."""
    for key in ("spot_on_demand_fallback", "spot_on_demand_base"):
        if getattr(cluster, key) and not settled.spot:
            yield Problem(f"{at}{key}", "needs spot: true", hint="without it all workers are on-demand")
    if settled.capacity_reservation_id and len(cluster.worker.instance_type or ()) > 1:
        what = "must be one type with a capacity reservation"
        yield Problem(
            f"{at}worker.instance_type", what, hint="aws ec2 describe-capacity-reservations shows it"
        )
    if settled.spot and settled.capacity_reservation_id:
        what = "must be false with a capacity reservation"
        yield Problem(f"{at}spot", what, hint="reservations are on-demand")


def software_fits_together(workspace: Workspace) -> Iterator[Problem]:
    """A container has its packages in it."""
    for name, cluster in workspace.clusters.items():
        yield from software_fits(cluster, f"clusters.{name}.")


def software_fits(cluster: Cluster, at: str = "") -> Iterator[Problem]:
    """A container has its packages in it; `at` stands before the path of each problem."""
    for key in ("packages", "python"):
        if cluster.container is not None and getattr(cluster, key) is not None:
            yield Problem(f"{at}{key}", "must be left out beside container", hint="the image has its own")


def tags_fit_together(workspace: Workspace) -> Iterator[Problem]:
    """The tags of a cluster and those of its workspace fit on one resource."""
    for name, cluster in workspace.clusters.items():
        count = len({**workspace.tags, **cluster.tags})
        if count > tags.MOST:
            what = f"must be at most {tags.MOST} with those of the workspace, got {count}"
            yield Problem(f"clusters.{name}.tags", what)


def nat_instance_is_offered(workspace: Workspace) -> Iterator[Problem]:
    """The zone that a NAT instance stands in has machines for it."""
    if workspace.network.nat != "instance" or workspace.network.existing is not None:
        return
    settled = settle(workspace)
    offered = catalog.offered(settled.region)
    if offered is not None and settled.zone[-1] not in offered.get(NAT_INSTANCE_TYPE, ""):
        what = f"must not be 'instance' in {settled.zone}, which does not offer {NAT_INSTANCE_TYPE}"
        yield Problem("network.nat", what, hint="take another zone for the workspace, or a gateway")


RULES: tuple[Callable[[Workspace], Iterator[Problem]], ...] = (
    clusters_stand_in_the_region,
    network_zones_exist,
    chosen_zones_have_subnets,
    workers_fit_their_subnet,
    schedulers_fit_their_subnet,
    ingress_rules_distinct,
    options_fit_together,
    software_fits_together,
    tags_fit_together,
    nat_instance_is_offered,
)


def check(workspace: Workspace) -> tuple[Problem, ...]:
    """Apply every rule; those about machines only where their regions and zones exist."""
    found = tuple(problem for rule in RULES for problem in rule(workspace))
    places = (".region", ".zone", "zone", "region")
    if any(problem.path.endswith(places) or problem.path.startswith("network.") for problem in found):
        return found
    return found + tuple(machine_rules.check(workspace))
