"""The ways out of a network, and networks that are there already."""

import json

import pytest
from _support import monitor
from _support.rendering import rendered

from coiled_pulumi import outputs
from coiled_pulumi.plan.network import SERVICES

ZONES = ["us-east-1a", "us-east-1b"]
EXISTING = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnets": {
        "us-east-1a": {"private": "subnet-0000000a", "public": "subnet-0000001a"},
        "us-east-1b": {"private": "subnet-0000000b"},
    },
}
#: Everything of ours in a network that is there already.
ON_TOP = {
    "SecurityGroup", "SecurityGroupIngressRule", "SecurityGroupEgressRule", "Instance", "LaunchTemplate",
    "Group", "Role", "RolePolicy", "InstanceProfile", "LogGroup", "Stash", "aws",
    "Workspace", "Security", "Identity", "Logs", "Images", "Cluster",
    "Node", "Parameter", "Tag",
}  # fmt: skip


def _routes(recorded: monitor.Recorded) -> dict[str, dict]:
    return {
        item.name: {
            key: value
            for key, value in item.props.items()
            if key not in ("destinationCidrBlock", "routeTableId")
        }
        for item in recorded.of("Route")
    }


def _tables(recorded: monitor.Recorded) -> dict[str, str]:
    return {item.name: item.props["routeTableId"] for item in recorded.of("RouteTableAssociation")}


def _network(nat: str, **values) -> monitor.Recorded:
    return rendered(network={"zones": ZONES, "nat": nat}, clusters={"main": {}}, **values)


PUBLIC = {"dev-public": {"gatewayId": "dev-internet-id"}}


def test_one_gateway():
    recorded = _network("gateway", zone="us-east-1b")

    assert [item.props["subnetId"] for item in recorded.of("NatGateway")] == ["dev-public-us-east-1b-id"]
    assert _routes(recorded) == PUBLIC | {"dev-private": {"natGatewayId": "dev-nat-id"}}
    assert set(_tables(recorded).values()) == {"dev-public-id", "dev-private-id"}
    assert outputs.read(recorded.outputs).nat_addresses == {"us-east-1b": "198.51.100.1"}


def test_a_gateway_for_each_zone():
    recorded = _network("per-zone")

    assert {item.name: item.props["subnetId"] for item in recorded.of("NatGateway")} == {
        f"dev-nat-{zone}": f"dev-public-{zone}-id" for zone in ZONES
    }
    assert _routes(recorded) == PUBLIC | {
        f"dev-routes-{zone}": {"natGatewayId": f"dev-nat-{zone}-id"} for zone in ZONES
    }
    assert _tables(recorded) == {f"dev-private-{zone}": f"dev-routes-{zone}-id" for zone in ZONES} | {
        f"dev-public-{zone}": "dev-public-id" for zone in ZONES
    }
    assert outputs.read(recorded.outputs).nat_addresses.keys() == set(ZONES)
    assert len({item.props["allocationId"] for item in recorded.of("NatGateway")}) == 2


def test_an_instance():
    recorded = _network("instance")
    instance = recorded.named("dev-nat-instance", "Instance")
    rules = {item.name: item.props for item in recorded.of("SecurityGroupIngressRule")}
    (association,) = recorded.of("EipAssociation")

    assert recorded.of("NatGateway") == []
    assert instance.props["instanceType"] == "t4g.nano"
    assert instance.props["sourceDestCheck"] is False
    assert instance.props["subnetId"] == "dev-public-us-east-1a-id"
    assert instance.props["vpcSecurityGroupIds"] == ["dev-nat-group-id"]
    assert instance.props["metadataOptions"]["httpTokens"] == "required"
    assert instance.props["rootBlockDevice"]["encrypted"] is True
    assert "net.ipv4.ip_forward = 1" in instance.props["userData"]
    assert rules["dev-nat-ingress-all-from-10-0-0-0-16"]["cidrIpv4"] == "10.0.0.0/16"
    assert association.props == {
        "allocationId": "dev-nat-instance-address-id",
        "instanceId": "dev-nat-instance-id",
    }
    assert _routes(recorded)["dev-private"] == {"networkInterfaceId": "dev-nat-instance-interface"}
    assert outputs.read(recorded.outputs).nat_addresses == {"us-east-1a": "198.51.100.1"}
    assert len(recorded.invokes) == 2  # its own image and that of the cluster


def test_no_way_out_but_endpoints():
    recorded = _network("none")
    endpoints = {item.name: item.props for item in recorded.of("VpcEndpoint")}
    interfaces = {name: props for name, props in endpoints.items() if props["vpcEndpointType"] == "Interface"}

    assert recorded.of("NatGateway") + recorded.of("Eip") == []
    assert _routes(recorded) == PUBLIC
    assert {props["serviceName"] for props in interfaces.values()} == {
        f"com.amazonaws.us-east-1.{service}" for service in SERVICES
    }
    for props in interfaces.values():
        assert props["privateDnsEnabled"] is True
        assert props["subnetIds"] == [f"dev-private-{zone}-id" for zone in ZONES]
        assert props["securityGroupIds"] == ["dev-cluster-group-id"]
    workers = recorded.named("dev-cluster-main-workers", "Group")
    assert set(interfaces) <= set(workers.depends_on)
    assert outputs.read(recorded.outputs).nat_addresses == {}


@pytest.mark.parametrize("nat", ["gateway", "per-zone", "instance", "none"])
def test_storage_is_reached_without_the_way_out(nat):
    recorded = _network(nat)
    storage = recorded.named("dev-s3", "VpcEndpoint").props

    assert (storage["serviceName"], storage["vpcEndpointType"]) == ("com.amazonaws.us-east-1.s3", "Gateway")
    assert sorted(storage["routeTableIds"]) == sorted(f"{item.name}-id" for item in recorded.of("RouteTable"))


@pytest.mark.parametrize("nat", ["gateway", "per-zone", "instance", "none"])
def test_the_record_has_the_same_keys_for_every_way_out(nat):
    record = outputs.read(_network(nat).outputs)

    assert record.subnets.keys() == {f"{tier}-{zone}" for tier in ("private", "public") for zone in ZONES}
    assert {"cluster-group", "scheduler-group"} <= record.groups.keys()
    assert {"public"} <= record.route_tables.keys()


@pytest.mark.parametrize("nat", ["per-zone", "instance", "none"])
def test_another_way_out_leaves_clusters_and_subnets_alone(nat):
    def kept(recorded):
        kinds = ("Subnet", "Instance", "LaunchTemplate", "Group", "Vpc", "InternetGateway")
        return {
            (item.type, item.name): item.props
            for kind in kinds
            for item in recorded.of(kind)
            if item.name != "dev-nat-instance"
        }

    assert kept(_network(nat)) == kept(_network("gateway"))


def test_of_an_existing_network_nothing_is_made_or_changed():
    recorded = rendered(network={"existing": EXISTING}, clusters={"main": {}})
    group = recorded.named("dev-cluster-main-workers", "Group")
    scheduler = recorded.named("dev-cluster-main-scheduler", "Instance")

    assert {item.type.split(":")[-1] for item in recorded.resources} == ON_TOP
    assert {item.props["vpcId"] for item in recorded.of("SecurityGroup")} == {EXISTING["vpc_id"]}
    assert scheduler.props["subnetId"] == "subnet-0000001a"
    assert group.props["vpcZoneIdentifiers"] == ["subnet-0000000a"]


def test_the_record_of_an_existing_network_has_the_keys_of_ours():
    recorded = rendered(network={"existing": EXISTING}, clusters={"main": {}})
    record = outputs.read(recorded.outputs)

    assert (record.vpc_id, record.nat_addresses, record.route_tables) == (EXISTING["vpc_id"], {}, {})
    assert record.subnets == {
        "private-us-east-1a": "subnet-0000000a",
        "public-us-east-1a": "subnet-0000001a",
        "private-us-east-1b": "subnet-0000000b",
    }
    assert recorded.outputs["workspace"].keys() == rendered().outputs["workspace"].keys()


def test_a_zone_without_a_public_subnet_takes_schedulers_without_a_public_address():
    recorded = rendered(
        network={"existing": EXISTING},
        clusters={"main": {"zone": "us-east-1b", "use_scheduler_public_ip": False}},
    )

    assert recorded.named("dev-cluster-main-scheduler", "Instance").props["subnetId"] == "subnet-0000000b"


ARNS = [
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "arn:aws:iam::123456789012:policy/team/reads",
    "arn:aws:iam::123456789012:policy/team-reads",
]


def test_policies_of_machines_are_attached_before_a_machine_starts():
    recorded = rendered(iam={"instance_policies": [*ARNS, ARNS[0]]})
    attached = {item.name: item.props for item in recorded.of("RolePolicyAttachment")}
    (profile,) = recorded.of("InstanceProfile")

    assert attached == {
        "dev-policy-AmazonS3ReadOnlyAccess": {"policyArn": ARNS[0], "role": "dev"},
        "dev-policy-team:reads-of-123456789012": {"policyArn": ARNS[1], "role": "dev"},
        "dev-policy-team-reads-of-123456789012": {"policyArn": ARNS[2], "role": "dev"},
    }
    assert set(attached) <= set(profile.depends_on)


def test_buckets_of_machines():
    buckets = [
        {"bucket": "input"},
        {"bucket": "results", "access": "write"},
        {"bucket": "scratch", "access": "read-write"},
    ]
    (policy,) = rendered(iam={"s3": buckets}).of("RolePolicy")
    statements = {row["Sid"]: row for row in json.loads(policy.props["policy"])["Statement"]}

    assert statements["ListBuckets"]["Resource"] == [
        f"arn:aws:s3:::{name}" for name in ("input", "results", "scratch")
    ]
    assert statements["ListBuckets"]["Action"] == ["s3:GetBucketLocation", "s3:ListBucket"]
    assert statements["ReadObjects"]["Resource"] == ["arn:aws:s3:::input/*", "arn:aws:s3:::scratch/*"]
    assert statements["ReadObjects"]["Action"] == ["s3:GetObject"]
    assert statements["WriteObjects"]["Resource"] == ["arn:aws:s3:::results/*", "arn:aws:s3:::scratch/*"]
    assert statements["WriteObjects"]["Action"] == [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:PutObject",
    ]


def test_without_buckets_the_role_says_nothing_of_storage():
    (policy,) = rendered().of("RolePolicy")

    assert "s3:" not in policy.props["policy"]
