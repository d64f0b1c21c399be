"""One Dask cluster."""

import base64
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import autoscaling, ec2

from coiled_pulumi.components._base import METADATA, Component
from coiled_pulumi.components.ground import Ground
from coiled_pulumi.components.node import Node, config_text, pieces_of
from coiled_pulumi.components.security import make_groups
from coiled_pulumi.plan import model
from coiled_pulumi.plan.identity import OWNER_TAG


class Cluster(Component):
    """A scheduler in the zone's public subnet and groups of workers in its private one.

    Attributes:
        worker_groups: names of the auto scaling groups by label; `workers` is the one that every cluster has.
        security: certificate, key and token of a client.
    """

    scheduler_public_address: pulumi.Output[str]
    scheduler_private_address: pulumi.Output[str]
    scheduler_id: pulumi.Output[str]
    worker_groups: dict[str, pulumi.Output[str]]
    security: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        plan: model.Cluster,
        *,
        ground: Ground,
        workspace: str,
        environ: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make it.

        Args:
            name: logical name of the component.
            plan: the cluster.
            ground: what it stands on.
            workspace: name of its workspace.
            environ: the values of its variables.
            opts: of the component.
        """
        super().__init__(name, opts)
        self._ground = ground
        self._group_ids = {**ground.group_ids, **make_groups(self, plan.security, ground.vpc_id)}
        self._placement = self._placement_group(plan.placement) if plan.placement else None
        scheduler = self._scheduler(plan.scheduler)
        self.scheduler_id = scheduler.id
        self.scheduler_public_address = scheduler.public_ip
        self.scheduler_private_address = scheduler.private_ip
        self.worker_groups = {group.label: self._workers(group).name for group in plan.groups}
        for group in plan.groups:
            self._own(group, scheduler)
        self.security = self._node(name, plan, (workspace, plan.name), environ or {})
        self.register_outputs({"schedulerId": self.scheduler_id, "workerGroups": self.worker_groups})

    def _node(
        self, name: str, plan: model.Cluster, names: tuple[str, str], environ: Mapping[str, str]
    ) -> pulumi.Output[dict[str, str]]:
        return Node(
            f"{name}-node",
            plan.node,
            cluster=names,
            scheduler=(self.scheduler_id, self.scheduler_private_address),
            groups=list(self.worker_groups.values()),
            environ=environ,
            pieces=pieces_of(config_text(plan.node, environ)),
            opts=self.child(),
        ).security

    def _own(self, plan: model.WorkerGroup, scheduler: ec2.Instance) -> None:
        """Name the scheduler on the group, once both are there: it may then end the group, and nobody else may."""
        autoscaling.Tag(
            plan.owner.name,
            autoscaling_group_name=self.worker_groups[plan.label],
            tag={"key": OWNER_TAG, "value": scheduler.id, "propagate_at_launch": False},
            opts=self.child(),
        )

    def _placement_group(self, plan: model.Item) -> pulumi.Output[str]:
        return ec2.PlacementGroup(plan.name, strategy="cluster", tags=plan.tags, opts=self.child()).name

    def _image(self, plan: model.Instance) -> pulumi.Input[str]:
        """Give the id of an image; one of the user's own is its key."""
        return self._ground.image_ids.get(plan.image, plan.image)

    def _before(self, tier: str) -> list[pulumi.Resource]:
        return list(self._ground.before.get(tier, ()))

    def _scheduler(self, plan: model.Instance) -> ec2.Instance:
        return ec2.Instance(
            plan.name,
            ami=self._image(plan),
            instance_type=plan.instance_type,
            subnet_id=self._ground.subnet_ids[plan.subnet],
            vpc_security_group_ids=[self._group_ids[key] for key in plan.groups],
            # Asked for here and not by the subnet, so that one visible resource is what faces the internet.
            associate_public_ip_address=plan.public_address,
            iam_instance_profile=self._ground.profile_name,
            metadata_options=METADATA,
            root_block_device={"delete_on_termination": True, "encrypted": True, **_volume(plan.disk)},
            key_name=plan.key_name,
            placement_group=self._placement,
            capacity_reservation_specification=_reservation(plan),
            user_data=plan.user_data,
            user_data_replace_on_change=True,
            # A machine that has ended its cluster powers off, and is gone.
            instance_initiated_shutdown_behavior="terminate",
            tags=plan.tags,
            volume_tags=plan.tags,
            opts=self.child(*self._before("public" if plan.public_address else "private")),
        )

    def _workers(self, plan: model.WorkerGroup) -> autoscaling.Group:
        template = self._template(plan.template)
        reference = {"version": template.latest_version.apply(str)}
        return autoscaling.Group(
            plan.group.name,
            # Its own scheduler may bring it to nothing; the cap is what nobody gets past.
            min_size=0,
            max_size=plan.most,
            desired_capacity=plan.n_workers,
            vpc_zone_identifiers=[self._ground.subnet_ids[plan.template.subnet]],
            launch_template=None if plan.mixed else {"id": template.id, **reference},
            mixed_instances_policy=_mixed(plan, template, reference) if plan.mixed else None,
            # Whoever lowers a size at run time means those that have not joined yet.
            termination_policies=["NewestInstance"] if plan.runtime else None,
            # A spot machine that AWS is about to take back is replaced before it goes.
            capacity_rebalance=plan.market.spot or None,
            # We wait for workers ourselves and name the reasons; the provider's wait is ten minutes of silence.
            wait_for_capacity_timeout="0",
            force_delete=True,
            tags=[
                {"key": key, "value": value, "propagate_at_launch": False}
                for key, value in plan.group.tags.items()
            ],
            # AWS takes another subnet for what it launches next and leaves the members where they are; a cluster that
            # moves has to move whole, and a subnet with members in it cannot be deleted.
            opts=self.child(
                *self._before("private"),
                replace_on_changes=["vpcZoneIdentifiers"],
                ignore_changes=["desiredCapacity"] if plan.runtime else [],
            ),
        )

    def _template(self, plan: model.Instance) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            plan.name,
            image_id=self._image(plan),
            instance_type=plan.instance_type,
            vpc_security_group_ids=[self._group_ids[key] for key in plan.groups],
            iam_instance_profile={"name": self._ground.profile_name},
            metadata_options=METADATA,
            block_device_mappings=[
                {
                    "device_name": plan.disk.device,
                    "ebs": {"delete_on_termination": "true", "encrypted": "true", **_volume(plan.disk)},
                }
            ],
            key_name=plan.key_name,
            placement={"group_name": self._placement} if self._placement is not None else None,
            capacity_reservation_specification=_reservation(plan),
            user_data=base64.b64encode(plan.user_data.encode()).decode(),
            tag_specifications=[
                {"resource_type": kind, "tags": plan.tags}
                for kind in ("instance", "network-interface", "volume")
            ],
            tags=plan.tags,
            update_default_version=True,
            opts=self.child(),
        )


def _volume(plan: model.Disk) -> dict[str, Any]:
    found = {"volume_type": "gp3", "volume_size": plan.size, "throughput": plan.throughput, "iops": plan.iops}
    return {key: value for key, value in found.items() if value is not None}


def _reservation(plan: model.Instance) -> dict[str, Any] | None:
    if plan.capacity_reservation is None:
        return None
    return {"capacity_reservation_target": {"capacity_reservation_id": plan.capacity_reservation}}


def _mixed(
    plan: model.WorkerGroup, template: ec2.LaunchTemplate, reference: dict[str, Any]
) -> dict[str, Any]:
    """Make the policy: on-demand machines by the order of types, spot ones where AWS has most to spare for least."""
    return {
        "launch_template": {
            "launch_template_specification": {"launch_template_id": template.id, **reference},
            "overrides": [{"instance_type": name} for name in plan.instance_types],
        },
        "instances_distribution": {
            "on_demand_allocation_strategy": "prioritized",
            "on_demand_base_capacity": plan.market.on_demand_base,
            "on_demand_percentage_above_base_capacity": 0 if plan.market.spot else 100,
            "spot_allocation_strategy": "price-capacity-optimized",
        },
    }
