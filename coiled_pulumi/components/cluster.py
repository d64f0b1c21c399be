"""One Dask cluster."""

import base64
from typing import Any

import pulumi
from pulumi_aws import autoscaling, ec2

from coiled_pulumi.components._base import METADATA, Component
from coiled_pulumi.components.ground import Ground
from coiled_pulumi.components.security import make_groups
from coiled_pulumi.plan import model


class Cluster(Component):
    """A scheduler in the zone's public subnet and a group of workers in its private one."""

    scheduler_public_address: pulumi.Output[str]
    scheduler_private_address: pulumi.Output[str]
    scheduler_id: pulumi.Output[str]
    worker_group: pulumi.Output[str]

    def __init__(
        self, name: str, plan: model.Cluster, *, ground: Ground, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._ground = ground
        self._group_ids = {**ground.group_ids, **make_groups(self, plan.security, ground.vpc_id)}
        self._placement = self._placement_group(plan.placement) if plan.placement else None
        scheduler = self._scheduler(plan.scheduler)
        self.scheduler_id = scheduler.id
        self.scheduler_public_address = scheduler.public_ip
        self.scheduler_private_address = scheduler.private_ip
        self.worker_group = self._workers(plan.workers).name
        self.register_outputs({"schedulerId": self.scheduler_id, "workerGroup": self.worker_group})

    def _placement_group(self, plan: model.Item) -> pulumi.Output[str]:
        return ec2.PlacementGroup(plan.name, strategy="cluster", tags=plan.tags, opts=self.child()).name

    def _before(self, tier: str) -> list[pulumi.Resource]:
        return list(self._ground.before.get(tier, ()))

    def _scheduler(self, plan: model.Instance) -> ec2.Instance:
        return ec2.Instance(
            plan.name,
            ami=self._ground.image_ids[plan.image],
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
            tags=plan.tags,
            volume_tags=plan.tags,
            opts=self.child(*self._before("public" if plan.public_address else "private")),
        )

    def _workers(self, plan: model.WorkerGroup) -> autoscaling.Group:
        template = self._template(plan.template)
        reference = {"version": template.latest_version.apply(str)}
        return autoscaling.Group(
            plan.group.name,
            min_size=plan.n_workers,
            max_size=plan.n_workers,
            desired_capacity=plan.n_workers,
            vpc_zone_identifiers=[self._ground.subnet_ids[plan.template.subnet]],
            launch_template=None if plan.mixed else {"id": template.id, **reference},
            mixed_instances_policy=_mixed(plan, template, reference) if plan.mixed else None,
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
            opts=self.child(*self._before("private"), replace_on_changes=["vpcZoneIdentifiers"]),
        )

    def _template(self, plan: model.Instance) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            plan.name,
            image_id=self._ground.image_ids[plan.image],
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
