from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_group_never_grows_past_its_largest_size(aws: Any, refused: Callable[..., str]) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(), size=1, largest=2)
    scale = aws.autoscaling.set_desired_capacity
    assert refused(scale, AutoScalingGroupName=name, DesiredCapacity=3) == "ValidationError"
    assert len(aws.members(name)) == 1


def test_members_are_made_from_the_version_that_the_group_names(aws: Any) -> None:
    template, data = aws.template(), {"ImageId": aws.image(), "InstanceType": "c6i.large"}
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "second", "Value": "yes"}]}]
    aws.ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData=data | {"TagSpecifications": tags}
    )
    member = aws.members(aws.scaling_group(template, aws.subnet(), size=1))[0]
    instance = aws.instance(member["InstanceId"])
    assert (member["LaunchTemplate"]["Version"], instance["InstanceType"]) == ("2", "c6i.large")
    assert {"Key": "second", "Value": "yes"} in instance["Tags"]
    assert (
        aws.ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"][0][
            "DefaultVersionNumber"
        ]
        == 1
    )


def test_full_subnet_shows_as_a_failed_activity(aws: Any) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=20)
    activities = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    assert len(aws.members(name)) == 11
    assert (activities[0]["StatusCode"], activities[-1]["StatusCode"]) == ("Failed", "Successful")
    assert "not enough free addresses" in activities[0]["StatusMessage"]


def test_members_are_spread_over_the_subnets(aws: Any) -> None:
    vpc = aws.vpc()
    subnets = [aws.subnet(vpc, cidr=f"10.0.{i}.0/24", zone=zone) for i, zone in enumerate("abc")]
    zones = [
        member["AvailabilityZone"][-1]
        for member in aws.members(aws.scaling_group(aws.template(), *subnets, size=6))
    ]
    assert sorted(zones) == list("aabbcc")


def test_scaling_in_ends_the_oldest_and_frees_their_addresses(aws: Any) -> None:
    subnet = aws.subnet()
    name = aws.scaling_group(aws.template(), subnet, size=2)
    old = {member["InstanceId"] for member in aws.members(name)}
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    assert old.isdisjoint(member["InstanceId"] for member in aws.members(name))
    assert aws.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 249


def test_ended_member_is_replaced(aws: Any) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(), size=2)
    gone = aws.members(name)[0]["InstanceId"]
    aws.ec2.terminate_instances(InstanceIds=[gone])
    left = [member["InstanceId"] for member in aws.members(name)]
    assert len(left) == 2
    assert gone not in left


def test_group_with_members_is_only_deleted_by_force(aws: Any, refused: Callable[..., str]) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(), size=2)
    members = [member["InstanceId"] for member in aws.members(name)]
    delete, protect = aws.autoscaling.delete_auto_scaling_group, aws.autoscaling.set_instance_protection
    protect(AutoScalingGroupName=name, InstanceIds=members, ProtectedFromScaleIn=True)
    assert refused(delete, AutoScalingGroupName=name) == "ResourceInUse"
    delete(AutoScalingGroupName=name, ForceDelete=True)
    assert aws.members(name) == []
    assert {aws.instance(member)["State"]["Name"] for member in members} == {"terminated"}


def test_thousand_members_come_and_go_by_one_call_each(aws: Any) -> None:
    name = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/20"), size=0, largest=1000)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1000)
    assert len(aws.members(name)) == 1000
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
    assert aws.members(name) == []
