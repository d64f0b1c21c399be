from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

SERVICE, S3 = "com.amazonaws.us-east-1.ssm", "com.amazonaws.us-east-1.s3"


@pytest.fixture
def vpc(aws: Any) -> str:
    vpc = aws.vpc()
    aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc


def make(aws: Any, vpc: str, *subnets: str, **options: Any) -> dict[str, Any]:
    return aws.ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=SERVICE, VpcEndpointType="Interface", SubnetIds=list(subnets), **options
    )["VpcEndpoint"]


def interfaces(aws: Any, endpoint: str) -> list[dict[str, Any]]:
    shown = aws.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]
    names = shown["NetworkInterfaceIds"]
    found = (
        aws.ec2.describe_network_interfaces(NetworkInterfaceIds=names)["NetworkInterfaces"] if names else []
    )
    return sorted(found, key=lambda one: one["AvailabilityZone"])


def routes(aws: Any, table: str) -> list[str]:
    shown = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return [route["GatewayId"] for route in shown if route.get("DestinationPrefixListId")]


def free(aws: Any, subnet: str) -> int:
    return aws.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]


def test_endpoint_has_a_free_address_in_each_subnet_and_gives_it_back(aws: Any, vpc: str) -> None:
    group = aws.group(vpc)
    subnets = [aws.subnet(vpc, cidr=f"10.0.{i}.0/28", zone=zone) for i, zone in enumerate("ab")]
    aws.run(count=10, SubnetId=subnets[0])
    endpoint = make(aws, vpc, *subnets, SecurityGroupIds=[group])["VpcEndpointId"]
    found = interfaces(aws, endpoint)
    assert [one["SubnetId"] for one in found] == subnets
    for i, one in enumerate(found):
        assert ipaddress.ip_address(one["PrivateIpAddress"]) in ipaddress.ip_network(f"10.0.{i}.0/28")
        assert [one["GroupId"] for one in one["Groups"]] == [group]
        assert (one["InterfaceType"], one["RequesterManaged"]) == ("vpc_endpoint", True)
    assert [free(aws, subnet) for subnet in subnets] == [0, 10]
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert [free(aws, subnet) for subnet in subnets] == [1, 11]
    aws.ec2.delete_subnet(SubnetId=subnets[1])
    aws.ec2.delete_security_group(GroupId=group)


def test_endpoint_blocks_the_end_of_its_subnet_and_its_group(
    aws: Any, vpc: str, refused: Callable[..., str]
) -> None:
    subnet, group = aws.subnet(vpc), aws.group(vpc)
    make(aws, vpc, subnet, SecurityGroupIds=[group])
    assert refused(aws.ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    assert refused(aws.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    assert refused(aws.ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"


def test_endpoint_without_groups_is_in_the_default_one(aws: Any, vpc: str) -> None:
    endpoint = make(aws, vpc, aws.subnet(vpc))["VpcEndpointId"]
    assert [one["GroupName"] for one in interfaces(aws, endpoint)[0]["Groups"]] == ["default"]


def test_full_subnet_has_no_room_for_an_endpoint(aws: Any, vpc: str, refused: Callable[..., str]) -> None:
    subnet = aws.subnet(vpc, cidr="10.0.0.0/28")
    aws.run(count=11, SubnetId=subnet)
    code = refused(
        aws.ec2.create_vpc_endpoint,
        VpcId=vpc,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
    )
    assert code == "InsufficientFreeAddressesInSubnet"


def test_endpoint_follows_its_subnets_and_groups(aws: Any, vpc: str) -> None:
    first, second = (aws.subnet(vpc, cidr=f"10.0.{i}.0/24", zone=zone) for i, zone in enumerate("ab"))
    group, other = aws.group(vpc), aws.group(vpc)
    endpoint = make(aws, vpc, first, SecurityGroupIds=[group])["VpcEndpointId"]
    aws.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint,
        AddSubnetIds=[second],
        RemoveSubnetIds=[first],
        AddSecurityGroupIds=[other],
        RemoveSecurityGroupIds=[group],
    )
    (one,) = interfaces(aws, endpoint)
    assert (one["SubnetId"], [group["GroupId"] for group in one["Groups"]]) == (second, [other])
    assert free(aws, first) == 251


@pytest.mark.parametrize("fault", ["no DNS names", "twice in a zone", "twice in a VPC"])
def test_endpoint_that_could_not_answer_is_refused(
    aws: Any, vpc: str, fault: str, refused: Callable[..., str]
) -> None:
    subnets = [aws.subnet(vpc, cidr=f"10.0.{i}.0/24") for i in range(2)]
    if fault == "no DNS names":
        aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    if fault == "twice in a VPC":
        make(aws, vpc, subnets[0])
    code = refused(
        aws.ec2.create_vpc_endpoint,
        VpcId=vpc,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=subnets if fault == "twice in a zone" else subnets[:1],
        PrivateDnsEnabled=True,
    )
    assert code == ("DuplicateSubnetsInSameZone" if fault == "twice in a zone" else "InvalidParameter")


def test_gateway_endpoint_is_routed_to_from_the_tables_that_it_names(aws: Any, vpc: str) -> None:
    old, new = (aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    endpoint = aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=S3, RouteTableIds=[old])["VpcEndpoint"][
        "VpcEndpointId"
    ]
    assert (routes(aws, old), routes(aws, new)) == ([endpoint], [])
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[new], RemoveRouteTableIds=[old])
    assert (routes(aws, old), routes(aws, new)) == ([], [endpoint])
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert routes(aws, new) == []
    aws.ec2.delete_route_table(RouteTableId=new)


def test_ended_endpoint_is_gone(aws: Any, vpc: str, refused: Callable[..., str]) -> None:
    endpoint = make(aws, vpc, aws.subnet(vpc))["VpcEndpointId"]
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert (
        refused(aws.ec2.describe_vpc_endpoints, VpcEndpointIds=[endpoint]) == "InvalidVpcEndpointId.NotFound"
    )
