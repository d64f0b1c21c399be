"""From spec to plan."""

from __future__ import annotations

from coiled_pulumi.plan import firewall
from coiled_pulumi.plan.cluster import images_of, pairs, plan_cluster
from coiled_pulumi.plan.identity import plan_identity
from coiled_pulumi.plan.images import plan_images
from coiled_pulumi.plan.model import ExistingNetwork, LogGroup, Network, Workspace
from coiled_pulumi.plan.network import NAT_IMAGE, existing_network, plan_network
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.spec import rules
from coiled_pulumi.spec.settled import Settled, settle
from coiled_pulumi.spec.workspace import Workspace as WorkspaceSpec


def build(
    spec: WorkspaceSpec, *, declared: WorkspaceSpec | None = None, extension: bool = False
) -> Workspace:
    """Plan a workspace that has passed the spec's rules; equal specs give equal plans.

    Args:
        spec: what counts, the config included.
        declared: what the file alone says, for clusters beside it; `spec` if not given.
        extension: whether it is the network of a further region of a workspace: its stack and its role then have a
            name of their own, since a role is one for all regions.
    """
    stack = region_stack(spec.name, settle(spec).region) if extension else spec.name
    tagger = Tagger(workspace=spec.name, stack=stack, extra=spec.tags)
    settled = settle(spec)
    log_group = tagger.item("logs")
    clusters = tuple(
        plan_cluster(tagger, name, spec.clusters[name], settle(spec, spec.clusters[name]))
        for name in sorted(spec.clusters)
    )
    network = _network(tagger, spec, settled)
    images = {key for cluster in clusters for key in images_of(cluster)}
    nat_instance = isinstance(network, Network) and network.nat_instance is not None
    return Workspace(
        name=spec.name,
        region=settled.region,
        zone=settled.zone,
        network=network,
        security=firewall.plan_security(
            tagger, pairs(settled.ingress), nat_from=spec.network.cidr if nat_instance else None
        ),
        identity=plan_identity(
            tagger,
            settled.region,
            physical_name=f"{spec.name}@{settled.region}" if extension else spec.name,
            policies=spec.iam.instance_policies,
            s3=tuple((one.bucket, one.access) for one in spec.iam.s3),
            agents=tuple(filter(None, (spec.agent, *(one.agent for one in spec.clusters.values())))),
        ),
        logs=LogGroup(log_group.key, log_group.name, log_group.tags, retention_days=spec.logs.retention_days),
        images=plan_images(tagger, images | ({NAT_IMAGE} if nat_instance else set())),
        account=spec.account,
        declared=(declared or spec).declared() | {"region": settled.region},
        clusters=clusters,
    )


def region_stack(workspace: str, region: str) -> str:
    """Give the name of the stack with the network of a further region."""
    return f"{workspace}.region.{region}"


def zone_stack(workspace: str, zone: str) -> str:
    """Give the name of the stack with the subnets of a further zone."""
    return f"{workspace}.zone.{zone}"


def cluster_stack(workspace: str, cluster: str) -> str:
    """Give the name of the stack of a cluster beside its workspace's file; no cluster's name has a dot in it."""
    return f"{workspace}.{cluster}"


def _network(tagger: Tagger, spec: WorkspaceSpec, settled: Settled) -> Network | ExistingNetwork:
    existing = spec.network.existing
    if existing is not None:
        subnets = {zone: (one.public, one.private) for zone, one in existing.subnets.items()}
        return existing_network(existing.vpc_id, subnets)
    return plan_network(
        tagger,
        block=spec.network.cidr,
        region=settled.region,
        zones=rules.zones_of(spec),
        nat=spec.network.nat,
        nat_zone=settled.zone,
        layout=spec.network.layout,
        endpoint_group=firewall.CLUSTER,
    )
