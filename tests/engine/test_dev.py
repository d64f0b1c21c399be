"""The life of the dev workspace under bare `pulumi`, in the order of this file: up, edits one by one, destroy."""

import json
from ipaddress import ip_address, ip_network

import pytest

pytestmark = pytest.mark.engine

TAGS = {"coiled-pulumi:workspace": "dev", "coiled-pulumi:stack": "dev", "team": "data"}
ZONES = [f"us-east-1{letter}" for letter in "abcdef"]


@pytest.fixture(scope="module")
def dev(project):
    project.pulumi("stack", "init", "dev", "--no-select")
    project.pulumi("up", "-s", "dev", "--yes")
    return project


def tags_of(resource) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def ours(resources):
    return [resource for resource in resources if tags_of(resource).get("coiled-pulumi:workspace") == "dev"]


@pytest.fixture
def instances(dev):
    pages = dev.bench.client("ec2").describe_instances()["Reservations"]
    found = ours(instance for page in pages for instance in page["Instances"])
    return {
        role: [
            i for i in found if tags_of(i)["coiled-pulumi:role"] == role and i["State"]["Name"] == "running"
        ]
        for role in ("scheduler", "worker")
    }


def test_one_network_with_a_subnet_pair_for_every_zone(dev):
    ec2 = dev.bench.client("ec2")
    (vpc,) = ours(ec2.describe_vpcs()["Vpcs"])
    assert vpc["CidrBlock"] == "10.10.0.0/16"
    subnets = ours(ec2.describe_subnets()["Subnets"])
    assert sorted(
        (s["AvailabilityZone"], s["CidrBlock"], s["MapPublicIpOnLaunch"]) for s in subnets
    ) == sorted(
        (zone, block, False)
        for index, zone in enumerate(ZONES)
        for block in (f"10.10.{32 * index}.0/19", f"10.10.{224 + 4 * index}.0/22")
    )
    found = ours(ec2.describe_route_tables()["RouteTables"])
    tables = {tags_of(table)["Name"]: table for table in found}
    assert len(tables) == 2
    ways = {
        tags_of(table)["Name"]: next(
            r.get("GatewayId") or r.get("NatGatewayId")
            for r in table["Routes"]
            if r.get("DestinationCidrBlock") == "0.0.0.0/0"
        )[:3]
        for table in tables.values()
    }
    assert ways == {"dev-public": "igw", "dev-private": "nat"}


def test_the_default_security_group_is_empty(dev):
    ec2 = dev.bench.client("ec2")
    (vpc,) = ours(ec2.describe_vpcs()["Vpcs"])
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])[
        "SecurityGroups"
    ]
    default = next(group for group in groups if group["GroupName"] == "default")
    assert (default["IpPermissions"], default["IpPermissionsEgress"]) == ([], [])


def test_one_scheduler_in_a_public_and_five_workers_in_a_private_subnet(dev, instances):
    assert {role: len(found) for role, found in instances.items()} == {"scheduler": 1, "worker": 5}
    (scheduler,) = instances["scheduler"]
    assert ip_address(scheduler["PrivateIpAddress"]) in ip_network("10.10.224.0/22")
    assert ip_address(scheduler["PublicIpAddress"]) in ip_network("127.0.0.0/8")
    for worker in instances["worker"]:
        assert ip_address(worker["PrivateIpAddress"]) in ip_network("10.10.0.0/19")
        assert "PublicIpAddress" not in worker


def test_every_machine_is_tagged_asks_for_imdsv2_and_has_one_encrypted_disk(dev, instances):
    ec2 = dev.bench.client("ec2")
    sizes = {"scheduler": 30, "worker": 100}
    for role, found in instances.items():
        for instance in found:
            assert tags_of(instance).items() >= {**TAGS, "coiled-pulumi:role": role}.items()
            assert instance["MetadataOptions"]["HttpTokens"] == "required"
            assert instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/dev")
            mapped = [mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]]
            (volume,) = ec2.describe_volumes(VolumeIds=mapped)["Volumes"]
            assert (volume["Encrypted"], volume["VolumeType"], volume["Size"]) == (True, "gp3", sizes[role])
            assert tags_of(volume).items() >= {**TAGS, "coiled-pulumi:role": role}.items()


def test_role_profile_and_log_group_bear_the_workspaces_name(dev):
    iam = dev.bench.client("iam")
    assert iam.get_role(RoleName="dev")["Role"]["RoleName"] == "dev"
    profile = iam.get_instance_profile(InstanceProfileName="dev")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["dev"]
    (group,) = dev.bench.client("logs").describe_log_groups(logGroupNamePrefix="dev")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("dev", 30)


def test_a_scheduler_may_end_its_group_and_read_its_secrets_and_nobody_else_may(dev, instances):
    (scheduler,) = (instance["InstanceId"] for instance in instances["scheduler"])
    groups = dev.bench.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    (group,) = ours(groups)
    assert tags_of(group)["coiled-pulumi:scheduler"] == scheduler
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (0, 5, 5)
    ssm = dev.bench.client("ssm")
    found = ssm.get_parameters_by_path(Path="/coiled-pulumi/dev/", Recursive=True)["Parameters"]
    names = sorted(one["Name"].removeprefix("/coiled-pulumi/dev/main/") for one in found)
    assert names == ["config/0", "scheduler", "worker"]
    assert {one["Type"] for one in found} == {"SecureString"}
    rows = ssm.list_tags_for_resource(
        ResourceType="Parameter", ResourceId="/coiled-pulumi/dev/main/scheduler"
    )
    assert {row["Key"]: row["Value"] for row in rows["TagList"]}["coiled-pulumi:reader"] == scheduler


def test_keys_stand_in_no_plain_state(dev):
    state = dev.pulumi("stack", "export", "-s", "dev").stdout
    assert "PRIVATE KEY" not in state
    record = json.loads(dev.pulumi("stack", "output", "--json", "-s", "dev").stdout)["workspace"]
    assert record["clusters"]["main"]["security"] == "[secret]"


def test_the_record_of_outputs_is_complete(dev):
    record = json.loads(dev.pulumi("stack", "output", "--json", "-s", "dev").stdout)["workspace"]
    assert {key: record[key] for key in ("name", "region", "version", "log_group", "instance_profile")} == {
        "name": "dev",
        "region": "us-east-1",
        "version": 3,
        "log_group": "dev",
        "instance_profile": "dev",
    }
    assert sorted(record["subnets"]) == sorted(
        f"{tier}-{zone}" for tier in ("private", "public") for zone in ZONES
    )
    assert record["clusters"]["main"]["n_workers"] == 5


def test_a_second_up_changes_nothing_and_calls_nothing_that_could(dev):
    mark = dev.bench.mark()
    assert dev.changes("up", "dev") == set()
    assert dev.bench.mutations_since(mark) == []


def test_a_refresh_finds_no_drift(dev):
    assert dev.changes("refresh", "dev") == set()
    dev.pulumi("refresh", "-s", "dev", "--preview-only", "--expect-no-changes")


def test_the_policy_pack_finds_nothing_to_forbid(dev):
    progress = dev.operate("preview", "dev", "--policy-pack", str(dev.folder / "policies"))
    assert [finding for finding in progress.findings if finding.level == "mandatory"] == []


def test_one_worker_more_updates_the_group_alone(dev):
    dev.edit("dev", lambda workspace: workspace["clusters"]["main"].update(n_workers=6))
    assert dev.changes("up", "dev") == {("update", "dev-cluster-main-workers")}


def test_one_port_more_creates_one_rule(dev):
    dev.edit(
        "dev", lambda workspace: workspace["ingress"].insert(0, {"ports": [8000], "cidr": "127.0.0.2/32"})
    )
    assert dev.changes("up", "dev") == {("create", "dev-scheduler-ingress-8000-from-127-0-0-2-32")}


def test_a_tag_more_updates_what_carries_tags_and_replaces_nothing(dev):
    tagged = {r["urn"].rsplit("::", 1)[-1] for r in dev.resources("dev") if r.get("inputs", {}).get("tags")}
    dev.edit("dev", lambda workspace: workspace["tags"].update(cost="42"))
    assert dev.changes("up", "dev") == {("update", name) for name in tagged}


def test_one_cluster_more_touches_neither_the_network_nor_the_other_cluster(dev):
    dev.edit(
        "dev", lambda workspace: workspace["clusters"].update(second={"n_workers": 2, "zone": "us-east-1b"})
    )
    assert dev.changes("up", "dev") == {
        ("create", "dev-cluster-second"),
        ("create", "dev-cluster-second-scheduler"),
        ("create", "dev-cluster-second-worker"),
        ("create", "dev-cluster-second-workers"),
        ("create", "dev-cluster-second-workers-owner"),
        ("create", "dev-cluster-second-node"),
        ("create", "dev-cluster-second-authority"),
        ("create", "dev-cluster-second-certificates-0"),
        ("create", "dev-cluster-second-config-0"),
        ("create", "dev-cluster-second-scheduler-secrets"),
        ("create", "dev-cluster-second-worker-secrets"),
    }


def test_one_zone_fewer_takes_its_pair_and_one_more_brings_the_same_back(dev):
    before = subnets_by_name(dev)
    pair = {"dev-private-us-east-1d", "dev-public-us-east-1d"}
    zones = [zone for zone in ZONES if zone != "us-east-1d"]
    dev.edit("dev", lambda workspace: workspace["network"].update(zones=zones))
    assert dev.changes("up", "dev") == {("delete", name) for name in pair}
    assert subnets_by_name(dev) == {name: block for name, block in before.items() if name not in pair}
    dev.edit("dev", lambda workspace: workspace["network"].pop("zones"))
    assert dev.changes("up", "dev") == {("create", name) for name in pair}
    assert subnets_by_name(dev) == before


def subnets_by_name(dev) -> dict[str, str]:
    subnets = ours(dev.bench.client("ec2").describe_subnets()["Subnets"])
    return {tags_of(subnet)["Name"]: subnet["CidrBlock"] for subnet in subnets}


def test_a_mistake_in_the_file_ends_in_its_lines_and_changes_nothing(dev):
    text = dev.file("dev").read_text()
    mark = dev.bench.mark()
    dev.file("dev").write_text(text.replace("n_workers: 6", "n_worker: 6"))
    done = dev.pulumi("up", "-s", "dev", "--yes", code=1)
    dev.file("dev").write_text(text)
    assert "clusters.main.n_worker: is not a known key; did you mean n_workers" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert dev.bench.mutations_since(mark) == []


def test_destroy_leaves_nothing_of_ours_and_an_empty_stack(dev):
    dev.pulumi("destroy", "-s", "dev", "--yes")
    assert dev.bench.inventory("dev") == {}
    assert dev.resources("dev") == []
