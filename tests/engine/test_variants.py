"""Every kind of network and of workers on the real engine; workspaces that don't touch each other run side by side.

In the order of this file: all are brought up, brought up again, changed in place, and destroyed.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

import pytest

from coiled_pulumi.plan.images import KINDS

pytestmark = pytest.mark.engine

REGION, ZONE = "us-east-1", "us-east-1a"

EVERYTHING = """\
name: everything
network: {{cidr: 10.60.0.0/16, zones: [us-east-1a, us-east-1b], nat: none}}
ingress: [{{ports: [8786], cidr: me}}]
clusters:
  mix:
    n_workers: 4
    spot: true
    spot_on_demand_base: 1
    spot_on_demand_fallback: true
    use_placement_group: true
    keypair_name: laptop
    ingress: [{{ports: [8787], cidr: 127.0.0.7/32}}]
    disk: {{size: 50, throughput: 250, iops: 4000}}
    worker: {{instance_type: [c6i.xlarge, c5.xlarge]}}
  gpu:
    n_workers: 1
    zone: us-east-1b
    use_scheduler_public_ip: false
    worker: {{gpu: 1, cpu: [4, 8], memory: [16 GiB, 32 GiB]}}
  arm:
    n_workers: 2
    capacity_reservation_id: {reservation}
    scheduler: {{instance_type: m7g.large}}
    worker: {{instance_type: m7g.large}}
"""

THRIFTY = """\
name: thrifty
network: {cidr: 10.61.0.0/16, zones: [us-east-1a, us-east-1b], nat: instance}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one: {n_workers: 1}
"""

GUEST = """\
name: guest
network:
  existing:
    vpc_id: {vpc}
    subnets: {{us-east-1a: {{public: {public}, private: {private}}}}}
ingress: [{{ports: [8786], cidr: me}}]
clusters:
  one: {{n_workers: 2, worker: {{instance_type: [m7g.large, m6g.large]}}}}
"""

#: Calls of a run for its notifications in the log group.
NOTES = ("logs:CreateLogStream", "logs:PutLogEvents")
NAMES = ("everything", "thrifty", "guest")


class House:
    """A VPC that somebody else made."""

    def __init__(self, ec2) -> None:
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.70.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.public = self._subnet("10.70.0.0/24", GatewayId=gateway)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=self.public, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.private = self._subnet("10.70.1.0/24", NatGatewayId=nat)
        ec2.create_tags(
            Resources=[self.vpc, self.public, gateway, nat], Tags=[{"Key": "owner", "Value": "them"}]
        )

    def _subnet(self, block: str, **way: str) -> str:
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=ZONE)["Subnet"][
            "SubnetId"
        ]
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return subnet

    def description(self, *, ours: str = "") -> str:
        """Everything AWS says of it, without the security groups and interfaces that carry our tag."""
        ec2, mine = self.ec2, [{"Name": "vpc-id", "Values": [self.vpc]}]
        attached = [{"Name": "attachment.vpc-id", "Values": [self.vpc]}]
        said = {
            "vpc": ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"],
            "attributes": [
                ec2.describe_vpc_attribute(VpcId=self.vpc, Attribute=name)[name[0].upper() + name[1:]]
                for name in ("enableDnsSupport", "enableDnsHostnames")
            ],
            "subnets": ec2.describe_subnets(Filters=mine)["Subnets"],
            "tables": ec2.describe_route_tables(Filters=mine)["RouteTables"],
            "acls": ec2.describe_network_acls(Filters=mine)["NetworkAcls"],
            "gateways": ec2.describe_internet_gateways(Filters=attached)["InternetGateways"],
            "nats": ec2.describe_nat_gateways(Filter=mine)["NatGateways"],
            "endpoints": ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"],
            "groups": ec2.describe_security_groups(Filters=mine)["SecurityGroups"],
            "interfaces": ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"],
        }
        if ours:
            said["groups"] = [one for one in said["groups"] if _workspace(one) != ours]
            mine = [one for one in said["interfaces"] if self._holder(one) == ours]
            said["interfaces"] = [one for one in said["interfaces"] if one not in mine]
            for subnet in said["subnets"]:
                subnet["AvailableIpAddressCount"] += sum(
                    one["SubnetId"] == subnet["SubnetId"] for one in mine
                )
        return json.dumps(said, sort_keys=True, default=str)

    def _holder(self, interface: dict) -> str:
        """The workspace whose instance an interface belongs to."""
        instance = interface.get("Attachment", {}).get("InstanceId")
        if not instance:
            return ""
        pages = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return _workspace(pages[0]["Instances"][0])


def _workspace(resource: dict) -> str:
    return tags_of(resource).get("coiled-pulumi:workspace", "")


def tags_of(resource) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags") or resource.get("TagSet") or []}


class Stage:
    """The workspaces, each with its file."""

    def __init__(self, bench, folder) -> None:
        self.bench, self.folder = bench, folder
        self.ec2 = bench.client("ec2")
        self.ec2.create_key_pair(KeyName="laptop")
        self.reservation = self.ec2.create_capacity_reservation(
            InstanceType="m7g.large", InstancePlatform="Linux/UNIX", AvailabilityZone=ZONE, InstanceCount=2
        )["CapacityReservation"]["CapacityReservationId"]
        self.house = House(self.ec2)
        self.before = self.house.description()
        house = {"vpc": self.house.vpc, "public": self.house.public, "private": self.house.private}
        self.write("everything", EVERYTHING.format(reservation=self.reservation))
        self.write("thrifty", THRIFTY)
        self.write("guest", GUEST.format(**house))
        self._outputs: dict[str, dict] = {}

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(text)

    def change_nat(self, name: str, old: str, new: str) -> None:
        text = (self.folder / f"{name}.yaml").read_text()
        assert f"nat: {old}}}" in text
        self.write(name, text.replace(f"nat: {old}}}", f"nat: {new}}}"))

    def run(self, *jobs: tuple[str, str]) -> dict[str, set[tuple[str, str]]]:
        """Run verbs on workspaces side by side; give what each changed."""
        self._outputs.clear()
        with ThreadPoolExecutor(len(jobs)) as pool:
            return dict(pool.map(self._one, jobs))

    def _one(self, job: tuple[str, str]) -> tuple[str, set[tuple[str, str]]]:
        verb, name = job
        options = ["--no-preflight"] if verb == "up" else []
        done = self.bench.cli(verb, "--file", f"{name}.yaml", "--yes", "--json", *options, folder=self.folder)
        return name, {(row["op"], row["name"]) for row in json.loads(done.stdout)["resources"]}

    def mutations_since(self, mark: int) -> list[str]:
        """The calls that were meant to change something, without what a run notes about itself."""
        return [call for call in self.bench.mutations_since(mark) if call not in NOTES]

    def outputs(self, name: str) -> dict:
        """The record of a workspace, asked for once after each run."""
        if name not in self._outputs:
            done = self.bench.cli("outputs", "--file", f"{name}.yaml", "--json", folder=self.folder)
            self._outputs[name] = json.loads(done.stdout)
        return self._outputs[name]

    def instances(self, workspace: str) -> dict[str, list[dict]]:
        """The running instances by cluster and role, as `mix-worker`, or by name where they are of no cluster."""
        wanted = [
            {"Name": "tag:coiled-pulumi:workspace", "Values": [workspace]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found: dict[str, list[dict]] = {}
        for page in self.ec2.describe_instances(Filters=wanted)["Reservations"]:
            for one in page["Instances"]:
                tags = tags_of(one)
                parts = [tags.get(f"coiled-pulumi:{key}", "") for key in ("cluster", "role")]
                found.setdefault("-".join(parts) if all(parts) else tags["Name"], []).append(one)
        return found

    def group(self, workspace: str, cluster: str) -> dict:
        name = self.outputs(workspace)["clusters"][cluster]["worker_group"]
        groups = self.bench.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return groups["AutoScalingGroups"][0]

    def template(self, workspace: str, cluster: str) -> dict:
        group = self.group(workspace, cluster)
        used = (
            group.get("LaunchTemplate")
            or (group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"])
        )
        return self.ec2.describe_launch_template_versions(
            LaunchTemplateId=used["LaunchTemplateId"], Versions=[used["Version"]]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]


@pytest.fixture(scope="module")
def stage(bench, tmp_path_factory):
    stage = Stage(bench, tmp_path_factory.mktemp("variants"))
    stage.run(*(("up", name) for name in NAMES))
    return stage


def ids(stage) -> dict[str, dict[str, list[str]]]:
    """The machines of the clusters in the two networks of our own."""
    return {
        name: {
            key: sorted(one["InstanceId"] for one in members)
            for key, members in stage.instances(name).items()
            if not key.endswith("nat-instance")
        }
        for name in NAMES[:2]
    }


def gateways(stage, workspace: str) -> dict[str, str]:
    """By zone, the NAT gateway that stands in it."""
    wanted = [
        {"Name": "tag:coiled-pulumi:workspace", "Values": [workspace]},
        {"Name": "state", "Values": ["available"]},
    ]
    subnets = {
        subnet: key.removeprefix("public-") for key, subnet in stage.outputs(workspace)["subnets"].items()
    }
    found = stage.ec2.describe_nat_gateways(Filter=wanted)["NatGateways"]
    return {subnets[one["SubnetId"]]: one["NatGatewayId"] for one in found}


def newest(stage, key: str) -> str:
    """The image that AWS's public parameter for a kind of machine names."""
    return stage.bench.client("ssm").get_parameter(Name=KINDS[key].parameter)["Parameter"]["Value"]


def ways_out(stage, workspace: str) -> dict[str, str]:
    """By zone, what the default route of its private subnet leads to."""
    wanted = [{"Name": "tag:coiled-pulumi:workspace", "Values": [workspace]}]
    zones = {
        subnet: key.removeprefix("private-")
        for key, subnet in stage.outputs(workspace)["subnets"].items()
        if key.startswith("private-")
    }
    found = {}
    for table in stage.ec2.describe_route_tables(Filters=wanted)["RouteTables"]:
        ends = [
            route.get("NatGatewayId") or route.get("NetworkInterfaceId") or route["GatewayId"]
            for route in table["Routes"]
            if route.get("DestinationCidrBlock") == "0.0.0.0/0"
        ]
        for association in table["Associations"]:
            if association.get("SubnetId") in zones:
                found[zones[association["SubnetId"]]] = ends[0] if ends else ""
    return found


def test_a_second_up_and_a_refresh_change_nothing_and_call_nothing_that_could(stage):
    mark = stage.bench.mark()
    for verb in ("up", "refresh"):
        assert stage.run(*((verb, name) for name in NAMES)) == {name: set() for name in NAMES}
    assert stage.mutations_since(mark) == []


def test_spot_workers_are_bought_by_the_policy_and_stand_close_together(stage):
    found, group = stage.instances("everything"), stage.group("everything", "mix")
    wanted = [{"Name": "tag:coiled-pulumi:workspace", "Values": ["everything"]}]
    (placement,) = stage.ec2.describe_placement_groups(Filters=wanted)["PlacementGroups"]
    workers = found["mix-worker"]
    assert sorted(one.get("InstanceLifecycle", "") for one in workers) == ["", "spot", "spot", "spot"]
    assert {one["InstanceType"] for one in workers} == {"c6i.xlarge"}
    assert {one["Placement"]["GroupName"] for one in [*workers, *found["mix-scheduler"]]} == {
        placement["GroupName"]
    }
    assert {one["KeyName"] for one in [*workers, *found["mix-scheduler"]]} == {"laptop"}
    policy = group["MixedInstancesPolicy"]
    assert [one["InstanceType"] for one in policy["LaunchTemplate"]["Overrides"]] == [
        "c6i.xlarge",
        "c5.xlarge",
    ]
    distribution = policy["InstancesDistribution"]
    assert (
        distribution["OnDemandBaseCapacity"],
        distribution["OnDemandPercentageAboveBaseCapacity"],
        distribution["SpotAllocationStrategy"],
        group["CapacityRebalance"],
        "LaunchTemplate" in group,
    ) == (1, 0, "price-capacity-optimized", True, False)
    assert tags_of(group)["coiled-pulumi:spot-fallback"] == "true"


def test_disks_are_as_fast_as_asked_for(stage):
    found = stage.instances("everything")
    for one in [*found["mix-worker"], *found["mix-scheduler"]]:
        (mapping,) = one["BlockDeviceMappings"]
        (volume,) = stage.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
        assert (volume["Size"], volume["Throughput"], volume["Iops"], volume["Encrypted"]) == (
            50,
            250,
            4000,
            True,
        )
    (disk,) = stage.template("everything", "mix")["BlockDeviceMappings"]
    assert (disk["Ebs"]["VolumeSize"], disk["Ebs"]["Throughput"], disk["Ebs"]["Iops"]) == (50, 250, 4000)


def test_a_cluster_with_ingress_of_its_own_is_in_no_common_scheduler_group(stage):
    groups = stage.outputs("everything")["groups"]
    mix, arm = (
        {
            group["GroupId"]
            for group in stage.instances("everything")[f"{name}-scheduler"][0]["SecurityGroups"]
        }
        for name in ("mix", "arm")
    )
    assert arm == {groups["cluster-group"], groups["scheduler-group"]}
    (own,) = mix - arm
    assert mix == {groups["cluster-group"], own}
    (opened,) = stage.ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"][0]["IpPermissions"]
    assert (opened["FromPort"], opened["IpRanges"][0]["CidrIp"]) == (8787, "127.0.0.7/32")


def test_gpu_workers_have_the_image_for_them_and_their_scheduler_is_private(stage):
    found = stage.instances("everything")
    (scheduler,), (worker,) = found["gpu-scheduler"], found["gpu-worker"]
    assert ip_address(scheduler["PrivateIpAddress"]) in ip_network("10.60.32.0/19")
    assert "PublicIpAddress" not in scheduler
    assert (scheduler["ImageId"], worker["ImageId"]) == (
        newest(stage, "image-x86-64"),
        newest(stage, "image-dl-x86-64"),
    )
    policy = stage.group("everything", "gpu")["MixedInstancesPolicy"]
    assert worker["InstanceType"] == policy["LaunchTemplate"]["Overrides"][0]["InstanceType"]
    assert "InstanceLifecycle" not in worker
    record = stage.outputs("everything")["clusters"]["gpu"]
    assert record["scheduler_private_address"] == scheduler["PrivateIpAddress"]


def test_arm_machines_have_their_image_and_workers_stand_in_the_reservation(stage):
    found = stage.instances("everything")
    machines = [*found["arm-scheduler"], *found["arm-worker"]]
    assert {one["ImageId"] for one in machines} == {newest(stage, "image-arm64")}
    assert {one["CapacityReservationId"] for one in found["arm-worker"]} == {stage.reservation}
    assert "CapacityReservationId" not in found["arm-scheduler"][0]
    template = stage.template("everything", "arm")
    assert template["CapacityReservationSpecification"]["CapacityReservationTarget"] == {
        "CapacityReservationId": stage.reservation
    }
    (kept,) = stage.ec2.describe_capacity_reservations(CapacityReservationIds=[stage.reservation])[
        "CapacityReservations"
    ]
    assert (kept["TotalInstanceCount"], kept["AvailableInstanceCount"]) == (2, 0)


def test_without_a_way_out_the_services_have_addresses_inside(stage):
    wanted = [{"Name": "tag:coiled-pulumi:workspace", "Values": ["everything"]}]
    endpoints = stage.ec2.describe_vpc_endpoints(Filters=wanted)["VpcEndpoints"]
    kinds = {one["ServiceName"].rpartition(".")[2]: one for one in endpoints}
    assert sorted(kinds) == ["autoscaling", "ec2", "logs", "s3", "ssm", "sts"]
    gateway = kinds.pop("s3")
    assert (gateway["VpcEndpointType"], len(gateway["RouteTableIds"])) == ("Gateway", 2)
    group = stage.outputs("everything")["groups"]["cluster-group"]
    blocks = [ip_network("10.60.0.0/19"), ip_network("10.60.32.0/19")]
    for one in kinds.values():
        assert (one["VpcEndpointType"], one["PrivateDnsEnabled"]) == ("Interface", True)
        found = stage.ec2.describe_network_interfaces(NetworkInterfaceIds=one["NetworkInterfaceIds"])
        for interface, block in zip(
            sorted(found["NetworkInterfaces"], key=lambda one: one["AvailabilityZone"]), blocks, strict=True
        ):
            assert ip_address(interface["PrivateIpAddress"]) in block
            assert [one["GroupId"] for one in interface["Groups"]] == [group]
    assert ways_out(stage, "everything") == {"us-east-1a": "", "us-east-1b": ""}


def test_a_nat_instance_forwards_for_every_zone_from_its_elastic_address(stage):
    (nat,) = stage.instances("thrifty")["thrifty-nat-instance"]
    (interface,) = nat["NetworkInterfaces"]
    assert (nat["InstanceType"], nat["ImageId"]) == ("t4g.nano", newest(stage, "image-arm64"))
    assert (nat["SubnetId"], interface["SourceDestCheck"]) == (
        stage.outputs("thrifty")["subnets"]["public-us-east-1a"],
        False,
    )
    assert set(ways_out(stage, "thrifty").values()) == {interface["NetworkInterfaceId"]}
    assert stage.outputs("thrifty")["nat_addresses"] == {ZONE: nat["PublicIpAddress"]}


def test_a_vpc_that_was_there_is_used_and_not_changed(stage):
    assert stage.house.description(ours="guest") == stage.before
    found = stage.instances("guest")
    assert {one["SubnetId"] for one in found["one-worker"]} == {stage.house.private}
    assert {one["SubnetId"] for one in found["one-scheduler"]} == {stage.house.public}
    assert found["one-scheduler"][0]["PublicIpAddress"].startswith("127.")
    guest, own = stage.outputs("guest"), stage.outputs("thrifty")
    assert guest.keys() == own.keys()
    assert guest["clusters"]["one"].keys() == own["clusters"]["one"].keys()
    assert (guest["vpc_id"], guest["subnets"]) == (
        stage.house.vpc,
        {"public-us-east-1a": stage.house.public, "private-us-east-1a": stage.house.private},
    )


def test_the_way_out_changes_in_place_and_every_machine_stays(stage):
    before = ids(stage)
    stage.change_nat("everything", "none", "per-zone")
    stage.change_nat("thrifty", "instance", "gateway")
    stage.run(("up", "everything"), ("up", "thrifty"), ("destroy", "guest"))
    assert ids(stage) == before
    ways = ways_out(stage, "everything")
    assert ways == gateways(stage, "everything")
    assert len(set(ways.values())) == 2
    (nat,) = gateways(stage, "thrifty").values()
    assert ways_out(stage, "thrifty") == dict.fromkeys(("us-east-1a", "us-east-1b"), nat)
    assert "thrifty-nat-instance" not in stage.instances("thrifty")


def test_a_vpc_that_was_there_is_left_as_it_was(stage):
    assert stage.house.description() == stage.before
    assert stage.bench.inventory("guest") == {}


def test_after_the_change_there_is_nothing_left_to_do(stage):
    mark = stage.bench.mark()
    assert stage.run(("up", "everything"), ("up", "thrifty")) == {"everything": set(), "thrifty": set()}
    assert stage.mutations_since(mark) == []


def test_destroy_leaves_nothing(stage):
    stage.run(("destroy", "everything"), ("destroy", "thrifty"))
    assert [stage.bench.inventory(name) for name in NAMES] == [{}, {}, {}]
    assert stage.house.description() == stage.before
