"""What a launch names beside image and type: key pair, placement group, capacity reservation, and how it forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

UNKNOWN = {
    "InvalidKeyPair.NotFound": {"KeyName": "nobodys"},
    "InvalidPlacementGroup.Unknown": {"Placement": {"GroupName": "nowhere"}},
    "InvalidCapacityReservationId.NotFound": {
        "CapacityReservationSpecification": {
            "CapacityReservationTarget": {"CapacityReservationId": "cr-0123456789abcdef0"}
        }
    },
}


def reserve(aws: Any, *, count: int, instance_type: str = "t3.medium") -> tuple[str, dict[str, Any]]:
    made = aws.ec2.create_capacity_reservation(
        InstanceType=instance_type,
        InstancePlatform="Linux/UNIX",
        AvailabilityZone="us-east-1a",
        InstanceCount=count,
        TagSpecifications=[{"ResourceType": "capacity-reservation", "Tags": [{"Key": "a", "Value": "b"}]}],
    )["CapacityReservation"]["CapacityReservationId"]
    target = {"CapacityReservationTarget": {"CapacityReservationId": made}}
    return made, {"CapacityReservationSpecification": target}


def left(aws: Any, reservation: str) -> int:
    found = aws.ec2.describe_capacity_reservations(CapacityReservationIds=[reservation])
    return found["CapacityReservations"][0]["AvailableInstanceCount"]


@pytest.mark.parametrize("code", UNKNOWN)
@pytest.mark.parametrize("by", ["call", "template"])
def test_launch_needs_what_it_names(aws: Any, refused: Callable[..., str], code: str, by: str) -> None:
    subnet, said = aws.subnet(), UNKNOWN[code]
    if by == "call":
        said = {"ImageId": aws.image(), "InstanceType": "t3.medium"} | said
    else:
        said = {"LaunchTemplate": {"LaunchTemplateId": aws.template(**said)}}
    assert refused(aws.ec2.run_instances, MinCount=1, MaxCount=1, SubnetId=subnet, **said) == code


@pytest.mark.parametrize("code", UNKNOWN)
def test_group_takes_only_a_template_that_can_be_launched(
    aws: Any, refused: Callable[..., str], code: str
) -> None:
    subnet, template = aws.subnet(), aws.template(**UNKNOWN[code])
    made = {
        "AutoScalingGroupName": aws.name(),
        "MinSize": 0,
        "MaxSize": 1,
        "VPCZoneIdentifier": subnet,
        "LaunchTemplate": {"LaunchTemplateId": template, "Version": "$Latest"},
    }
    assert refused(aws.autoscaling.create_auto_scaling_group, **made) == "ValidationError"
    name = aws.scaling_group(aws.template(), subnet, size=1)
    change = aws.autoscaling.update_auto_scaling_group
    assert (
        refused(change, AutoScalingGroupName=name, LaunchTemplate=made["LaunchTemplate"]) == "ValidationError"
    )


@pytest.mark.parametrize("by", ["call", "template", "group"])
def test_instance_shows_its_key_placement_and_reservation(aws: Any, by: str) -> None:
    name = aws.name()
    aws.ec2.create_key_pair(KeyName=name)
    aws.ec2.create_placement_group(GroupName=name, Strategy="cluster")
    reservation, specification = reserve(aws, count=1)
    said = {"KeyName": name, "Placement": {"GroupName": name}} | specification
    subnet = aws.subnet()
    if by == "call":
        made = aws.run(SubnetId=subnet, **said)[0]["InstanceId"]
    else:
        template = aws.template(**said)
        data = aws.ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
        assert data[0]["LaunchTemplateData"].items() >= said.items()
        made = (
            aws.run(SubnetId=subnet, LaunchTemplate={"LaunchTemplateId": template})[0]
            if by == "template"
            else aws.members(aws.scaling_group(template, subnet, size=1))[0]
        )["InstanceId"]
    shown = aws.instance(made)
    assert (shown["KeyName"], shown["Placement"]["GroupName"]) == (name, name)
    assert shown["CapacityReservationId"] == reservation
    assert shown["CapacityReservationSpecification"] == specification["CapacityReservationSpecification"]


def test_instance_that_names_nothing_is_in_any_open_reservation(aws: Any) -> None:
    shown = aws.instance(aws.run(SubnetId=aws.subnet())[0]["InstanceId"])
    assert shown["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}
    assert "CapacityReservationId" not in shown
    assert not shown["Placement"].get("GroupName")


def test_reservation_is_for_so_many_of_one_type_in_one_zone(aws: Any, refused: Callable[..., str]) -> None:
    reservation, said = reserve(aws, count=2)
    subnet = aws.subnet()
    machine = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": subnet}
    launch = aws.ec2.run_instances
    assert refused(launch, MinCount=3, MaxCount=3, **machine, **said) == "ReservationCapacityExceeded"
    other = machine | {"InstanceType": "t3.large"}
    assert refused(launch, MinCount=1, MaxCount=1, **other, **said) == "InvalidParameterValue"
    made = [one["InstanceId"] for one in aws.run(count=2, SubnetId=subnet, **said)]
    assert left(aws, reservation) == 0
    aws.ec2.terminate_instances(InstanceIds=made[:1])
    assert left(aws, reservation) == 1


def test_group_fills_its_reservation_and_tells_why_not_more(aws: Any) -> None:
    reservation, said = reserve(aws, count=2)
    name = aws.scaling_group(aws.template(**said), aws.subnet(), size=2)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    activities = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    assert (len(aws.members(name)), left(aws, reservation)) == (2, 0)
    assert "exceeds the available capacity" in activities[0]["StatusMessage"]


def test_cancelled_reservation_takes_nobody(aws: Any, refused: Callable[..., str]) -> None:
    reservation, said = reserve(aws, count=2)
    aws.ec2.cancel_capacity_reservation(CapacityReservationId=reservation)
    active = [{"Name": "state", "Values": ["active"]}]
    shown = aws.ec2.describe_capacity_reservations(Filters=active)["CapacityReservations"]
    assert reservation not in {one["CapacityReservationId"] for one in shown}
    machine = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": aws.subnet()}
    code = refused(aws.ec2.run_instances, MinCount=1, MaxCount=1, **machine, **said)
    assert code == "InvalidCapacityReservationState"


def test_reservations_are_found_by_tag_and_unknown_ones_are_refused(
    aws: Any, refused: Callable[..., str]
) -> None:
    reservation, _ = reserve(aws, count=1)
    describe = aws.ec2.describe_capacity_reservations
    found = describe(Filters=[{"Name": "tag:a", "Values": ["b"]}])["CapacityReservations"]
    assert {"Key": "a", "Value": "b"} in next(
        one["Tags"] for one in found if one["CapacityReservationId"] == reservation
    )
    assert describe(Filters=[{"Name": "tag:a", "Values": ["c"]}])["CapacityReservations"] == []
    code = refused(describe, CapacityReservationIds=["cr-0123456789abcdef0"])
    assert code == "InvalidCapacityReservationId.NotFound"


def test_placement_group_with_instances_is_in_use(aws: Any, refused: Callable[..., str]) -> None:
    name = aws.name()
    aws.ec2.create_placement_group(GroupName=name, Strategy="cluster")
    made = aws.run(SubnetId=aws.subnet(), Placement={"GroupName": name})[0]["InstanceId"]
    assert refused(aws.ec2.delete_placement_group, GroupName=name) == "InvalidPlacementGroup.InUse"
    aws.ec2.terminate_instances(InstanceIds=[made])
    aws.ec2.delete_placement_group(GroupName=name)


def test_root_disk_without_a_size_has_the_images(aws: Any, refused: Callable[..., str]) -> None:
    root = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}
    subnet = aws.subnet()
    (volume,) = aws.volumes(aws.run(SubnetId=subnet, BlockDeviceMappings=[root])[0]["InstanceId"])
    assert (volume["Size"], volume["Encrypted"]) == (8, True)
    machine = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": subnet}
    second = [root, {"DeviceName": "/dev/xvdb", "Ebs": {"Encrypted": True}}]
    launch = aws.ec2.run_instances
    assert (
        refused(launch, MinCount=1, MaxCount=1, BlockDeviceMappings=second, **machine) == "MissingParameter"
    )


def test_instance_without_a_public_address_has_no_association(aws: Any) -> None:
    shown = aws.instance(aws.run(SubnetId=aws.subnet())[0]["InstanceId"])
    assert "Association" not in shown["NetworkInterfaces"][0]


def test_instance_that_forwards_has_one_check_and_is_in_the_route(aws: Any) -> None:
    vpc = aws.vpc()
    instance = aws.run(SubnetId=aws.subnet(vpc))[0]["InstanceId"]
    assert aws.instance(instance)["SourceDestCheck"] is True
    aws.ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    shown = aws.instance(instance)
    (interface,) = shown["NetworkInterfaces"]
    assert (shown["SourceDestCheck"], interface["SourceDestCheck"]) == (False, False)
    table = aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    name = interface["NetworkInterfaceId"]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=name)
    routes = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    (route,) = [route for route in routes if route["DestinationCidrBlock"] == "0.0.0.0/0"]
    assert (route["NetworkInterfaceId"], route["InstanceId"]) == (name, instance)
