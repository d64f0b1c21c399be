"""The plans of stacks beside a workspace's: one cluster, or the subnets of one more zone."""

from __future__ import annotations

import dataclasses

from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import cluster_stack, zone_stack
from coiled_pulumi.plan.cluster import images_of, plan_cluster
from coiled_pulumi.plan.identity import plan_identity
from coiled_pulumi.plan.images import plan_images
from coiled_pulumi.plan.model import ClusterStack, Shared, ZoneStack
from coiled_pulumi.plan.network import PRIVATE, PUBLIC, existing_network, plan_subnets
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.settled import settle
from coiled_pulumi.spec.workspace import Workspace


def build_cluster(shared: Shared, declared: Workspace, name: str, spec: Cluster) -> ClusterStack:
    """Plan a cluster on what its workspace made.

    Args:
        shared: what the workspace made.
        declared: what its file says, with the config of whoever starts the cluster.
        name: the cluster's name.
        spec: what was asked for; it has passed the spec's rules.
    """
    tagger = Tagger(
        workspace=shared.workspace, stack=cluster_stack(shared.workspace, name), extra=declared.tags
    )
    cluster = plan_cluster(tagger, name, spec, settle(declared, spec))
    # Keys of a workspace's images are its own: a cluster that looks up the same image keeps its own answer.
    images = plan_images(tagger, images_of(cluster))
    return ClusterStack(shared=shared, images=images, cluster=cluster)


def build_zone(shared: Shared, declared: Workspace, zone: str, tables: dict[str, str]) -> ZoneStack:
    """Plan the subnets of a zone in the workspace's own network.

    Args:
        shared: what the workspace made.
        declared: what its file says.
        zone: a zone of the workspace's region without subnets.
        tables: ids of the route tables by key. A network with a way out for each zone has none for this one: its
            private subnet then uses that of the first zone.
    """
    tagger = Tagger(workspace=shared.workspace, stack=zone_stack(shared.workspace, zone), extra=declared.tags)
    network = declared.network
    planned = plan_subnets(tagger, network.cidr, zone, layout=network.layout)
    private = PRIVATE if PRIVATE in tables else min(key for key in tables if key != PUBLIC)
    subnets = tuple(
        dataclasses.replace(subnet, table=private) if subnet.tier == "private" else subnet
        for subnet in planned
    )
    return ZoneStack(
        workspace=shared.workspace,
        region=shared.region,
        account=shared.account,
        zone=zone,
        vpc_id=shared.vpc_id,
        tables={key: tables[key] for key in (PUBLIC, private)},
        subnets=subnets,
    )


def as_workspace(plan: ClusterStack) -> model.Workspace:
    """See a cluster as a workspace on an existing network: what is checked before a launch is the same."""
    shared = plan.shared
    tagger = Tagger(
        workspace=shared.workspace, stack=cluster_stack(shared.workspace, plan.cluster.name), extra={}
    )
    zones: dict[str, dict[str, str]] = {}
    for key, subnet_id in shared.subnets.items():
        tier, _, zone = key.partition("-")
        zones.setdefault(zone, {})[tier] = subnet_id
    subnets = {zone: (ids.get("public"), ids["private"]) for zone, ids in zones.items() if "private" in ids}
    logs = tagger.item("logs")
    return model.Workspace(
        name=shared.workspace,
        region=shared.region,
        zone=plan.cluster.zone,
        network=existing_network(shared.vpc_id, subnets),
        security=model.Security((), ()),
        identity=plan_identity(tagger, shared.region, physical_name=shared.profile),
        logs=model.LogGroup(logs.key, logs.name, logs.tags, retention_days=0),
        images=plan.images,
        clusters=(plan.cluster,),
        account=shared.account,
    )
