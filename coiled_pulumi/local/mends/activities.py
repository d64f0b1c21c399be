"""Scaling activities are kept, and a launch that fails is one of them, not an error of the call.

moto's DescribeScalingActivities is always empty, and a scaling call that can't be met fails as a whole.
AWS answers the call, launches what it can, and gives the reason why not more as a failed activity; it
tries again later.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-verify-scaling-activity.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/CHAP_Troubleshooting.html
"""

from __future__ import annotations

import uuid
from typing import Any, Final

#: AWS keeps six weeks of activities; a local run is short, but a group may launch thousands.
_KEPT: Final = 5000


def apply() -> None:
    """Note launches and ends of a group's members, and answer the call that lists them."""
    from moto.autoscaling.models import FakeAutoScalingGroup
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.ec2.models.instances import InstanceBackend

    launch, end = (
        FakeAutoScalingGroup.replace_autoscaling_group_instances,
        InstanceBackend.terminate_instances,
    )

    def replace(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        _launch_possible(self, count_needed, propagated_tags, launch)

    def terminate_instances(self: Any, instance_ids: list[str]) -> Any:
        answer = end(self, instance_ids)
        for instance, _ in answer:
            if (group := getattr(instance, "autoscaling_group", None)) is not None:
                note(group, f"Terminating EC2 instance: {instance.id}", status="Successful")
        return answer

    def describe_scaling_activities(self: Any) -> Any:
        from moto.core.responses import ActionResult

        return ActionResult({"Activities": _asked(self)})

    FakeAutoScalingGroup.replace_autoscaling_group_instances = replace
    InstanceBackend.terminate_instances = terminate_instances
    AutoScalingResponse.describe_scaling_activities = describe_scaling_activities


def note(group: Any, description: str, *, status: str, reason: str = "") -> None:
    """Add one activity to a group's, which outlive the group."""
    from moto.core.utils import utcnow

    backend = group.autoscaling_backend
    activities = backend.__dict__.setdefault("_coiled_activities", [])
    now = utcnow()
    activities.append(
        {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} the desired capacity was {group.desired_capacity}.",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": status,
            "StatusMessage": reason or None,
            "Progress": 100,
            "Details": "{}",
        }
    )
    del activities[:-_KEPT]


def _launch_possible(group: Any, count: int, tags: dict[str, str], launch: Any) -> None:
    """Launch as many as the group's subnets have room for, each subnet its even share."""
    from moto.core.exceptions import ServiceException

    for subnet, share in _shares(group, count):
        before, zones = len(group.instance_states), group.vpc_zone_identifier
        group.vpc_zone_identifier = subnet
        try:
            if share:
                launch(group, share, dict(tags))
        except ServiceException as err:
            reason = f"{err.message} Launching EC2 instance failed."
            note(
                group,
                f"Launching a new EC2 instance. Status Reason: {reason}",
                status="Failed",
                reason=reason,
            )
        finally:
            group.vpc_zone_identifier = zones
        for state in group.instance_states[before:]:
            note(group, f"Launching a new EC2 instance: {state.instance_id}", status="Successful")


def _shares(group: Any, count: int) -> list[tuple[str | None, int]]:
    """Split a launch over the group's subnets, as evenly as they have room for."""
    from coiled_pulumi.local.mends.interfaces import free

    if not group.vpc_zone_identifier:
        return [(None, count)]
    names = group.vpc_zone_identifier.split(",")
    room = {name: max(0, free(group.ec2_backend.get_subnet(name))) for name in names}
    members = {name: sum(s.instance.subnet_id == name for s in group.instance_states) for name in names}
    shares = dict.fromkeys(names, 0)
    left = count
    while left and any(room[name] > shares[name] for name in names):
        open_ones = [name for name in names if room[name] > shares[name]]
        least = min(open_ones, key=lambda name: members[name] + shares[name])
        shares[least] += 1
        left -= 1
    # What no subnet has room for is asked of the first one, so that its refusal is the reason that is noted.
    return [*shares.items(), (names[0], left)] if left else list(shares.items())


def _asked(response: Any) -> list[dict[str, Any]]:
    name = response._get_param("AutoScalingGroupName")
    wanted = set(response._get_param("ActivityIds", []) or [])
    kept = response.autoscaling_backend.__dict__.get("_coiled_activities", [])
    found = [
        one
        for one in reversed(kept)
        if (not name or one["AutoScalingGroupName"] == name) and (not wanted or one["ActivityId"] in wanted)
    ]
    limit = response._get_int_param("MaxRecords") or 100
    return found[:limit]
