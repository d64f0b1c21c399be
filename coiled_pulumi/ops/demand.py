"""What a plan asks of AWS: machines by cluster and role, and the few things of the network that have quotas."""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi.plan import model


@dataclass(frozen=True, slots=True)
class Launch:
    """Machines that are launched alike.

    Attributes:
        cluster: its name; empty for a NAT instance, which is the network's.
        role: `scheduler` or `worker`; empty for a NAT instance.
        types: instance types that may be launched, the preferred one first.
        spot: whether they count against the quota of spot machines.
        count: how many, 1 or more.
        zone: where.
        subnet: its key.
        image: its key.
        disk: size of the root disk in GiB.
        user_data: as text.
        tags: sorted pairs.
        groups: keys of its security groups.
        falls_back: whether on-demand machines take the place of spot ones that AWS has not.
    """

    cluster: str
    role: str
    types: tuple[str, ...]
    spot: bool
    count: int
    zone: str
    subnet: str
    image: str
    disk: int
    user_data: str
    tags: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    falls_back: bool = False

    @property
    def key(self) -> str:
        """Where its machine stands in the workspace file."""
        return f"clusters.{self.cluster}.{self.role}" if self.cluster else "network.nat"

    @property
    def mend(self) -> str:
        """What to lower in the file to ask for less."""
        return f"clusters.{self.cluster}.n_workers" if self.role == "worker" else self.key


#: GiB of a NAT instance's root disk: that of its image.
_NAT_DISK = 8


def launches(plan: model.Workspace) -> tuple[Launch, ...]:
    """Give every kind of machine of a workspace: those of each cluster, and a NAT instance."""
    found = [launch for cluster in plan.clusters for launch in _cluster(cluster)]
    nat = plan.network.nat_instance if isinstance(plan.network, model.Network) else None
    if nat is not None:
        tags = tuple(nat.tags.items())
        machine = (nat.zone, nat.subnet, nat.image, _NAT_DISK, nat.user_data, tags, (nat.group,))
        found.append(Launch("", "", (nat.instance_type,), False, 1, *machine))  # noqa: FBT003 not spot
    return tuple(found)


def _cluster(cluster: model.Cluster) -> tuple[Launch, ...]:
    one = cluster.scheduler
    rows = [("scheduler", one, (one.instance_type,), False, 1, False)]
    for workers in cluster.groups:
        market, types, many = workers.market, workers.instance_types, workers.template
        on_demand = min(market.on_demand_base, workers.n_workers) if market.spot else workers.n_workers
        rows += [
            ("worker", many, types, False, on_demand, False),
            ("worker", many, types, True, workers.n_workers - on_demand, market.fallback),
        ]
    return tuple(
        Launch(
            cluster.name,
            role,
            types,
            spot,
            count,
            cluster.zone,
            machine.subnet,
            machine.image,
            machine.disk.size,
            machine.user_data,
            tuple(machine.tags.items()),
            machine.groups,
            falls_back,
        )
        for role, machine, types, spot, count, falls_back in rows
        if count
    )


def machines_of(cluster: model.Cluster) -> tuple[model.Instance, ...]:
    """Give every kind of machine of a cluster, its scheduler first."""
    return (cluster.scheduler, *(group.template for group in cluster.groups))


def nat_zones(plan: model.Workspace) -> tuple[str, ...]:
    """Give the zones of the NAT gateways, a zone for each."""
    return (
        tuple(nat.zone for nat in plan.network.nat_gateways)
        if isinstance(plan.network, model.Network)
        else ()
    )


def held_addresses(plan: model.Workspace) -> tuple[model.Item, ...]:
    """Give the elastic addresses of a network of our own."""
    if not isinstance(plan.network, model.Network):
        return ()
    instance = plan.network.nat_instance
    return (*(nat.address for nat in plan.network.nat_gateways), *((instance.address,) if instance else ()))


def in_network(plan: model.Workspace, subnet: str) -> int:
    """Count the addresses of a new subnet that the network itself takes: NAT gateways and endpoints."""
    if not isinstance(plan.network, model.Network):
        return 0
    gateways = sum(nat.subnet == subnet for nat in plan.network.nat_gateways)
    return gateways + sum(subnet in endpoint.subnets for endpoint in plan.network.endpoints)


def existing_vpc(plan: model.Workspace) -> str:
    """Give the id of the network that is there already and only used; empty for one of our own."""
    return plan.network.vpc_id if isinstance(plan.network, model.ExistingNetwork) else ""


def existing_subnets(plan: model.Workspace) -> tuple[model.ExistingSubnet, ...]:
    """Give the subnets of an existing network."""
    return plan.network.subnets if isinstance(plan.network, model.ExistingNetwork) else ()


def named(plan: model.Workspace) -> tuple[tuple[str, str], ...]:
    """Give what the plan refers to by name and does not make, as pairs of kind and name."""
    machines = [one for cluster in plan.clusters for one in machines_of(cluster)]
    pairs = [("VPC", existing_vpc(plan))]
    pairs += [("key pair", machine.key_name or "") for machine in machines]
    pairs += [("capacity reservation", machine.capacity_reservation or "") for machine in machines]
    return tuple(dict.fromkeys((kind, name) for kind, name in pairs if name))


def identity_of(plan: model.Workspace, key: str) -> str:
    """Give by what AWS knows a subnet: its id where it is there already, else the name in its tags."""
    for subnet in plan.network.subnets:
        if subnet.key == key:
            return subnet.id if isinstance(subnet, model.ExistingSubnet) else subnet.name
    return ""


def block_of(plan: model.Workspace, key: str) -> str:
    """Give the block of a subnet that we make, empty for any other."""
    subnets = plan.network.subnets if isinstance(plan.network, model.Network) else ()
    return next((subnet.cidr for subnet in subnets if subnet.key == key), "")


def group_names(plan: model.Workspace) -> dict[str, str]:
    """Give the names of the security groups by key; they are in the groups' tags."""
    everywhere = (plan.security, *(cluster.security for cluster in plan.clusters))
    return {group.key: group.name for security in everywhere for group in security.groups}
