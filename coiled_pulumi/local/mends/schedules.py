"""Scheduled actions are carried out, and are their group's.

moto keeps them and never looks at them again, and keeps one of a name for all groups together. AWS keeps them per
group, replaces one of the same name, refuses a time that is over, sets what the action says when its time comes,
notes an activity, and forgets an action that happens once, or whose group is deleted.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScheduledUpdateGroupAction.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from coiled_pulumi.local.timers import TIMERS


def apply() -> None:
    """Key actions by group and name, and plan each one that has a time."""
    from moto.autoscaling.models import AutoScalingBackend
    from moto.autoscaling.responses import AutoScalingResponse

    put, delete_group = (
        AutoScalingBackend.put_scheduled_update_group_action,
        AutoScalingBackend.delete_auto_scaling_group,
    )

    def put_action(self: Any, name: str, **options: Any) -> Any:
        when = _moment(options.get("start_time"))
        _check(self, name, when, options)
        action = put(self, name=name, **options)
        action.start_time = when
        label = action.scheduled_action_name
        self.scheduled_actions.pop(label, None)
        self.scheduled_actions[name, label] = action
        key = (self.region_name, "scheduled", name, label)
        TIMERS.forget(key)
        # What comes again and again is only kept: nothing of ours asks for it.
        if when is not None and not action.recurrence:
            TIMERS.at(when.timestamp(), key, lambda: _carry_out(self, name, label))
        return action

    def delete_action(self: Any, auto_scaling_group_name: str, scheduled_action_name: str) -> None:
        from moto.autoscaling.exceptions import ValidationError

        if self.scheduled_actions.pop((auto_scaling_group_name, scheduled_action_name), None) is None:
            raise ValidationError("Scheduled action name not found")
        TIMERS.forget((self.region_name, "scheduled", auto_scaling_group_name, scheduled_action_name))

    def delete_auto_scaling_group(self: Any, group_name: str) -> None:
        delete_group(self, group_name)
        for group, label in [key for key in self.scheduled_actions if key[0] == group_name]:
            delete_action(self, group, label)

    AutoScalingBackend.put_scheduled_update_group_action = put_action
    AutoScalingBackend.delete_scheduled_action = delete_action
    AutoScalingBackend.delete_auto_scaling_group = delete_auto_scaling_group
    AutoScalingResponse.put_scheduled_update_group_action = _answer_put


def _answer_put(response: Any) -> Any:
    from moto.core.responses import EmptyResult

    names = {
        "desired_capacity": "DesiredCapacity",
        "max_size": "MaxSize",
        "min_size": "MinSize",
    }
    response.autoscaling_backend.put_scheduled_update_group_action(
        name=response._get_param("AutoScalingGroupName"),
        scheduled_action_name=response._get_param("ScheduledActionName"),
        # An older name of the same.
        start_time=response._get_param("StartTime") or response._get_param("Time"),
        end_time=response._get_param("EndTime"),
        recurrence=response._get_param("Recurrence"),
        timezone=response._get_param("TimeZone"),
        **{key: response._get_int_param(name) for key, name in names.items()},
    )
    return EmptyResult()


def _check(backend: Any, name: str, when: datetime | None, options: dict[str, Any]) -> None:
    from moto.autoscaling.exceptions import ValidationError

    if name not in backend.autoscaling_groups:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    if when is None and not options.get("recurrence"):
        raise ValidationError("At least one of StartTime or Recurrence has to be given")
    if when is not None and when < datetime.now(UTC):
        raise ValidationError("Given start time is in the past")
    if all(options.get(key) is None for key in ("desired_capacity", "max_size", "min_size")):
        raise ValidationError("At least one of MinSize, MaxSize and DesiredCapacity has to be given")


def _moment(told: Any) -> datetime | None:
    if not told:
        return None
    moment = told if isinstance(told, datetime) else datetime.fromisoformat(str(told).replace("Z", "+00:00"))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _carry_out(backend: Any, name: str, label: str) -> None:
    from moto.core.exceptions import ServiceException

    from coiled_pulumi.local.mends.activities import note

    action, group = backend.scheduled_actions.pop((name, label)), backend.autoscaling_groups[name]
    if any(one["ProcessName"] == "ScheduledActions" for one in group.suspended_processes):
        return
    bounds, before = (group.min_size, group.max_size), group.desired_capacity
    group.min_size = action.min_size if action.min_size is not None else group.min_size
    group.max_size = action.max_size if action.max_size is not None else group.max_size
    wanted = action.desired_capacity if action.desired_capacity is not None else before
    if action.desired_capacity is None:
        wanted = max(group.min_size, min(group.max_size, wanted))
    try:
        group.set_desired_capacity(wanted)
    except ServiceException as error:
        group.min_size, group.max_size = bounds
        note(group, f"Executing scheduled action {label}", status="Failed", reason=str(error.message))
        return
    said = f"Executed scheduled action {label}: the desired capacity went from {before} to {wanted}"
    note(group, said, status="Successful")
