from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coiled_pulumi.local import inventory

WHO = "coiled-pulumi:workspace"


def of(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def test_default_group_lets_its_members_in_and_can_be_emptied(aws: Any) -> None:
    vpc = aws.vpc()
    group = aws.ec2.describe_security_groups(Filters=of(vpc))["SecurityGroups"][0]
    assert [pair["GroupId"] for rule in group["IpPermissions"] for pair in rule["UserIdGroupPairs"]] == [
        group["GroupId"]
    ]
    aws.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    aws.ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])
    rules = aws.ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}]
    )
    assert rules["SecurityGroupRules"] == []


def test_only_the_default_vpc_is_one(aws: Any) -> None:
    vpc = aws.vpc()
    found = {one["VpcId"]: one["IsDefault"] for one in aws.ec2.describe_vpcs()["Vpcs"]}
    assert found[vpc] is False
    assert sum(found.values()) == 1


def test_subnet_gives_public_addresses_only_when_told(aws: Any) -> None:
    subnet = aws.ec2.describe_subnets(SubnetIds=[aws.subnet()])["Subnets"][0]
    assert (subnet["MapPublicIpOnLaunch"], subnet["DefaultForAz"]) == (False, False)


def test_nat_gateway_lives_in_its_subnet_and_lets_go(aws: Any, refused: Callable[..., str]) -> None:
    ec2, subnet = aws.ec2, aws.subnet()
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    options = {"SubnetId": subnet, "AllocationId": address, "ClientToken": aws.name()}
    gateway, again = (ec2.create_nat_gateway(**options)["NatGateway"] for _ in range(2))
    assert gateway["NatGatewayId"] == again["NatGatewayId"]
    assert gateway["NatGatewayAddresses"][0]["PrivateIp"].startswith("10.0.0.")
    assert refused(ec2.release_address, AllocationId=address) == "InvalidIPAddress.InUse"
    assert refused(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)


def test_nat_gateway_is_found_by_its_tags(aws: Any) -> None:
    subnet = aws.subnet()
    tags = [{"ResourceType": "natgateway", "Tags": [{"Key": "found", "Value": "here"}]}]
    made, _ = (
        aws.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", **options)["NatGateway"]
        for options in ({"TagSpecifications": tags}, {})
    )
    for name, value in (("tag:found", "here"), ("tag-key", "found")):
        found = aws.ec2.describe_nat_gateways(Filter=[{"Name": name, "Values": [value]}])["NatGateways"]
        assert [one["NatGatewayId"] for one in found] == [made["NatGatewayId"]]


def test_group_in_use_is_not_deleted(aws: Any, refused: Callable[..., str]) -> None:
    vpc = aws.vpc()
    used, named, other = aws.group(vpc), aws.group(vpc), aws.group(vpc)
    aws.run(SubnetId=aws.subnet(vpc), SecurityGroupIds=[used])
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": named}]}
    aws.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[permission])
    assert refused(aws.ec2.delete_security_group, GroupId=used) == "DependencyViolation"
    assert refused(aws.ec2.delete_security_group, GroupId=named) == "DependencyViolation"
    aws.ec2.delete_security_group(GroupId=other)
    aws.ec2.delete_security_group(GroupId=named)


def test_vpc_goes_last_and_takes_its_own_with_it(aws: Any, refused: Callable[..., str]) -> None:
    ec2, vpc = aws.ec2, aws.vpc()
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    group = aws.group(vpc)
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    left = [
        ec2.describe_security_groups(Filters=of(vpc))["SecurityGroups"],
        ec2.describe_route_tables(Filters=of(vpc))["RouteTables"],
        ec2.describe_network_acls(Filters=of(vpc))["NetworkAcls"],
    ]
    assert left == [[], [], []]


def test_placement_groups_exist(aws: Any, refused: Callable[..., str]) -> None:
    ec2, name = aws.ec2, aws.name()
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "a", "Value": "b"}]}]
    ec2.create_placement_group(GroupName=name, Strategy="cluster", TagSpecifications=tags)
    found = ec2.describe_placement_groups(Filters=[{"Name": "tag:a", "Values": ["b"]}])["PlacementGroups"]
    assert [(one["GroupName"], one["State"], one["Strategy"]) for one in found] == [
        (name, "available", "cluster")
    ]
    ec2.delete_placement_group(GroupName=name)
    assert refused(ec2.describe_placement_groups, GroupNames=[name]) == "InvalidPlacementGroup.Unknown"


def test_inventory_finds_what_carries_our_tag_and_nothing_else(aws: Any) -> None:
    workspace, ec2 = aws.name(), aws.ec2
    tags = [{"Key": WHO, "Value": workspace}]

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    instance = aws.run(SubnetId=aws.subnet(), TagSpecifications=tagged("instance"))[0]["InstanceId"]
    aws.client("iam", "us-east-1").create_role(RoleName=workspace, AssumeRolePolicyDocument="{}", Tags=tags)
    aws.client("iam", "us-east-1").create_instance_profile(InstanceProfileName=workspace, Tags=tags)
    aws.client("logs", "us-east-1").create_log_group(logGroupName=f"/{workspace}", tags={WHO: workspace})
    aws.client("ssm", "us-east-1").put_parameter(
        Name=f"/coiled-pulumi/{workspace}/a", Value="v", Type="String"
    )
    s3 = aws.client("s3", "us-east-1")
    s3.create_bucket(Bucket=f"bucket-{workspace}")
    s3.put_bucket_tagging(Bucket=f"bucket-{workspace}", Tagging={"TagSet": tags})
    expected = {
        "elastic_ip": [address],
        "instance": [instance],
        "instance_profile": [workspace],
        "log_group": [f"/{workspace}"],
        "role": [workspace],
        "s3_bucket": [f"bucket-{workspace}"],
        "ssm_parameter": [f"/coiled-pulumi/{workspace}/a"],
        "vpc": [vpc],
    }
    assert inventory.inventory(aws.client, ["us-east-1"], workspace=workspace) == expected
    ec2.terminate_instances(InstanceIds=[instance])
    found = inventory.inventory(aws.client, ["us-east-1", "eu-central-1"], workspace=workspace)
    assert found == {kind: ids for kind, ids in expected.items() if kind != "instance"}


def test_rule_that_names_a_group_keeps_its_description(aws: Any) -> None:
    vpc = aws.vpc()
    group, source = aws.group(vpc), aws.group(vpc)
    pair = {"GroupId": source, "Description": "workers"}
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": [pair]}
    rule = aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    rule_id = rule["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    change = {"IpProtocol": "-1", "ReferencedGroupId": source, "Description": "all"}
    aws.ec2.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": change}],
    )
    shown = aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]
    assert (rule["SecurityGroupRules"][0]["Description"], shown["Description"]) == ("workers", "all")


def test_tags_of_a_template_are_not_in_its_data(aws: Any) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    made = aws.ec2.create_launch_template(
        LaunchTemplateName=aws.name(),
        LaunchTemplateData={"ImageId": aws.image()},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    versions = aws.ec2.describe_launch_template_versions(LaunchTemplateId=made)["LaunchTemplateVersions"]
    assert not versions[0]["LaunchTemplateData"].get("TagSpecifications")
    aws.ec2.create_tags(Resources=[made], Tags=[{"Key": "c", "Value": "d"}])
    shown = aws.ec2.describe_launch_templates(LaunchTemplateIds=[made])["LaunchTemplates"][0]
    assert shown["Tags"] == [*tags, {"Key": "c", "Value": "d"}]
