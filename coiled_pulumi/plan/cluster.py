"""The plan of one cluster: a scheduler in the zone's public subnet, workers in its private one."""

from __future__ import annotations

import dataclasses

from coiled_pulumi.plan import firewall
from coiled_pulumi.plan.images import device_of, image_key, is_own
from coiled_pulumi.plan.model import Cluster, Disk, Instance, Item, Market, Security, WorkerGroup
from coiled_pulumi.plan.network import subnet_key
from coiled_pulumi.plan.node import plan_node
from coiled_pulumi.plan.tagging import PREFIX, Tagger
from coiled_pulumi.plan.userdata import user_data
from coiled_pulumi.spec import machines
from coiled_pulumi.spec.access import Ingress
from coiled_pulumi.spec.cluster import Cluster as ClusterSpec
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.settled import Settled
from coiled_pulumi.values import WORKERS

#: On a group: whoever waits for its workers may buy them on demand when there is no spot capacity.
FALLBACK_TAG = f"{PREFIX}spot-fallback"
_NO_SECURITY = Security((), ())


def pairs(ingress: tuple[Ingress, ...]) -> tuple[tuple[str, str], ...]:
    """Give every port with every block that may reach it."""
    return tuple((port, rule.cidr) for rule in ingress for port in rule.ports)


def images_of(cluster: Cluster) -> set[str]:
    """Give the keys of the images that a cluster needs looked up."""
    kinds = {cluster.scheduler.image, *(group.template.image for group in cluster.groups)}
    return {key for key in kinds if not is_own(key)}


def plan_cluster(tagger: Tagger, name: str, spec: ClusterSpec, settled: Settled) -> Cluster:
    """Plan a cluster.

    Args:
        tagger: makes the items.
        name: the cluster's name; the key of everything in it starts with it.
        spec: what was asked for.
        settled: its backend options.
    """
    key = f"cluster-{name}"
    tagger = dataclasses.replace(tagger, extra={**tagger.extra, **spec.tags})
    placement = tagger.item(f"{key}-placement", cluster=name) if settled.use_placement_group else None
    own = spec.ingress is not None
    outside = firewall.scheduler_group(name) if own else firewall.SCHEDULER
    make = _Maker(tagger, name, spec, settled, placement)
    kinds = {WORKERS: (spec.worker, spec.n_workers)} | {
        label: (group, group.n_workers) for label, group in sorted(spec.worker_groups.items())
    }
    workers, *more = (make.workers(label, *kind) for label, kind in kinds.items())
    gpus = {label: machines.resolve(kind, "worker", settled).gpus for label, (kind, _) in kinds.items()}
    return Cluster(
        key=key,
        name=name,
        zone=settled.zone,
        scheduler=make.instance(
            "scheduler",
            machines.resolve(spec.scheduler, "scheduler", settled),
            groups=(firewall.CLUSTER, outside),
            public=settled.use_scheduler_public_ip,
        ),
        workers=workers,
        more=tuple(more),
        security=firewall.plan_cluster_security(tagger, name, pairs(settled.ingress))
        if own
        else _NO_SECURITY,
        placement=placement,
        node=plan_node(
            tagger, name, spec, settled.region, {label: min(one, 1) for label, one in gpus.items()}
        ),
    )


class _Maker:
    """Makes the machines of one cluster."""

    def __init__(
        self, tagger: Tagger, name: str, spec: ClusterSpec, settled: Settled, placement: Item | None
    ) -> None:
        self._tagger, self._name, self._spec = tagger, name, spec
        self._settled, self._placement = settled, placement

    def workers(self, label: str, machine: Machine, n_workers: tuple[int, int]) -> WorkerGroup:
        settled = self._settled
        resolved = machines.resolve(machine, "worker", settled)
        # No name of a cluster has a dot: nothing of another cluster can be called the same.
        own = "" if label == WORKERS else f".{label}"
        least, most = n_workers
        return WorkerGroup(
            label=label,
            template=self.instance(
                "worker", resolved, groups=(firewall.CLUSTER,), public=False, own=own, group=label
            ),
            group=self._group(own),
            owner=self._tagger.item(f"cluster-{self._name}{own}-workers-owner", cluster=self._name),
            n_workers=least,
            most=most,
            instance_types=resolved.types,
            market=Market(settled.spot, settled.spot_on_demand_base, settled.spot_on_demand_fallback),
        )

    def instance(
        self,
        role: machines.Role,
        machine: machines.Resolved,
        *,
        groups: tuple[str, ...],
        public: bool,
        own: str = "",
        group: str = "",
    ) -> Instance:
        item = self._tagger.item(f"cluster-{self._name}{own}-{role}", cluster=self._name, role=role)
        image = self._settled.ami_id or image_key(machine.architecture, machine.image)
        settled = self._settled
        return Instance(
            item.key,
            item.name,
            item.tags,
            instance_type=machine.types[0],
            image=image,
            subnet=subnet_key("public" if public else "private", settled.zone),
            groups=groups,
            disk=Disk(device_of(image), machine.disk_size, machine.disk_throughput, machine.disk_iops),
            user_data=user_data(
                workspace=self._tagger.workspace,
                cluster=self._name,
                role=role,
                region=settled.region,
                group=group,
                agent=settled.agent,
            ),
            public_address=public,
            key_name=settled.keypair_name,
            placement_group=self._placement.key if self._placement else None,
            # A reservation is for machines of one type: the workers.
            capacity_reservation=settled.capacity_reservation_id if role == "worker" else None,
        )

    def _group(self, own: str) -> Item:
        item = self._tagger.item(f"cluster-{self._name}{own}-workers", cluster=self._name, role="worker")
        if self._settled.spot and self._settled.spot_on_demand_fallback:
            return Item(item.key, item.name, dict(sorted((item.tags | {FALLBACK_TAG: "true"}).items())))
        return item
