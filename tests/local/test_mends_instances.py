from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coiled_pulumi.local import daemon, inventory

TAGS = [{"Key": "coiled-pulumi:workspace", "Value": "w"}]
SPECIFICATIONS = [
    {"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume", "network-interface")
]
DISK = {
    "DeviceName": "/dev/xvda",
    "Ebs": {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": 30, "Throughput": 250},
}
METADATA = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"}


@pytest.fixture(scope="session")
def profile(aws: Any) -> str:
    iam = aws.client("iam", "us-east-1")
    return iam.create_instance_profile(InstanceProfileName="nodes")["InstanceProfile"]["Arn"]


@pytest.fixture(params=["call", "group"])
def launched(aws: Any, profile: str, request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    """An instance made from a complete template, by a call and by a group; and its security group."""
    vpc = aws.vpc()
    subnet, group = aws.subnet(vpc), aws.group(vpc)
    template = aws.template(
        MetadataOptions=METADATA,
        BlockDeviceMappings=[DISK],
        TagSpecifications=SPECIFICATIONS,
        IamInstanceProfile={"Arn": profile},
        NetworkInterfaces=[{"DeviceIndex": 0, "Groups": [group], "AssociatePublicIpAddress": False}],
    )
    if request.param == "call":
        started = aws.run(count=2, LaunchTemplate={"LaunchTemplateId": template}, SubnetId=subnet)[1][
            "InstanceId"
        ]
    else:
        started = aws.members(aws.scaling_group(template, subnet, size=2))[1]["InstanceId"]
    return aws.instance(started), group


def test_template_says_how_metadata_is_read(launched: tuple[dict[str, Any], str]) -> None:
    options = launched[0]["MetadataOptions"]
    assert {key: options[key] for key in METADATA} == METADATA


def test_template_says_who_the_instance_is(launched: tuple[dict[str, Any], str], profile: str) -> None:
    assert launched[0]["IamInstanceProfile"]["Arn"] == profile


def test_template_says_which_groups(launched: tuple[dict[str, Any], str]) -> None:
    instance, group = launched
    shown = [instance["SecurityGroups"], instance["NetworkInterfaces"][0]["Groups"]]
    assert [[one["GroupId"] for one in groups] for groups in shown] == [[group], [group]]


def test_template_says_which_disk_and_no_other_is_made(
    aws: Any, launched: tuple[dict[str, Any], str]
) -> None:
    found = [
        (volume["Encrypted"], volume["VolumeType"], volume["Size"], volume["Throughput"], volume["Tags"])
        for volume in aws.volumes(launched[0]["InstanceId"])
    ]
    assert found == [(True, "gp3", 30, 250, TAGS)]


def test_template_says_the_tags_of_instance_and_interface(
    aws: Any, launched: tuple[dict[str, Any], str]
) -> None:
    instance = launched[0]
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    shown = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert TAGS[0] in instance["Tags"]
    assert shown["TagSet"] == TAGS


def test_no_volume_is_left_unattached(aws: Any, launched: tuple[dict[str, Any], str]) -> None:
    assert aws.ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])["Volumes"] == []


def test_call_wins_over_template(aws: Any) -> None:
    template = aws.template(MetadataOptions=METADATA, BlockDeviceMappings=[DISK])
    larger = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 50, "DeleteOnTermination": False}}
    instance = aws.run(
        LaunchTemplate={"LaunchTemplateId": template},
        SubnetId=aws.subnet(),
        MetadataOptions={"HttpTokens": "optional"},
        BlockDeviceMappings=[larger],
    )[0]["InstanceId"]
    volume = aws.volumes(instance)[0]
    assert aws.instance(instance)["MetadataOptions"]["HttpTokens"] == "optional"
    assert (volume["Size"], volume["Encrypted"]) == (50, True)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert aws.ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["State"] == "available"
    aws.ec2.delete_volume(VolumeId=volume["VolumeId"])


def test_root_disk_is_the_images_where_nobody_says_otherwise(aws: Any) -> None:
    volume = aws.volumes(aws.run(SubnetId=aws.subnet())[0]["InstanceId"])
    assert [(one["Size"], one["VolumeType"], one["Encrypted"]) for one in volume] == [(8, "gp3", False)]


def test_terminated_instance_leaves_nothing(aws: Any) -> None:
    subnet = aws.subnet()
    before = free(aws, subnet)
    instance = aws.run(SubnetId=subnet, BlockDeviceMappings=[DISK])[0]["InstanceId"]
    assert free(aws, subnet) == before - 1
    aws.ec2.terminate_instances(InstanceIds=[instance])
    shown = aws.instance(instance)
    assert (shown["State"]["Name"], shown["NetworkInterfaces"], shown.get("PrivateIpAddress")) == (
        "terminated",
        [],
        None,
    )
    assert (free(aws, subnet), aws.volumes(instance)) == (before, [])
    aws.ec2.delete_subnet(SubnetId=subnet)


def test_public_addresses_are_loopback_ones_each_once(aws: Any) -> None:
    nic = {"DeviceIndex": 0, "SubnetId": aws.subnet(), "AssociatePublicIpAddress": True}
    made = [aws.run(NetworkInterfaces=[nic])[0]["InstanceId"] for _ in range(3)]
    found = [ipaddress.ip_address(aws.instance(one)["PublicIpAddress"]) for one in made]
    found += [ipaddress.ip_address(aws.ec2.allocate_address(Domain="vpc")["PublicIp"]) for _ in range(3)]
    own = ipaddress.ip_network("127.0.0.0/16")
    assert len(set(found)) == len(found)
    assert all(one.is_loopback and one not in own and int(one) % 256 not in (0, 255) for one in found)


def test_no_public_name_without_dns_hostnames(aws: Any) -> None:
    nic = {"DeviceIndex": 0, "SubnetId": aws.subnet(), "AssociatePublicIpAddress": True}
    instance = aws.instance(aws.run(NetworkInterfaces=[nic])[0]["InstanceId"])
    assert not instance.get("PublicDnsName")


def test_full_subnet_is_refused_and_nothing_is_made(aws: Any, refused: Callable[..., str]) -> None:
    subnet = aws.subnet(cidr="10.0.0.0/28")
    options = {"ImageId": aws.image(), "InstanceType": "t3.medium", "SubnetId": subnet}
    assert free(aws, subnet) == 11
    assert (
        refused(aws.ec2.run_instances, MinCount=12, MaxCount=12, **options)
        == "InsufficientFreeAddressesInSubnet"
    )
    assert free(aws, subnet) == 11
    aws.run(count=11, SubnetId=subnet)
    assert refused(aws.ec2.create_network_interface, SubnetId=subnet) == "InsufficientFreeAddressesInSubnet"


def test_interfaces_take_addresses_that_are_free(aws: Any) -> None:
    subnet = aws.subnet(cidr="10.0.0.0/28")
    aws.run(count=5, SubnetId=subnet)
    for _ in range(6):
        aws.ec2.create_network_interface(SubnetId=subnet)
    filters = [{"Name": "subnet-id", "Values": [subnet]}]
    found = aws.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert len({one["PrivateIpAddress"] for one in found}) == 11


def test_client_token_makes_one_instance(aws: Any, refused: Callable[..., str]) -> None:
    subnet = aws.subnet()
    options = {
        "ImageId": aws.image(),
        "InstanceType": "t3.medium",
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": "once",
    }
    made = [aws.ec2.run_instances(SubnetId=subnet, **options)["Instances"][0]["InstanceId"] for _ in range(2)]
    assert made[0] == made[1]
    assert refused(aws.ec2.run_instances, SubnetId=aws.subnet(), **options) == "IdempotentParameterMismatch"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "mx-central-1"])
@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "x86_64"),
        ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", "arm64"),
        ("/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id", "x86_64"),
        ("/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id", "arm64"),
        (
            "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id",
            "x86_64",
        ),
    ],
    ids=["al2023-x86", "al2023-arm", "ubuntu-x86", "ubuntu-arm", "gpu"],
)
def test_public_parameters_lead_to_images(aws: Any, region: str, name: str, arch: str) -> None:
    ssm, ec2 = aws.client("ssm", region), aws.client("ec2", region)
    image = ssm.get_parameters(Names=[name])["Parameters"][0]["Value"]
    assert image == ssm.get_parameter(Name=name)["Parameter"]["Value"]
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["Architecture"] == arch
    assert ec2.run_instances(ImageId=image, InstanceType="t3.medium", MinCount=1, MaxCount=1)["Instances"]


def free(aws: Any, subnet: str) -> int:
    return aws.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]


def test_a_group_launches_from_a_later_version_with_user_data(aws: Any) -> None:
    text = base64.b64encode(b"#!/bin/sh\n").decode()
    template = aws.template(UserData=text)
    later = {"ImageId": aws.image(), "InstanceType": "t3.large", "UserData": text}
    aws.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=later)
    name = aws.name()
    autoscaling = aws.client("autoscaling", "us-east-1")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "2"},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=aws.subnet(),
    )
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    (member,) = groups["AutoScalingGroups"][0]["Instances"]
    assert aws.instance(member["InstanceId"])["InstanceType"] == "t3.large"


def test_two_local_awses_give_no_address_twice(aws: Any, home: Path) -> None:
    # Hosts of both would listen at one address of this machine.
    other = inventory.clients(daemon.up(home=home, hosts=0))("ec2", "us-east-1")
    given = [ec2.allocate_address(Domain="vpc")["PublicIp"] for ec2 in (aws.ec2, other)]
    assert len({address.split(".")[1] for address in given}) == 2
