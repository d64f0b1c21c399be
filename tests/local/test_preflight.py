"""What is found before a launch, on a server that has the quotas, subnets and images to ask about."""

import dataclasses
import json

import pytest
from _support import on_aws
from _support.recorder import Recorder
from _support.refusals import shut

from coiled_pulumi.aws import session
from coiled_pulumi.cli import app
from coiled_pulumi.errors import CredentialsError, DeploymentError
from coiled_pulumi.local import control
from coiled_pulumi.ops import preflight
from coiled_pulumi.ops.findings import Finding
from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec.load import parse

#: A region that no other test of this folder uses: quotas and what runs are a region's.
REGION = "eu-west-3"
STANDARD = "L-1216C47A"


@pytest.fixture(autouse=True)
def _here(aws, monkeypatch):
    with on_aws.working(aws.record, monkeypatch, region=REGION):
        yield


@pytest.fixture
def quota(aws):
    """Set quotas, and set them back."""
    before = {}

    def set_to(code: str, value: float) -> None:
        answer = control.ask(aws.record, "quota", code=code, value=value, region=REGION)
        before.setdefault(code, answer)

    yield set_to
    for code in before:
        control.ask(aws.record, "quota", code=code, value=100_000, region=REGION)


def plan_of(*, name: str = "lab", clusters: str = "one: {n_workers: 2}", more: str = "") -> model.Workspace:
    text = f"name: {name}\nregion: {REGION}\n{more}\nclusters:\n  {clusters}\n"
    return build(parse(text, source="lab.yaml").workspace)


def found(plan: model.Workspace, *levels: str) -> list[Finding]:
    return [one for one in preflight.examine(plan) if one.level in (levels or ("error",))]


def codes(plan: model.Workspace, *levels: str) -> set[str]:
    return {finding.code for finding in found(plan, *levels)}


def test_a_workspace_that_fits_has_no_errors_and_says_what_was_checked():
    findings = preflight.examine(plan_of())

    assert {one.code for one in findings if one.level == "ok"} >= {
        "quota", "offer", "addresses", "image", "rights",
    }  # fmt: skip
    assert {one.level for one in findings} <= {"ok", "skipped"}
    preflight.require(findings)


def test_what_cannot_be_asked_is_skipped_with_the_reason_and_not_ok():
    launch, others = [one for one in found(plan_of(), "skipped") if one.code == "rights"]

    assert launch.what == "ec2:RunInstances can only be tried in the workspace's own network, once that is up"
    assert others.what == "rights outside of EC2 could not be asked for"
    assert "simulate_principal_policy" in others.cause


def test_a_cluster_beyond_the_quota_is_told_with_numbers(aws, quota):
    quota(STANDARD, 32)
    ec2 = aws.client("ec2", REGION)
    image = aws.client("ssm", REGION).get_parameter(
        Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    )["Parameter"]["Value"]
    run = ec2.run_instances(ImageId=image, InstanceType="m6i.xlarge", MinCount=5, MaxCount=5)
    plan = plan_of(clusters="one: {n_workers: 20, worker: {instance_type: m6i.xlarge}}")
    try:
        (error,) = found(plan)
    finally:
        ec2.terminate_instances(InstanceIds=[one["InstanceId"] for one in run["Instances"]])

    assert error.code == "quota-exceeded"
    assert error.what == f"standard on demand: needs 84 vCPU, 20 of 32 in use ({STANDARD})"
    assert error.mend == "coiled-pulumi setup aws --quotas"


def test_what_the_workspace_runs_already_is_not_needed_again(aws, quota):
    quota(STANDARD, 12)
    plan = plan_of(name="again")
    image = preflight.gather(plan, preflight.discover.identity(region=REGION)).images["image-x86-64"].id
    ec2 = aws.client("ec2", REGION)
    machines = []
    for launch in preflight.demand.launches(plan):
        tags = [{"Key": key, "Value": value} for key, value in launch.tags]
        run = ec2.run_instances(
            ImageId=image,
            InstanceType=launch.types[0],
            MinCount=launch.count,
            MaxCount=launch.count,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        machines += [one["InstanceId"] for one in run["Instances"]]
    try:
        assert found(plan) == []
        assert codes(plan_of(name="again", clusters="one: {n_workers: 3}")) == {"quota-exceeded"}
    finally:
        ec2.terminate_instances(InstanceIds=machines)


def test_spot_and_on_demand_are_counted_apart(quota):
    quota("L-34B43A08", 8)
    spot = plan_of(clusters="one: {n_workers: 4, spot: true, spot_on_demand_base: 2}")
    assert found(spot) == []

    (error,) = found(plan_of(clusters="one: {n_workers: 5, spot: true, spot_on_demand_base: 2}"))
    assert error.what == "standard spot: needs 12 vCPU, 0 of 8 in use (L-34B43A08)"


def test_what_falls_back_counts_as_on_demand_where_spot_is_short(quota):
    quota("L-34B43A08", 8)
    falls = plan_of(clusters="one: {n_workers: 5, spot: true, spot_on_demand_fallback: true}")
    (warning,) = found(falls, "warning")
    assert warning.what == (
        "standard spot: needs 20 vCPU, 0 of 8 in use (L-34B43A08); the rest will be on demand"
    )
    assert found(falls) == []

    quota(STANDARD, 15)  # 4 for the scheduler, and 12 that are no spot machines
    (error,) = found(falls)
    assert error.what == f"standard on demand: needs 16 vCPU, 0 of 15 in use ({STANDARD})"


def test_vpcs_count_only_while_the_workspace_has_none(aws, quota):
    ec2 = aws.client("ec2", REGION)
    quota("L-F678F1CE", len(ec2.describe_vpcs()["Vpcs"]))
    plan = plan_of(name="vpcs")
    assert [one.what.partition(":")[0] for one in found(plan)] == ["networks (VPC)"]

    quota("L-F678F1CE", 100)
    tags = [{"Key": key, "Value": value} for key, value in plan.network.vpc.tags.items()]
    vpc = ec2.create_vpc(CidrBlock=plan.network.vpc.cidr)["Vpc"]["VpcId"]
    for subnet in plan.network.subnets:
        marks = [{"Key": key, "Value": value} for key, value in subnet.tags.items()]
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=subnet.cidr,
            AvailabilityZone=subnet.zone,
            TagSpecifications=[{"ResourceType": "subnet", "Tags": marks}],
        )
    ec2.create_tags(Resources=[vpc], Tags=tags)
    quota("L-F678F1CE", len(ec2.describe_vpcs()["Vpcs"]))
    for group in plan.security.groups:
        marks = [{"Key": key, "Value": value} for key, value in group.tags.items()]
        ec2.create_security_group(
            GroupName=group.name,
            Description="d",
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": marks}],
        )
    assert found(plan) == []
    assert "ec2:RunInstances is allowed" in {one.what for one in found(plan, "ok")}


def with_types(*types: str) -> model.Workspace:
    """A plan with workers of these types; a file with them is refused by what the catalog knows."""
    text = "name: far\nregion: us-east-2\nclusters:\n  one: {n_workers: 1, zone: us-east-2a}\n"
    plan = build(parse(text, source="far.yaml").workspace)
    (cluster,) = plan.clusters
    workers = dataclasses.replace(cluster.workers, instance_types=types)
    return dataclasses.replace(plan, clusters=(dataclasses.replace(cluster, workers=workers),))


def test_a_type_that_the_zone_has_not_is_told_with_those_that_have_it():
    error = next(one for one in found(with_types("hpc6a.48xlarge")) if one.code == "type-not-offered")

    assert error.what == "clusters.one.worker: hpc6a.48xlarge is not offered in us-east-2a"
    assert error.cause == "offered in us-east-2b"
    assert error.mend == "clusters.one.worker.instance_type, or zone"


def test_one_of_several_types_that_is_missing_is_only_a_warning():
    plan = with_types("m6a.48xlarge", "hpc6a.48xlarge")

    assert "type-not-offered" in codes(plan, "warning")
    assert "type-not-offered" not in codes(plan)


def test_user_data_beyond_what_aws_takes():
    plan = plan_of()
    (cluster,) = plan.clusters
    large = dataclasses.replace(cluster.scheduler, user_data="é" * 8193)
    plan = dataclasses.replace(plan, clusters=(dataclasses.replace(cluster, scheduler=large),))
    (error,) = found(plan)

    assert error.what == "clusters.one.scheduler: user data of 16386 bytes, AWS takes 16384"


def _own_image(aws, architecture: str) -> str:
    parameter = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
    source = aws.client("ssm", REGION).get_parameter(Name=parameter)["Parameter"]["Value"]
    ec2 = aws.client("ec2", REGION)
    return ec2.copy_image(Name="own", SourceImageId=source, SourceRegion=REGION)["ImageId"]


def test_an_image_of_ones_own_is_looked_at_as_those_of_aws(aws):
    own, other = (_own_image(aws, architecture) for architecture in ("x86_64", "arm64"))
    cluster = "one: {n_workers: 1, worker: {instance_type: m6i.large}, scheduler: {instance_type: m6i.large}}"
    said = [
        (one.level, one.what)
        for one in preflight.examine(plan_of(more=f"ami_id: {own}", clusters=cluster))
        if one.code.startswith("image")
    ]

    assert said == [("ok", f"clusters.one.{role}: {own}, x86_64, 8 GiB") for role in ("scheduler", "worker")]
    assert codes(plan_of(more=f"ami_id: {other}", clusters=cluster)) == {"image-architecture"}
    assert codes(plan_of(more="ami_id: ami-00000000000000000", clusters=cluster)) == {"image-missing"}


def test_machines_that_would_power_off_are_not_started():
    """The images of the local AWS have the agent, and those of AWS do not."""
    plan = plan_of()
    facts = dataclasses.replace(
        preflight.gather(plan, preflight.discover.identity(region=REGION)), local=False
    )
    (error,) = [one for one in preflight.judge(plan, facts) if one.level == "error"]

    assert (error.code, error.what) == (
        "no-agent",
        "clusters.one: images of AWS's do not have the agent, so its machines would power off",
    )
    agent = f"agent: s3://bucket/agent.whl#sha256={'0' * 64}"
    for more in (agent, "ami_id: ami-00000000000000000"):
        assert "no-agent" not in {one.code for one in preflight.judge(plan_of(more=more), facts)}


def test_an_image_that_does_not_fit():
    plan = plan_of()
    (cluster,) = plan.clusters
    small = dataclasses.replace(cluster.scheduler.disk, size=4)
    shrunk = dataclasses.replace(cluster.scheduler, disk=small)
    plan = dataclasses.replace(
        plan,
        clusters=(dataclasses.replace(cluster, scheduler=shrunk),),
        images=tuple(dataclasses.replace(image, architecture="x86_64") for image in plan.images),
    )
    (error,) = found(plan)
    assert error.code == "image-larger-than-disk"
    assert error.what.endswith(" needs 8 GiB, the disk has 4")
    assert error.mend == "clusters.one.scheduler.disk.size"

    other = dataclasses.replace(
        plan_of(), images=tuple(dataclasses.replace(image, architecture="arm64") for image in plan.images)
    )
    assert codes(other) == {"image-architecture"}


EXISTING = (
    "network: {{existing: {{vpc_id: {vpc}, subnets: {{{zone}: {{private: {private}, public: {public}}}}}}}}}"
)


@pytest.fixture
def network(aws):
    """A VPC with a public and a private subnet, as somebody else made it; the private one leads nowhere yet."""
    ec2 = aws.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    names = {}
    for tier, block in (("private", "10.9.0.0/28"), ("public", "10.9.1.0/24")):
        names[tier] = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=f"{REGION}a")["Subnet"][
            "SubnetId"
        ]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=names[tier])
        names[f"{tier} table"] = table
    ec2.create_route(RouteTableId=names["public table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    return {"ec2": ec2, "vpc": vpc, "gateway": gateway, **names}


def existing(network: dict, *, zone: str = f"{REGION}a", **changed: str) -> str:
    return EXISTING.format(
        zone=zone, **({key: network[key] for key in ("vpc", "private", "public")} | changed)
    )


def test_an_existing_network_without_a_way_out_is_a_warning(network):
    plan = plan_of(more=existing(network))

    assert found(plan) == []
    (warning,) = found(plan, "warning")
    assert warning.what == f"subnet {network['private']} has no default route"
    assert warning.mend == f"network.existing.subnets.{REGION}a.private"


def test_private_subnets_that_are_public_and_the_other_way_round(network):
    network["ec2"].create_route(
        RouteTableId=network["private table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=network["gateway"]
    )
    (error,) = found(plan_of(more=existing(network)))
    assert (error.code, error.what) == ("no-default-route", f"subnet {network['private']} is public")

    network["ec2"].delete_route(RouteTableId=network["public table"], DestinationCidrBlock="0.0.0.0/0")
    assert f"subnet {network['public']} has no default route" in {
        one.what for one in found(plan_of(more=existing(network)))
    }


def test_subnets_that_are_missing_or_in_another_zone_and_an_unknown_vpc(network):
    gone = "subnet-0123456789abcdef0"
    (error,) = found(plan_of(more=existing(network, private=gone)))
    assert error.what == f"there is no subnet {gone} in {network['vpc']}"

    other = plan_of(more=existing(network, zone=f"{REGION}b") + f"\nzone: {REGION}b")
    assert codes(other) == {"subnet-other-zone"}

    nowhere = plan_of(more=existing(network, vpc="vpc-0123456789abcdef0"))
    assert codes(nowhere) == {"vpc-missing", "subnet-missing"}


def test_a_subnet_that_is_too_small(network):
    """A /28 has 16 addresses, and AWS keeps five."""
    plan = plan_of(more=existing(network), clusters="one: {n_workers: 12}")
    (error,) = found(plan)

    assert error.code == "subnet-full"
    assert error.what == "subnet private-eu-west-3a: needs 12 addresses, 11 are free"
    assert error.mend == "clusters.one.n_workers, or another zone"


def test_a_key_pair_has_to_be_there(aws):
    plan = plan_of(more="keypair_name: mine")
    (error,) = found(plan)
    assert error.what == "there is no key pair mine in this region"

    aws.client("ec2", REGION).create_key_pair(KeyName="mine")
    assert found(plan) == []


def test_nothing_is_made_by_looking(aws):
    from coiled_pulumi.local import calls, state

    log = state.calls_file(aws.record.home)
    mark = calls.count(log)
    preflight.examine(plan_of(name="looking"))
    assert calls.mutating(calls.read(log, mark)) == []
    assert (
        aws.client("ec2", REGION).describe_vpcs(
            Filters=[{"Name": "tag:coiled-pulumi:workspace", "Values": ["looking"]}]
        )["Vpcs"]
        == []
    )


def test_another_account_is_one_error_and_nothing_else_is_asked():
    (error,) = preflight.examine(plan_of(more='account: "999999999999"'))
    assert (error.code, error.level) == ("wrong-account", "error")
    assert "123456789012" in error.what


def test_without_credentials_nothing_is_known(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(CredentialsError):
        preflight.examine(plan_of())


def test_errors_stop_with_a_line_each_and_the_first_hint():
    findings = (
        Finding("a", "error", "too much", mend="clusters.main.n_workers"),
        Finding("b", "error", "wrong", "because"),
        Finding("c", "warning", "odd"),
    )
    with pytest.raises(DeploymentError) as caught:
        preflight.require(findings)
    assert caught.value.what.splitlines()[1:] == ["too much", "wrong: because"]
    assert caught.value.hint == "change clusters.main.n_workers"


def test_the_command_ends_with_4_where_aws_would_refuse(quota, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text(f"name: lab\nregion: {REGION}\nclusters: {{one: {{n_workers: 2}}}}\n")
    assert app.run(["preflight", "--file", "lab.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True

    quota(STANDARD, 1)
    assert app.run(["preflight", "--file", "lab.yaml"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["error", "quota-exceeded"]
    assert lines[-1].startswith("1 error, ")


def test_a_region_that_is_not_enabled_is_told_before_anything_else(aws, monkeypatch):
    plan = build(parse("name: lab\nregion: ap-east-1\n", source="lab.yaml").workspace)
    assert "region-not-enabled" not in codes(plan)

    with Recorder(aws.record.port, watchers=[shut("ap-east-1")]).listening() as recorder:
        monkeypatch.setenv("AWS_ENDPOINT_URL", recorder.endpoint)
        session.client.cache_clear()
        (finding,) = preflight.examine(plan)
    assert (finding.code, finding.level, finding.what, finding.mend) == (
        "region-not-enabled",
        "error",
        "region ap-east-1 is not enabled in this account",
        "aws account enable-region --region-name ap-east-1",
    )
    assert [call.name for call in recorder.seen] == ["ec2:DescribeRegions"]
