"""What the program asks Pulumi for: types, names, parents, providers, properties."""

import base64
import functools
import json

import pytest
from _support import examples, monitor
from _support.updating import SNAPSHOTS, check_snapshot

from coiled_pulumi import outputs, program
from coiled_pulumi.components import _base
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load

#: AWS has no tags on these.
UNTAGGABLE = {"EipAssociation", "Route", "RouteTableAssociation", "RolePolicy", "RolePolicyAttachment", "Tag"}
#: What is Pulumi's own and AWS never sees.
OWN = {"Stash", "aws", *_base.TOKENS}
#: The metadata service with session tokens only, out of reach of anything that is not the machine itself.
METADATA = {"httpEndpoint": "enabled", "httpPutResponseHopLimit": 1, "httpTokens": "required"}
COMPONENTS = set(_base.TOKENS.values())


@functools.cache
def _example(name: str) -> monitor.Recorded:
    return monitor.record(lambda: program.render(examples.plan(name)), stack=name)


def _record(*, environ: dict | None = None, **values) -> monitor.Recorded:
    plan = build(
        load.validate({"name": "dev", "network": {"zones": ["us-east-1a"]}, **values}, source="f").workspace
    )
    return monitor.record(lambda: program.render(plan, environ))


def _kind(item: monitor.Registration) -> str:
    return item.type.split(":")[-1]


def _graph(recorded: monitor.Recorded) -> set[tuple[str, str, str]]:
    return {(item.type, item.name, item.parent) for item in recorded.resources}


@examples.each
def test_graph(example):
    rows = [{"type": t, "name": n, "parent": p} for t, n, p in sorted(_graph(_example(example)))]
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"

    check_snapshot(SNAPSHOTS / example / "graph.json", text)


@examples.each
def test_everything_has_a_parent_of_ours(example):
    recorded = _example(example)
    ours = {item.name for item in recorded.resources if item.type in COMPONENTS}
    stack = f"{monitor.PROJECT}-{example}"

    assert {item.name for item in recorded.resources if item.parent == stack} == {example, "aws-us-east-1"}
    assert {item.parent for item in recorded.resources if item.custom and _kind(item) != "aws"} <= ours


@examples.each
def test_every_name_starts_with_the_workspace(example):
    names = {item.name for item in _example(example).resources if _kind(item) != "aws"}

    assert [name for name in names if name != example and not name.startswith(f"{example}-")] == []


@examples.each
def test_everything_that_can_be_tagged_is_tagged_from_its_first_call(example):
    required = {"Name", "coiled-pulumi:key", "coiled-pulumi:stack", "coiled-pulumi:workspace", "team"}
    for item in _example(example).resources:
        if _kind(item) in OWN | UNTAGGABLE:
            assert "tags" not in item.props, item.name
            continue
        tags = item.props["tags"]
        keys = {tag["key"] for tag in tags} if isinstance(tags, list) else tags.keys()
        assert required <= keys, item.name


@examples.each
def test_nothing_uses_a_provider_that_nobody_configured(example):
    recorded = _example(example)

    assert {item.provider for item in recorded.resources if item.type.startswith("aws:")} == {"aws-us-east-1"}
    assert {item.providers for item in recorded.resources if item.type in COMPONENTS} == {("aws-us-east-1",)}
    assert {provider for _, _, provider in recorded.invokes} == {"aws-us-east-1"}


def test_the_provider_gives_up_in_time():
    (provider,) = _example("dev").of("aws")

    assert provider.props["region"] == "us-east-1"
    assert int(provider.props["maxRetries"]) == 8


@examples.each
def test_the_exported_record_can_be_read(example):
    record = outputs.read(_example(example).outputs)
    plan = examples.plan(example)

    assert (record.name, record.region) == (plan.name, plan.region)
    assert record.subnets.keys() == {subnet.key for subnet in plan.network.subnets}
    assert record.groups.keys() == {group.key for group in plan.security.groups}
    assert {name: c.n_workers for name, c in record.clusters.items()} == {
        cluster.name: cluster.workers.n_workers for cluster in plan.clusters
    }


def test_the_number_of_resources_does_not_depend_on_the_number_of_workers():
    graphs = [_graph(_record(clusters={"main": {"n_workers": n}})) for n in (1, 500)]

    assert graphs[0] == graphs[1]


def test_another_cluster_adds_its_own_machines_and_nothing_else():
    one = _graph(_record(clusters={"main": {}}))
    two = _graph(_record(clusters={"main": {}, "other": {}}))
    own = "dev-cluster-other"

    assert one <= two
    assert two - one == {
        ("coiled:index:Cluster", own, "dev"),
        ("aws:ec2/instance:Instance", f"{own}-scheduler", own),
        ("aws:ec2/launchTemplate:LaunchTemplate", f"{own}-worker", own),
        ("aws:autoscaling/group:Group", f"{own}-workers", own),
        ("aws:autoscaling/tag:Tag", f"{own}-workers-owner", own),
        *_told(own),
    }


def _told(cluster: str) -> set[tuple[str, str, str]]:
    """What a cluster's machines are told."""
    stashes = ("authority", "certificates-0")
    parameters = ("config-0", "scheduler-secrets", "worker-secrets")
    return {
        ("coiled:index:Node", f"{cluster}-node", cluster),
        *(("pulumi:index:Stash", f"{cluster}-{name}", f"{cluster}-node") for name in stashes),
        *(("aws:ssm/parameter:Parameter", f"{cluster}-{name}", f"{cluster}-node") for name in parameters),
    }


def test_another_group_of_workers_adds_its_own_machines_and_nothing_else():
    one = _graph(_record(clusters={"main": {"worker_groups": {"a": {}}}}))
    two = _graph(_record(clusters={"main": {"worker_groups": {"a": {}, "big": {}}}}))
    cluster, own = "dev-cluster-main", "dev-cluster-main.big"

    assert one <= two
    assert two - one == {
        ("aws:ec2/launchTemplate:LaunchTemplate", f"{own}-worker", cluster),
        ("aws:autoscaling/group:Group", f"{own}-workers", cluster),
        ("aws:autoscaling/tag:Tag", f"{own}-workers-owner", cluster),
    }


def test_a_group_of_workers_is_never_called_as_something_of_another_cluster():
    clusters = {
        "a": {"worker_groups": {"b": {}}},
        "a-b": {},
        "a-group-b": {},
        "b": {"worker_groups": {"a": {}}},
    }
    recorded = _record(clusters=clusters)

    assert len(recorded.of("Group")) == 6


def test_a_range_is_kept_by_aws_and_set_while_the_cluster_runs():
    recorded = _record(clusters={"main": {"n_workers": [2, 20]}})
    group = recorded.named("dev-cluster-main-workers", "Group")

    sizes = ("minSize", "desiredCapacity", "maxSize")
    assert [int(group.props[size]) for size in sizes] == [0, 2, 20]
    assert "desiredCapacity" in group.ignore_changes


def test_what_is_secret_goes_out_encrypted():
    environ = {"TOKEN": "geheim" * 1000}
    recorded = _record(clusters={"main": {"environ": environ}}, environ={"main": environ})
    parameters = recorded.of("Parameter")

    assert {item.props["type"] for item in parameters} == {"SecureString"}
    assert [item.name for item in parameters if "config" in item.name] == [
        "dev-cluster-main-config-0",
        "dev-cluster-main-config-1",
    ]
    assert all(len(item.props["value"]) <= 4096 for item in parameters)
    assert "geheim" not in json.dumps(recorded.outputs)


def test_names_of_clusters_never_collide_with_what_is_there():
    """`cluster-group` is a security group's key, `cluster-a-worker` a launch template's."""
    names = (
        "group",
        "a",
        "a-worker",
        "a-workers",
        "a-scheduler",
        "network",
        "images",
        "ingress-all-from-self",
    )

    assert len(_record(clusters={name: {} for name in names}).of("Cluster")) == len(names)


def test_without_clusters_there_are_no_machines():
    recorded = _record()

    assert recorded.of("Instance") + recorded.of("LaunchTemplate") + recorded.of("Stash") == []
    assert recorded.invokes == ()


def test_a_scheduler():
    recorded = _record(clusters={"main": {"scheduler": {"instance_type": "m6i.large", "disk": {"size": 40}}}})
    props = recorded.named("dev-cluster-main-scheduler", "Instance").props
    tags, user_data = props.pop("tags"), props.pop("userData")

    assert props == {
        "ami": monitor.IMAGE,
        "associatePublicIpAddress": True,
        "iamInstanceProfile": "dev",
        "instanceInitiatedShutdownBehavior": "terminate",
        "instanceType": "m6i.large",
        "metadataOptions": METADATA,
        "rootBlockDevice": {
            "deleteOnTermination": True, "encrypted": True, "volumeSize": 40, "volumeType": "gp3",
        },
        "subnetId": "dev-public-us-east-1a-id",
        "userDataReplaceOnChange": True,
        "volumeTags": tags,
        "vpcSecurityGroupIds": ["dev-cluster-group-id", "dev-scheduler-group-id"],
    }  # fmt: skip
    assert '"role": "scheduler"' in user_data


def test_workers():
    recorded = _record(clusters={"main": {"n_workers": 7, "worker": {"instance_type": "m6i.2xlarge"}}})
    template = recorded.named("dev-cluster-main-worker", "LaunchTemplate").props
    group = recorded.named("dev-cluster-main-workers", "Group").props
    tags, user_data = template.pop("tags"), base64.b64decode(template.pop("userData")).decode()
    group.pop("tags")

    assert template == {
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "deleteOnTermination": "true",
                    "encrypted": "true",
                    "volumeSize": 100,
                    "volumeType": "gp3",
                },
            }
        ],
        "iamInstanceProfile": {"name": "dev"},
        "imageId": monitor.IMAGE,
        "instanceType": "m6i.2xlarge",
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "tagSpecifications": [
            {"resourceType": kind, "tags": tags} for kind in ("instance", "network-interface", "volume")
        ],
        "updateDefaultVersion": True,
        "vpcSecurityGroupIds": ["dev-cluster-group-id"],
    }
    assert group == {
        "desiredCapacity": 7,
        "forceDelete": True,
        "launchTemplate": {"id": "dev-cluster-main-worker-id", "version": "1"},
        "maxSize": 7,
        "minSize": 0,
        "vpcZoneIdentifiers": ["dev-private-us-east-1a-id"],
        "waitForCapacityTimeout": "0",
    }
    assert '"role": "worker"' in user_data


def test_machines_wait_for_their_way_to_the_internet_and_their_rights():
    recorded = _record(clusters={"main": {}})

    assert {"dev-public-us-east-1a", "dev-profile"} <= set(
        recorded.named("dev-cluster-main-scheduler", "Instance").depends_on
    )
    assert "dev-private-us-east-1a" in recorded.named("dev-cluster-main-workers", "Group").depends_on
    for tier in ("public", "private"):
        used = recorded.named(f"dev-{tier}-us-east-1a", "RouteTableAssociation")
        assert f"dev-{tier}" in used.depends_on
    assert "dev-profile" in recorded.named("dev-cluster-main-worker", "LaunchTemplate").depends_on
    assert "dev-policy" in recorded.named("dev-profile", "InstanceProfile").depends_on


def test_subnets_use_the_table_of_their_tier():
    recorded = _record(network={"zones": ["us-east-1a", "us-east-1b"]})
    tables = {item.name: item.props["routeTableId"] for item in recorded.of("RouteTableAssociation")}

    assert tables == {
        "dev-private-us-east-1a": "dev-private-id",
        "dev-private-us-east-1b": "dev-private-id",
        "dev-public-us-east-1a": "dev-public-id",
        "dev-public-us-east-1b": "dev-public-id",
    }
    assert recorded.named("dev-public", "Route").props == {
        "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "dev-internet-id", "routeTableId": "dev-public-id",
    }  # fmt: skip
    assert recorded.named("dev-private", "Route").props == {
        "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": "dev-nat-id", "routeTableId": "dev-private-id",
    }  # fmt: skip


def test_no_subnet_gives_public_addresses_by_itself():
    assert {item.props.get("mapPublicIpOnLaunch", False) for item in _record().of("Subnet")} == {False}


def test_rules():
    recorded = _record(ingress=[{"ports": ["8000-8100"], "cidr": "198.51.100.0/24"}])
    rules = {item.name: item.props for item in recorded.of("SecurityGroupIngressRule")}
    for props in rules.values():
        props.pop("tags")

    assert rules == {
        "dev-cluster-ingress-all-from-self": {
            "description": "Everything inside the group",
            "ipProtocol": "-1",
            "referencedSecurityGroupId": "dev-cluster-group-id",
            "securityGroupId": "dev-cluster-group-id",
        },
        "dev-scheduler-ingress-8000-8100-from-198-51-100-0-24": {
            "cidrIpv4": "198.51.100.0/24",
            "description": "Opened by the workspace file",
            "fromPort": 8000,
            "ipProtocol": "tcp",
            "securityGroupId": "dev-scheduler-group-id",
            "toPort": 8100,
        },
    }


def test_the_default_group_is_emptied():
    (group,) = _record().of("DefaultSecurityGroup")

    assert group.props.keys() == {"vpcId", "tags"}


def test_names_that_people_look_for_are_the_workspaces_own():
    recorded = _record()

    kinds = ("Role", "RolePolicy", "InstanceProfile", "LogGroup")
    assert [[item.props["name"] for item in recorded.of(kind)] for kind in kinds] == [["dev"]] * len(kinds)


def test_an_image_is_looked_up_once_for_all_clusters_and_kept():
    recorded = _record(clusters={"a": {}, "b": {}, "c": {"worker": {"instance_type": "m7g.large"}}})

    images = [item.name for item in recorded.of("Stash") if "-image-" in item.name]
    assert images == ["dev-image-arm64", "dev-image-x86-64"]
    assert len(recorded.invokes) == 2


def test_type_tokens_are_frozen():
    """Another token is another URN for everything below it."""
    assert _base.TOKENS == {
        "Workspace": "coiled:index:Workspace",
        "Network": "coiled:index:Network",
        "WaysOut": "coiled:index:WaysOut",
        "ZoneNetwork": "coiled:index:ZoneNetwork",
        "Security": "coiled:index:Security",
        "Identity": "coiled:index:Identity",
        "Logs": "coiled:index:Logs",
        "Images": "coiled:index:Images",
        "Cluster": "coiled:index:Cluster",
        "Node": "coiled:index:Node",
        "ClusterBeside": "coiled:index:ClusterBeside",
    }


def test_the_recorder_refuses_the_same_name_twice():
    async def twice() -> None:
        await program.render(examples.plan("dev"))
        await program.render(examples.plan("dev"))

    with pytest.raises(AssertionError, match="registered twice"):
        monitor.record(twice)
