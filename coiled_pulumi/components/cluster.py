"""One Dask cluster."""

import base64

import pulumi
from pulumi_aws import autoscaling, ec2

from coiled_pulumi.components._base import Component
from coiled_pulumi.components.network import Network
from coiled_pulumi.components.security import Security
from coiled_pulumi.plan import model

#: Session tokens for the metadata service, and none that leaves the machine by another hop.
_METADATA = {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}
#: Where Amazon Linux 2023 has its root disk.
_ROOT_DEVICE = "/dev/xvda"


class Cluster(Component):
    """A scheduler in the zone's public subnet and a group of workers in its private one."""

    scheduler_public_address: pulumi.Output[str]
    scheduler_private_address: pulumi.Output[str]
    scheduler_id: pulumi.Output[str]
    worker_group: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        plan: model.Cluster,
        *,
        network: Network,
        security: Security,
        profile_name: pulumi.Input[str],
        image_ids: dict[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._network = network
        self._group_ids = security.group_ids
        self._profile_name = profile_name
        self._image_ids = image_ids
        scheduler = self._scheduler(plan.scheduler)
        self.scheduler_id = scheduler.id
        self.scheduler_public_address = scheduler.public_ip
        self.scheduler_private_address = scheduler.private_ip
        self.worker_group = self._workers(plan.workers).name
        self.register_outputs({"schedulerId": self.scheduler_id, "workerGroup": self.worker_group})

    def _scheduler(self, plan: model.Instance) -> ec2.Instance:
        return ec2.Instance(
            plan.name,
            ami=self._image_ids[plan.image],
            instance_type=plan.instance_type,
            subnet_id=self._network.subnet_ids[plan.subnet],
            vpc_security_group_ids=[self._group_ids[key] for key in plan.groups],
            # Asked for here and not by the subnet, so that one visible resource is what faces the internet.
            associate_public_ip_address=True,
            iam_instance_profile=self._profile_name,
            metadata_options=_METADATA,
            root_block_device={
                "encrypted": True,
                "volume_type": "gp3",
                "volume_size": plan.disk,
                "delete_on_termination": True,
            },
            user_data=plan.user_data,
            user_data_replace_on_change=True,
            tags=plan.tags,
            volume_tags=plan.tags,
            opts=self.child(self._network.ways_out["public"]),
        )

    def _workers(self, plan: model.WorkerGroup) -> autoscaling.Group:
        template = self._template(plan.template)
        return autoscaling.Group(
            plan.group.name,
            min_size=plan.n_workers,
            max_size=plan.n_workers,
            desired_capacity=plan.n_workers,
            vpc_zone_identifiers=[self._network.subnet_ids[plan.template.subnet]],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            # We wait for workers ourselves and name the reasons; the provider's wait is ten minutes of silence.
            wait_for_capacity_timeout="0",
            force_delete=True,
            tags=[
                {"key": key, "value": value, "propagate_at_launch": False}
                for key, value in plan.group.tags.items()
            ],
            # AWS takes another subnet for what it launches next and leaves the members where they are; a cluster that
            # moves has to move whole, and a subnet with members in it cannot be deleted.
            opts=self.child(self._network.ways_out["private"], replace_on_changes=["vpcZoneIdentifiers"]),
        )

    def _template(self, plan: model.Instance) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            plan.name,
            image_id=self._image_ids[plan.image],
            instance_type=plan.instance_type,
            vpc_security_group_ids=[self._group_ids[key] for key in plan.groups],
            iam_instance_profile={"name": self._profile_name},
            metadata_options=_METADATA,
            block_device_mappings=[
                {
                    "device_name": _ROOT_DEVICE,
                    "ebs": {
                        "encrypted": "true",
                        "volume_type": "gp3",
                        "volume_size": plan.disk,
                        "delete_on_termination": "true",
                    },
                }
            ],
            user_data=base64.b64encode(plan.user_data.encode()).decode(),
            tag_specifications=[
                {"resource_type": kind, "tags": plan.tags}
                for kind in ("instance", "network-interface", "volume")
            ],
            tags=plan.tags,
            update_default_version=True,
            opts=self.child(),
        )
