from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest


def plan(aws: Any, group: str, *, after: float = 1.0, name: str = "off", **wanted: int) -> None:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=after)
    aws.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName=group, ScheduledActionName=name, StartTime=when, **wanted
    )


def planned(aws: Any, group: str) -> list[str]:
    answer = aws.autoscaling.describe_scheduled_actions(AutoScalingGroupName=group)
    return [one["ScheduledActionName"] for one in answer["ScheduledUpdateGroupActions"]]


@pytest.fixture
def group(aws: Any) -> Callable[..., str]:
    return lambda size=2: aws.scaling_group(aws.template(), aws.subnet(), size=size)


def test_scheduled_action_is_carried_out_once(aws: Any, group: Callable[..., str]) -> None:
    name = group()
    plan(aws, name, DesiredCapacity=0)
    assert (planned(aws, name), len(aws.members(name))) == (["off"], 2)
    aws.until(lambda: aws.members(name) == [])
    assert planned(aws, name) == []
    activities = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    assert any(
        "scheduled action off: the desired capacity went from 2 to 0" in a["Description"] for a in activities
    )


def test_action_of_the_same_name_moves_it_and_only_in_its_group(aws: Any, group: Callable[..., str]) -> None:
    kept, ended = group(), group()
    for name in (kept, ended):
        plan(aws, name, after=1.5, DesiredCapacity=0)
    plan(aws, kept, after=3600, DesiredCapacity=0)
    aws.until(lambda: aws.members(ended) == [])
    assert (len(aws.members(kept)), planned(aws, kept)) == (2, ["off"])


def test_actions_go_with_their_group_or_when_they_are_deleted(aws: Any, group: Callable[..., str]) -> None:
    first, second = group(1), group(1)
    for name in (first, second):
        plan(aws, name, DesiredCapacity=0)
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=first, ForceDelete=True)
    aws.autoscaling.delete_scheduled_action(AutoScalingGroupName=second, ScheduledActionName="off")
    third = group(1)
    plan(aws, third, after=1.5, DesiredCapacity=0)
    aws.until(lambda: aws.members(third) == [])
    assert (planned(aws, first), len(aws.members(second))) == ([], 1)


def test_action_that_makes_no_sense_is_refused(
    aws: Any, group: Callable[..., str], refused: Callable[..., str]
) -> None:
    name = group(0)
    for where, wanted in (
        ({"group": name, "after": -60}, {"DesiredCapacity": 0}),
        ({"group": "not-there"}, {"DesiredCapacity": 0}),
        ({"group": name}, {}),
    ):
        assert refused(lambda where=where, wanted=wanted: plan(aws, **where, **wanted)) == "ValidationError"


def test_action_beyond_the_bounds_changes_nothing_and_is_noted(aws: Any, group: Callable[..., str]) -> None:
    name = group(1)
    plan(aws, name, DesiredCapacity=1000)
    aws.until(lambda: planned(aws, name) == [])
    activities = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    assert (activities[0]["StatusCode"], len(aws.members(name))) == ("Failed", 1)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("decrement", [False, True])
def test_ending_one_member(aws: Any, *, mixed: bool, decrement: bool) -> None:
    subnet, template = aws.subnet(), aws.template()
    name = aws.scaling_group(template, subnet, size=3)
    if mixed:
        specification = {"LaunchTemplateId": template, "Version": "$Latest"}
        overrides = [{"InstanceType": "c6i.large"}, {"InstanceType": "m6i.large"}]
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=name,
            MixedInstancesPolicy={
                "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides},
                "InstancesDistribution": {
                    "OnDemandBaseCapacity": 1,
                    "OnDemandPercentageAboveBaseCapacity": 0,
                },
            },
        )
    before = [member["InstanceId"] for member in aws.members(name)]
    answer = aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=before[1], ShouldDecrementDesiredCapacity=decrement
    )
    after = {member["InstanceId"] for member in aws.members(name)}
    assert aws.instance(before[1])["State"]["Name"] == "terminated"
    assert {before[0], before[2]} <= after
    assert (len(after), before[1] in after) == (2 if decrement else 3, False)
    found = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert found["DesiredCapacity"] == len(after)
    assert "Activity" in answer
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
    assert aws.members(name) == []


def test_member_that_can_not_be_ended(aws: Any, refused: Callable[..., str]) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(), size=1)
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
    end = aws.autoscaling.terminate_instance_in_auto_scaling_group
    member = aws.members(name)[0]["InstanceId"]
    assert refused(end, InstanceId=member, ShouldDecrementDesiredCapacity=True) == "ValidationError"
    alone = aws.run(SubnetId=aws.subnet())[0]["InstanceId"]
    assert refused(end, InstanceId=alone, ShouldDecrementDesiredCapacity=False) == "ValidationError"
    assert [one["InstanceId"] for one in aws.members(name)] == [member]


def test_group_that_could_not_launch_makes_up_for_it_when_a_member_ends(aws: Any) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=13)
    members = [member["InstanceId"] for member in aws.members(name)]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=11)
    aws.ec2.terminate_instances(InstanceIds=members[:2])
    assert len(aws.members(name)) == 11


def test_a_tag_beside_the_ones_of_the_group(aws: Any) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(), size=0)
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    for key, value in (("a", "1"), ("coiled-pulumi:scheduler", "i-1"), ("a", "2")):
        aws.autoscaling.create_or_update_tags(Tags=[tag | {"Key": key, "Value": value}])
    filters = [{"Name": "auto-scaling-group", "Values": [name]}]
    found = aws.autoscaling.describe_tags(Filters=filters)["Tags"]
    assert {one["Key"]: one["Value"] for one in found} == {"a": "2", "coiled-pulumi:scheduler": "i-1"}


def test_what_becomes_of_a_machine_that_powers_off_is_kept(aws: Any) -> None:
    instance = aws.run(SubnetId=aws.subnet(), InstanceInitiatedShutdownBehavior="terminate")[0]["InstanceId"]
    told = aws.ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert told["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    assert "Output" not in aws.ec2.get_console_output(InstanceId=instance)
