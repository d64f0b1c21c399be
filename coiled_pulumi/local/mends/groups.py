"""Auto scaling groups keep their bounds, launch what they can and end what they should.

moto takes any desired capacity, launches members from the template's default version whatever version the
group names, fails the call when a launch fails, deletes a group with members without being forced to and
leaves protected ones running, forgets a mixed instances policy on every update and launches nothing by a
new one, and loses the order of members when it scales in. AWS keeps a group between its bounds (that is what
caps our cost), takes the version that the group names, answers a scaling call at once and tells failed launches by
DescribeScalingActivities, refuses to delete a group with members unless forced, and on force ends them
all. Scaling in, it keeps the on-demand share of a policy.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.mends.mixed import on_demand_of


def apply() -> None:
    """Replace the three steps of a group's life that differ."""
    from moto.autoscaling.models import FakeAutoScalingGroup
    from moto.autoscaling.responses import AutoScalingResponse

    resize, update = FakeAutoScalingGroup.set_desired_capacity, FakeAutoScalingGroup.update

    def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
        wanted = self.min_size if new_capacity is None else new_capacity
        _check_bounds(self, wanted)
        _set_order(self, wanted)
        resize(self, wanted)

    def updated(self: Any, *args: Any, **options: Any) -> None:
        before = (self.min_size, self.max_size)
        if options.get("mixed_instances_policy") is None and not options.get("launch_template"):
            options["mixed_instances_policy"] = self.mixed_instances_policy
        elif all(options.get(name) is None for name in ("desired_capacity", "min_size", "max_size")):
            # AWS then looks anew for what is missing.
            options["desired_capacity"] = self.desired_capacity
        try:
            update(self, *args, **options)
        except Exception:
            self.min_size, self.max_size = before
            raise

    FakeAutoScalingGroup.set_desired_capacity = set_desired_capacity
    FakeAutoScalingGroup.update = updated
    AutoScalingResponse.delete_auto_scaling_group = _delete
    _pass_version(FakeAutoScalingGroup)


def _delete(response: Any) -> Any:
    """Answer DeleteAutoScalingGroup."""
    from moto.core.responses import EmptyResult

    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is not None and group.instance_states:
        if not response._get_bool_param("ForceDelete", if_none=False):
            raise _in_use()
        for member in group.instance_states:
            member.protected_from_scale_in = False
    if group is not None:
        group.min_size = 0
    response.autoscaling_backend.delete_auto_scaling_group(name)
    return EmptyResult()


def _check_bounds(group: Any, wanted: int) -> None:
    from moto.autoscaling.exceptions import ValidationError

    if group.max_size is not None and wanted > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} "
            "for the AutoScalingGroup."
        )
    if group.min_size is not None and wanted < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} "
            "for the AutoScalingGroup."
        )


def _set_order(group: Any, wanted: int) -> None:
    """Put members in the order of their end: moto ends the first ones, AWS those of the oldest template.

    Of a group with spot members AWS ends on-demand ones only where there are more of them than the policy says.
    """
    order = {state.instance_id: state for state in group.instance_states}
    by_age = sorted(order.values(), key=lambda state: state.instance.launch_time)
    on_demand = [state for state in by_age if state.instance.lifecycle != "spot"]
    kept = (
        on_demand[max(0, len(on_demand) - on_demand_of(group, wanted)) :]
        if group.mixed_instances_policy
        else []
    )
    group.instance_states = [state for state in by_age if state not in kept] + kept


def _in_use() -> Exception:
    from moto.autoscaling.exceptions import AutoscalingClientError

    return AutoscalingClientError(
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
        "still in the group.",
    )


def _pass_version(group: Any) -> None:
    """Have the launch see the version that the group names: moto leaves it out of what it passes on."""
    from moto.autoscaling.models import InstanceState

    launch = group.replace_autoscaling_group_instances

    def replace(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        template = self.ec2_launch_template
        if template is None:
            return launch(self, count_needed, propagated_tags)
        version = template.get_version(self.launch_template_version)
        kept = template.default_version_number
        # Within one call of the server, which answers one call at a time.
        template.default_version_number = version.number
        try:
            launch(self, count_needed, propagated_tags)
        finally:
            template.default_version_number = kept
        for state in self.instance_states[-count_needed:]:
            state.instance.coiled_template = {
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "Version": str(version.number),
            }
        return None

    group.replace_autoscaling_group_instances = replace
    own = InstanceState.launch_template.fget
    InstanceState.launch_template = property(
        lambda self: getattr(self.instance, "coiled_template", None) or own(self)
    )
