"""From spec to plan."""

from __future__ import annotations

from coiled_pulumi.plan.cluster import image_key, plan_cluster, plan_images
from coiled_pulumi.plan.firewall import plan_security
from coiled_pulumi.plan.identity import plan_identity
from coiled_pulumi.plan.model import Cluster, LogGroup, Workspace
from coiled_pulumi.plan.network import plan_network
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.spec import rules
from coiled_pulumi.spec.cluster import Cluster as ClusterSpec
from coiled_pulumi.spec.workspace import Workspace as WorkspaceSpec


def build(spec: WorkspaceSpec) -> Workspace:
    """Plan a workspace that has passed the spec's rules; equal specs give equal plans."""
    tagger = Tagger(workspace=spec.name, stack=spec.name, extra=spec.tags)
    zone = rules.default_zone(spec)
    log_group = tagger.item("logs")
    machines = [m for cluster in spec.clusters.values() for m in (cluster.scheduler, cluster.worker)]
    return Workspace(
        name=spec.name,
        region=spec.region,
        zone=zone,
        network=plan_network(
            tagger,
            block=spec.network.cidr,
            region=spec.region,
            zones=rules.zones_of(spec),
            nat_zone=zone,
            layout=spec.network.layout,
        ),
        security=plan_security(
            tagger, tuple((port, rule.cidr) for rule in spec.ingress for port in rule.ports)
        ),
        identity=plan_identity(tagger, spec.region),
        logs=LogGroup(log_group.key, log_group.name, log_group.tags, retention_days=spec.logs.retention_days),
        images=plan_images(tagger, {image_key(machine.instance_type) for machine in machines}),
        account=spec.account,
        clusters=tuple(_cluster(tagger, spec, name, spec.clusters[name]) for name in sorted(spec.clusters)),
    )


def _cluster(tagger: Tagger, spec: WorkspaceSpec, name: str, cluster: ClusterSpec) -> Cluster:
    return plan_cluster(
        tagger,
        name,
        region=spec.region,
        zone=cluster.zone or rules.default_zone(spec),
        n_workers=cluster.n_workers,
        scheduler=(cluster.scheduler.instance_type, cluster.scheduler.disk.size),
        worker=(cluster.worker.instance_type, cluster.worker.disk.size),
    )
