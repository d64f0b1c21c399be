"""From what the file says of machines to what AWS is asked for: one instance, one launch template, one group."""

import pytest
from _support.rendering import machines, rendered

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
DL = "/aws/service/deeplearning/ami/{}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"


def _worker(**machine) -> tuple[dict, dict]:
    _, template, group = machines(worker=machine)
    return template, group


def _types(group: dict) -> list[str]:
    return [one["instanceType"] for one in group["mixedInstancesPolicy"]["launchTemplate"]["overrides"]]


@pytest.mark.parametrize("value", ["c7g.large", ["c7g.large"]], ids=["text", "list"])
def test_one_type_is_in_the_template_and_in_no_policy(value):
    template, group = _worker(instance_type=value)

    assert template["instanceType"] == "c7g.large"
    assert "mixedInstancesPolicy" not in group
    assert group["launchTemplate"] == {"id": "dev-cluster-main-worker-id", "version": "1"}


def test_several_types_are_in_the_order_in_which_they_are_preferred():
    names = ["m5.large", "m6i.large", "c5.large"]
    template, group = _worker(instance_type=names)

    assert template["instanceType"] == "m5.large"
    assert _types(group) == names
    assert "launchTemplate" not in group
    assert group["mixedInstancesPolicy"]["launchTemplate"]["launchTemplateSpecification"] == {
        "launchTemplateId": "dev-cluster-main-worker-id",
        "version": "1",
    }
    assert group["mixedInstancesPolicy"]["instancesDistribution"] == {
        "onDemandAllocationStrategy": "prioritized",
        "onDemandBaseCapacity": 0,
        "onDemandPercentageAboveBaseCapacity": 100,
        "spotAllocationStrategy": "price-capacity-optimized",
    }
    assert "capacityRebalance" not in group


@pytest.mark.parametrize(
    ("machine", "types"),
    [
        ({}, ["m6i.xlarge", "m5.xlarge"]),
        ({"architecture": "arm64"}, ["m7g.xlarge", "m6g.xlarge"]),
        ({"gpu": 0}, ["m6i.xlarge", "m5.xlarge"]),
    ],
    ids=str,
)
def test_types_that_are_chosen(machine, types):
    template, group = _worker(**machine)

    assert (template["instanceType"], _types(group)) == (types[0], types)


@pytest.mark.parametrize(
    ("machine", "cpu", "memory"),
    [
        ({"cpu": 8}, (8, 8), (0, 9999)),
        ({"cpu": [2, 4]}, (2, 4), (0, 9999)),
        ({"memory": "32 GiB"}, (1, 999), (28, 36)),
        ({"memory": ["8 GiB", "16GiB"]}, (1, 999), (8, 16)),
        ({"cpu": [4, 8], "memory": "64 GB"}, (4, 8), (53, 66)),
        ({"cpu": 4, "memory": "16 GiB", "architecture": "arm64"}, (4, 4), (14, 18)),
    ],
    ids=str,
)
def test_sizes_that_are_asked_for(machine, cpu, memory):
    from coiled_pulumi import catalog

    template, group = _worker(**machine)
    found = [catalog.instance_type(name) for name in _types(group)]

    assert template["instanceType"] == found[0].name
    assert len(found) > 1
    assert {one.architecture for one in found} == {machine.get("architecture", "x86_64")}
    assert all(cpu[0] <= one.vcpus <= cpu[1] for one in found)
    assert all(memory[0] <= one.memory_gib <= memory[1] for one in found)


def test_a_scheduler_has_the_first_of_its_types():
    scheduler, _, _ = machines(scheduler={"instance_type": ["m7g.large", "m6g.large"]})

    assert scheduler["instanceType"] == "m7g.large"


@pytest.mark.parametrize(
    ("machine", "parameters"),
    [
        ({"instance_type": "m6i.large"}, [AL2023.format("x86_64")]),
        ({"instance_type": "m7g.large"}, [AL2023.format("x86_64"), AL2023.format("arm64")]),
        ({"gpu": 1}, [AL2023.format("x86_64"), DL.format("x86_64")]),
        ({"instance_type": "g4dn.xlarge"}, [AL2023.format("x86_64"), DL.format("x86_64")]),
        ({"instance_type": "g5g.xlarge"}, [AL2023.format("x86_64"), DL.format("arm64")]),
    ],
    ids=str,
)
def test_the_image_follows_the_machine(machine, parameters):
    recorded = rendered(clusters={"main": {"worker": machine}})

    assert {args["name"] for _, args, _ in recorded.invokes} == set(parameters)


@pytest.mark.parametrize(
    ("ami_version", "parameters"),
    [("AL2023", {AL2023.format("x86_64")}), ("DL", {DL.format("x86_64")})],
)
def test_the_image_that_is_named_is_every_machines(ami_version, parameters):
    recorded = rendered(ami_version=ami_version, clusters={"main": {"worker": {"gpu": 1}}})

    assert {args["name"] for _, args, _ in recorded.invokes} == parameters


@pytest.mark.parametrize(
    ("said", "group_tag", "distribution"),
    [
        ({"spot": True}, False, (0, 0)),
        ({"spot": True, "spot_on_demand_base": 3}, False, (3, 0)),
        ({"spot": True, "spot_on_demand_fallback": True}, True, (0, 0)),
    ],
    ids=str,
)
def test_spot(said, group_tag, distribution):
    _, template, group = machines(**said, worker={"instance_type": ["m6i.large", "m5.large"]})
    policy = group["mixedInstancesPolicy"]["instancesDistribution"]

    assert (policy["onDemandBaseCapacity"], policy["onDemandPercentageAboveBaseCapacity"]) == distribution
    assert policy["spotAllocationStrategy"] == "price-capacity-optimized"
    assert group["capacityRebalance"] is True
    assert ("coiled-pulumi:spot-fallback" in {tag["key"] for tag in group["tags"]}) is group_tag
    assert "instanceMarketOptions" not in template


def test_spot_with_one_type_needs_the_policy_too():
    _, _, group = machines(spot=True, worker={"instance_type": "m6i.large"})

    assert _types(group) == ["m6i.large"]


def test_a_scheduler_is_never_spot():
    scheduler, _, _ = machines(spot=True)

    assert "instanceMarketOptions" not in scheduler


DISKS = [
    ({}, {}, {}, {"volumeSize": 100}),
    ({"disk": {"size": 50}}, {}, {}, {"volumeSize": 50}),
    ({"disk": {"size": 50}}, {"disk": {"size": 60}}, {}, {"volumeSize": 60}),
    ({"disk": {"size": 50}}, {"disk": {"size": 60}}, {"disk": {"size": 70}}, {"volumeSize": 70}),
    (
        {"disk": {"iops": 8000}}, {"disk": {"throughput": 500}}, {"disk": {"size": 70}},
        {"volumeSize": 70, "throughput": 500, "iops": 8000},
    ),
    ({}, {}, {"gpu": 1}, {"volumeSize": 100}),
]  # fmt: skip


@pytest.mark.parametrize(("workspace", "cluster", "machine", "volume"), DISKS)
def test_disks(workspace, cluster, machine, volume):
    _, template, _ = machines(at_workspace=workspace, **cluster, worker=machine)
    (mapping,) = template["blockDeviceMappings"]

    assert mapping == {
        "deviceName": "/dev/xvda",
        "ebs": {"deleteOnTermination": "true", "encrypted": "true", "volumeType": "gp3", **volume},
    }


def test_the_disk_of_a_scheduler():
    scheduler, _, _ = machines(scheduler={"disk": {"throughput": 250, "iops": 4000}})

    assert scheduler["rootBlockDevice"] == {
        "deleteOnTermination": True,
        "encrypted": True,
        "volumeType": "gp3",
        "volumeSize": 30,
        "throughput": 250,
        "iops": 4000,
    }


@pytest.mark.parametrize("level", ["workspace", "cluster"])
def test_what_both_machines_have(level):
    said = {
        "keypair_name": "team",
        "use_placement_group": True,
        "capacity_reservation_id": "cr-0123456789abcdef0",
    }
    levels = {"at_workspace": said} if level == "workspace" else said
    scheduler, template, _ = machines(**levels)
    reservation = {"capacityReservationTarget": {"capacityReservationId": "cr-0123456789abcdef0"}}

    assert (scheduler["keyName"], template["keyName"]) == ("team", "team")
    assert "capacityReservationSpecification" not in scheduler  # it is for machines of one type
    assert template["capacityReservationSpecification"] == reservation
    placement = rendered(clusters={"main": said}).named("dev-cluster-main-placement", "PlacementGroup")
    assert placement.props["strategy"] == "cluster"
    assert placement.parent == "dev-cluster-main"
    assert scheduler["placementGroup"] == "dev-cluster-main-placement-1234567"
    assert template["placement"] == {"groupName": "dev-cluster-main-placement-1234567"}


def test_what_nobody_asked_for_is_not_there():
    scheduler, template, group = machines(worker={"instance_type": "m6i.large"})
    options = {"keyName", "placementGroup", "placement", "capacityReservationSpecification"}

    assert not options & (scheduler.keys() | template.keys())
    assert not {"capacityRebalance", "mixedInstancesPolicy"} & group.keys()


def test_a_scheduler_without_a_public_address_stands_in_the_private_subnet():
    recorded = rendered(use_scheduler_public_ip=False, clusters={"main": {}})
    scheduler = recorded.named("dev-cluster-main-scheduler", "Instance")

    assert scheduler.props["associatePublicIpAddress"] is False
    assert scheduler.props["subnetId"] == "dev-private-us-east-1a-id"
    assert "dev-private-us-east-1a" in scheduler.depends_on
    assert "dev-public-us-east-1a" not in scheduler.depends_on


def test_ingress_of_its_own_takes_the_place_of_the_workspaces():
    rule = {"ports": [8786], "cidr": "198.51.100.0/24"}
    recorded = rendered(clusters={"open": {}, "own": {"ingress": rule}, "closed": {"firewall": []}})
    groups = {
        name: recorded.named(f"dev-cluster-{name}-scheduler", "Instance").props["vpcSecurityGroupIds"]
        for name in ("open", "own", "closed")
    }
    rules = {
        item.name: (item.parent, item.props["securityGroupId"])
        for item in recorded.of("SecurityGroupIngressRule")
        if "cluster-own" in item.name or "cluster-closed" in item.name
    }

    assert groups == {
        "open": ["dev-cluster-group-id", "dev-scheduler-group-id"],
        "own": ["dev-cluster-group-id", "dev-cluster-own-scheduler-group-id"],
        "closed": ["dev-cluster-group-id", "dev-cluster-closed-scheduler-group-id"],
    }
    assert rules == {
        "dev-cluster-own-scheduler-ingress-8786-from-198-51-100-0-24": (
            "dev-cluster-own",
            "dev-cluster-own-scheduler-group-id",
        )
    }


def test_clusters_with_ingress_and_placement_of_their_own_never_collide():
    said = {"ingress": {"ports": [8786], "cidr": "me"}, "use_placement_group": True}
    names = ("a", "a-scheduler", "a-placement", "scheduler", "group", "scheduler-group")

    assert len(rendered(clusters=dict.fromkeys(names, said)).of("PlacementGroup")) == len(names)
