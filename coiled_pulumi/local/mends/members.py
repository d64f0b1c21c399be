"""Members of auto scaling groups that end are replaced up to what the group should have, and only by the group.

moto launches one for each that ended, also for those that a group no longer counted; it answers 500 when asked to end
an instance that no group has, and lets a group fall below its least size. AWS brings a group back to its desired
capacity, and refuses both.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Replace the step behind every end, and check before one."""
    from moto.autoscaling.models import AutoScalingBackend

    end = AutoScalingBackend.terminate_instance

    def notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
        for group in list(self.autoscaling_groups.values()):
            left = [member for member in group.instance_states if member.instance_id not in instance_ids]
            if len(left) < len(group.instance_states):
                group.instance_states = left
                if not _is_suspended(group):
                    group.set_desired_capacity(group.desired_capacity)

    def terminate_instance(self: Any, instance_id: str, should_decrement: bool) -> Any:  # noqa: FBT001 moto's
        from moto.autoscaling.exceptions import ValidationError

        group = _group_of(self, instance_id)
        if group is None:
            raise ValidationError(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            )
        if should_decrement and group.desired_capacity <= group.min_size:
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false "
                "or lower group's min size."
            )
        return end(self, instance_id, should_decrement)

    AutoScalingBackend.notify_terminate_instances = notify_terminate_instances
    AutoScalingBackend.terminate_instance = terminate_instance


def _group_of(backend: Any, instance_id: str) -> Any:
    for group in backend.autoscaling_groups.values():
        if any(member.instance_id == instance_id for member in group.instance_states):
            return group
    return None


def _is_suspended(group: Any) -> bool:
    return any(one["ProcessName"] in ("Launch", "ReplaceUnhealthy") for one in group.suspended_processes)
