"""A group with a mixed instances policy launches by it, and shows it alone.

moto keeps the policy and launches the template's own type; after a change from one to the other it shows the
group's launch template beside the policy; it refuses its own policy when an update leaves it as it is, and
forgets on an update whether the group rebalances its capacity. AWS launches the first of the overrides that it
has, and shows either a launch template or a policy.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_MixedInstancesPolicy.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
"""

from __future__ import annotations

import math
from typing import Any

from coiled_pulumi.local.limits import LIMITS


def apply() -> None:
    """Choose the type of the next launch, and keep what an update says."""
    from moto.autoscaling.models import FakeAutoScalingGroup
    from moto.autoscaling.responses import AutoScalingResponse

    own_type, own_template = (
        FakeAutoScalingGroup.instance_type.fget,
        FakeAutoScalingGroup.launch_template.fget,
    )
    update, take = (
        AutoScalingResponse.update_auto_scaling_group,
        FakeAutoScalingGroup._set_launch_configuration,
    )

    def set_launch_configuration(
        self: Any, launch_config_name: Any, launch_template: Any, mixed_instances_policy: Any
    ) -> None:
        take(self, launch_config_name, launch_template, _named_once(mixed_instances_policy))

    def update_auto_scaling_group(self: Any) -> Any:
        answer = update(self)
        rebalance = self._get_bool_param("CapacityRebalance", None)
        if rebalance is not None:
            name = self._get_param("AutoScalingGroupName")
            self.autoscaling_backend.autoscaling_groups[name].capacity_rebalance = rebalance
        return answer

    FakeAutoScalingGroup.instance_type = property(lambda self: _type(self) or own_type(self))
    FakeAutoScalingGroup.launch_template = property(
        lambda self: None if self.mixed_instances_policy else own_template(self)
    )
    FakeAutoScalingGroup._set_launch_configuration = set_launch_configuration
    AutoScalingResponse.update_auto_scaling_group = update_auto_scaling_group


def on_demand_of(group: Any, total: int) -> int:
    """Give how many of a group's members are to be on demand; all without a policy."""
    policy = group.mixed_instances_policy
    if not policy:
        return total
    distribution = policy.get("InstancesDistribution") or {}
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    share = distribution.get("OnDemandPercentageAboveBaseCapacity")
    percent = 100 if share is None else int(share)
    return min(total, base + math.ceil(max(0, total - base) * percent / 100))


def _named_once(policy: dict[str, Any] | None) -> dict[str, Any] | None:
    """Name the template by its id alone: moto adds the name to what it keeps, and takes only one of the two."""
    launch = (policy or {}).get("LaunchTemplate") or {}
    specification = launch.get("LaunchTemplateSpecification") or {}
    if policy is None or not specification.get("LaunchTemplateId"):
        return policy
    once = {key: value for key, value in specification.items() if key != "LaunchTemplateName"}
    return policy | {"LaunchTemplate": launch | {"LaunchTemplateSpecification": once}}


def _type(group: Any) -> str | None:
    """Give the first type of the overrides that a zone of the group has, or else the first."""
    launch = (group.mixed_instances_policy or {}).get("LaunchTemplate") or {}
    types = [one["InstanceType"] for one in launch.get("Overrides") or [] if one.get("InstanceType")]
    zones = _zones(group)
    there = (name for name in types if any((name, zone) not in LIMITS.shortages for zone in zones))
    return next(there, types[0] if types else None)


def _zones(group: Any) -> list[str]:
    """Give the zones of the next launch: those of its subnets."""
    if not group.vpc_zone_identifier:
        return list(group.availability_zones)
    return [
        group.ec2_backend.get_subnet(name).availability_zone for name in group.vpc_zone_identifier.split(",")
    ]
