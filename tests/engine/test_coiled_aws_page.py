"""Coiled's page on AWS from top to bottom: a test for each of its statements, in its order.

docs/coiled-parity.md has a row for each, with what is different here. One workspace is brought up, the largest that
the page speaks of, and everything is looked at in what it left: a file that says nothing but five workers, every zone
of the region, and beside it clusters of people who have only the rights of the Ongoing document. What AWS has is
looked at after each step, so that no test depends on which ran before.
"""

import json
import sys
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from _support.authorisations import ACCOUNT, requests_of, tags_of
from _support.evaluator import Request, allows
from _support.recorder import Recorder
from _support.refusals import BLOB, enforce
from _support.workspaces import Workspace

from coiled_pulumi.cli import app
from coiled_pulumi.local import control
from coiled_pulumi.local.limits import QUOTAS
from coiled_pulumi.plan.policy_documents import actions

pytestmark = pytest.mark.engine

NAME, REGION, FAR = "page", "us-east-1", "us-west-1"
ZONES = [f"{REGION}{letter}" for letter in "abcdef"]
FILE = f"name: {NAME}\nclusters:\n  main: {{n_workers: 5}}\n"
#: As the page lists them; it has one of them twice.
LISTED = (
    "us-east-1 us-east-2 us-west-1 us-west-2 ap-southeast-1 ca-central-1 ap-east-1 "
    "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 eu-central-1 eu-north-1 "
    "eu-west-1 eu-west-2 eu-west-3 sa-east-1"
)
#: The vCPUs of machines with GPUs, on demand; two machines have 8 of them.
GPUS, STANDARD = "L-DB2E81BA", "L-1216C47A"
BUCKET_POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
OPTIONS = {"zone_name": "us-east-1c", "firewall": {"ports": [8786, 8787], "cidr": "192.0.2.0/24"}}


@dataclass(frozen=True)
class Picture:
    """What AWS had of the workspace at one moment, and what a command said that led to it.

    Attributes:
        said: what the command wrote, output and errors.
        kinds: ids by kind of resource.
        machines: the running instances by cluster and role, as `main-worker`.
        subnets: by tier and zone, as `private-us-east-1a`.
        groups: the security groups by logical name.
        role: the documents of the machines' role, and the names of the policies that are attached to it.
        calls: the calls of the command.
    """

    said: str
    kinds: dict[str, list[str]]
    machines: dict[str, list[dict]]
    subnets: dict[str, dict]
    groups: dict[str, dict]
    role: tuple[list[dict], list[str]]
    calls: list

    def rules(self, group: str) -> set[tuple]:
        """What a security group lets in: protocol, port and block."""
        return {
            (one["IpProtocol"], one["FromPort"], one["ToPort"], block["CidrIp"])
            for one in self.groups[group]["IpPermissions"]
            for block in one["IpRanges"]
        }

    def opened(self, cluster: str) -> set[tuple[int, str]]:
        """The ports of a cluster's scheduler, and the blocks that reach them."""
        (scheduler,) = self.machines[f"{cluster}-scheduler"]
        names = {one["GroupId"]: name for name, one in self.groups.items()}
        found = [self.rules(names[one["GroupId"]]) for one in scheduler["SecurityGroups"]]
        assert all(rule[0] == "tcp" and rule[1] == rule[2] for rules in found for rule in rules)
        return {(rule[1], rule[3]) for rules in found for rule in rules}

    def zones(self, cluster: str) -> set[str]:
        """The zones of a cluster's machines."""
        members = [*self.machines[f"{cluster}-scheduler"], *self.machines[f"{cluster}-worker"]]
        return {one["Placement"]["AvailabilityZone"] for one in members}


class Page(Workspace):
    """The workspace, and two kinds of people: who has Setup and Ongoing, and who has Ongoing alone."""

    def __init__(self, bench, folder, states, recorders):
        super().__init__(bench, folder, states, text=FILE, regions=(REGION, FAR))
        self.setup, self.ongoing = (self.document(name, "--wide") for name in ("setup", "ongoing"))
        self.with_setup, self.detached = recorders
        self.with_setup.watchers[:] = [enforce([self.setup, self.ongoing])]
        self.detached.watchers[:] = [enforce([self.ongoing])]

    def document(self, name, *options):
        """An IAM document, as our command line prints it."""
        return json.loads(self.cli("iam", name, *options).stdout)

    def do(self, *words, rights, code=0, who="platform"):
        """Run our command line with some rights, and look at AWS afterwards."""
        mark = rights.mark()
        done = self.cli(*words, who=who, code=code, AWS_ENDPOINT_URL=rights.endpoint)
        return self.look(done.stdout + done.stderr, rights.seen[mark:])

    def look(self, said="", calls=()):
        """What AWS has now."""
        ec2, iam = self.bench.client("ec2"), self.bench.client("iam")
        mine = [{"Name": "tag:coiled-pulumi:workspace", "Values": [NAME]}]
        running = [*mine, {"Name": "instance-state-name", "Values": ["running"]}]
        machines = {}
        for group in ec2.describe_instances(Filters=running)["Reservations"]:
            for one in group["Instances"]:
                tags = tags_of(one["Tags"])
                key = f"{tags['coiled-pulumi:cluster']}-{tags['coiled-pulumi:role']}"
                machines.setdefault(key, []).append(one)
        subnets = ec2.describe_subnets(Filters=mine)["Subnets"]
        groups = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
        inline = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
        role = (
            [iam.get_role_policy(RoleName=NAME, PolicyName=one)["PolicyDocument"] for one in inline],
            [one["PolicyName"] for one in attached],
        )
        return Picture(
            said,
            self.bench.inventory(NAME),
            machines,
            {_named(one): one for one in subnets},
            {_named(one): one for one in groups},
            role,
            list(calls),
        )


def _named(resource) -> str:
    return tags_of(resource["Tags"])["Name"].removeprefix(f"{NAME}-")


def quota(bench, code, value) -> None:
    control.ask(bench.record, "quota", code=code, value=value, region=REGION)


# What is done, each step once ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(bench, tmp_path_factory):
    folder, states = tmp_path_factory.mktemp("page"), tmp_path_factory.mktemp("states")
    port = bench.record.port
    with Recorder(port).listening() as first, Recorder(port).listening() as second:
        page = Page(bench, folder, states, (first, second))
        yield page
        beside = [name.partition(".")[2] for name in page.stacks() if name.count(".") == 1]
        rights = {"AWS_ENDPOINT_URL": page.with_setup.endpoint}
        page.at_once(*(["cluster", "stop", name, "--yes"] for name in beside), **rights)
        page.cli("destroy", "--yes", "--with-clusters", **rights)
        assert page.inventory() == {}
        assert page.stacks() == []


@pytest.fixture(scope="module")
def made(page):
    """The workspace as the file says it, made with the two documents attached."""
    return page.do("up", "--yes", rights=page.with_setup)


@pytest.fixture(scope="module")
def second(page, made):
    """Another cluster, after Setup was detached."""
    options = ("--set", "zone_name=us-east-1b", "--set", "worker.gpu=1")
    words = ("cluster", "start", "second", "-n", "2", *options)
    return page.do(*words, rights=page.detached, who="scientist")


@pytest.fixture(scope="module")
def changed(page, second):
    """Options of the workspace, a bucket for its machines, and two zones fewer.

    At the same time the scientist asks for a third worker, which a quota does not allow.
    """
    page.bench.client("iam").attach_role_policy(RoleName=NAME, PolicyArn=BUCKET_POLICY)
    code = f"import coiled_pulumi; print(coiled_pulumi.set_backend_options({OPTIONS!r}, file={page.file.name!r}))"
    page.diff = page.person("platform").run([sys.executable, "-c", code], folder=page.folder).stdout
    kept = [zone for zone in ZONES if zone not in ("us-east-1d", "us-east-1f")]
    page.cli("set", f"network.zones={json.dumps(kept)}", "iam.s3=[{bucket: our-data}]", "--yes")
    quota(page.bench, GPUS, 8)
    try:
        (said, code), page.limited = page.at_once(
            ("up", "--yes"),
            ("cluster", "scale", "second", "3"),
            each=[{"AWS_ENDPOINT_URL": rights.endpoint} for rights in (page.with_setup, page.detached)],
        )
    finally:
        quota(page.bench, GPUS, QUOTAS[GPUS].here)
    assert code == 0, said
    return page.look(said)


@pytest.fixture(scope="module")
def elsewhere(page, changed):
    """In zones without subnets: with Setup, and at the same time without it, also in another region."""
    firewall = "firewall={ports: [8787], cidr: 198.51.100.0/24}"
    start = ("cluster", "start", "-n", "1")
    mark = page.detached.mark()
    done = page.at_once(
        (*start, "third", "--set", "zone_name=us-east-1f", "--set", firewall),
        (*start, "fourth", "--set", "zone_name=us-east-1d", "--no-preflight"),
        (*start, "fifth", "--set", f"region_name={FAR}", "--no-preflight"),
        each=[{"AWS_ENDPOINT_URL": rights.endpoint} for rights in (page.with_setup, *[page.detached] * 2)],
    )
    page.ends = dict(zip(("third", "fourth", "fifth"), done, strict=True))
    return page.look(calls=page.detached.seen[mark:])


# IAM policies ----------------------------------------------------------------------------------------------------


def test_setup_policy_document_is_json_with_sid_setup(page):
    (statement,) = page.setup["Statement"]
    assert page.setup["Version"] == "2012-10-17"
    assert {**statement, "Action": []} == {"Sid": "Setup", "Effect": "Allow", "Resource": "*", "Action": []}
    assert {"ec2:CreateVpc", "ec2:CreateSubnet", "iam:CreateRole"} <= set(statement["Action"])


def test_ongoing_policy_document_is_json_with_sid_ongoing(page):
    (statement,) = page.ongoing["Statement"]
    assert page.ongoing["Version"] == "2012-10-17"
    assert {**statement, "Action": []} == {"Sid": "Ongoing", "Effect": "Allow", "Resource": "*", "Action": []}
    assert "ec2:RunInstances" in statement["Action"]
    assert not {"ec2:CreateVpc", "ec2:CreateSubnet", "iam:CreateRole"} & set(statement["Action"])


def test_a_limited_set_of_permissions_is_enough(page, made):
    granted = {*actions(page.setup), *actions(page.ongoing)}
    assert not [action for action in granted if "*" in action]
    asked = {request.action for call in made.calls if call.status < 300 for request in requests_of(call)}
    assert {"ec2:CreateVpc", "ec2:RunInstances", "autoscaling:CreateAutoScalingGroup"} <= asked <= granted


def test_setup_can_be_detached_once_everything_is_set_up(page, second):
    """The second cluster was started by somebody who has Ongoing alone, and is scaled by them below."""
    assert "second: 2 of 2 workers" in second.said
    asked = {request.action for call in second.calls if call.mutating for request in requests_of(call)}
    assert {"ec2:RunInstances", "autoscaling:CreateAutoScalingGroup"} <= asked <= set(actions(page.ongoing))


def test_access_can_be_limited_to_the_workspace(page):
    """Beside the page's wide form there is a narrow one: nothing but reads is allowed on everything."""
    for name in ("setup", "ongoing"):
        for statement in page.document(name)["Statement"]:
            reads = all(
                action.partition(":")[2].startswith(("Describe", "Get")) for action in statement["Action"]
            )
            assert reads or statement["Resource"] != "*", statement["Sid"]


# What is provisioned ---------------------------------------------------------------------------------------------


def test_a_cluster_of_five_workers_has_these_resources(made):
    assert {kind: len(ids) for kind, ids in made.kinds.items()} == {
        "vpc": 1,
        "internet_gateway": 1,
        "nat_gateway": 1,
        "elastic_ip": 1,
        "subnet": 12,
        "route_table": 2,
        "vpc_endpoint": 1,
        "security_group": 3,
        "security_group_rule": 5,
        "role": 1,
        "instance_profile": 1,
        "log_group": 1,
        "launch_template": 1,
        "auto_scaling_group": 1,
        "instance": 6,
        "volume": 6,
        "ssm_parameter": 3,  # what its machines are told
        "network_interface": 5,  # of the workers; the plugin gives the scheduler's no tags
    }
    (scheduler,), workers = made.machines["main-scheduler"], made.machines["main-worker"]
    assert scheduler["SubnetId"] == made.subnets[f"public-{REGION}a"]["SubnetId"]
    assert ip_address(scheduler["PublicIpAddress"]) in ip_network("127.0.0.0/8")
    assert [worker["SubnetId"] for worker in workers] == [made.subnets[f"private-{REGION}a"]["SubnetId"]] * 5
    assert not any("PublicIpAddress" in worker for worker in workers)


def test_more_clusters_share_the_network_and_add_only_machines(made, second):
    more = {kind: len(ids) - len(made.kinds[kind]) for kind, ids in second.kinds.items()}
    more.pop("network_interface")
    assert {kind: count for kind, count in more.items() if count} == {
        "instance": 3,
        "volume": 3,
        "launch_template": 1,
        "auto_scaling_group": 1,
        "ssm_parameter": 3,
    }
    (scheduler,), workers = second.machines["second-scheduler"], second.machines["second-worker"]
    assert {one["VpcId"] for one in (scheduler, *workers)} == set(made.kinds["vpc"])
    assert scheduler["SubnetId"] == made.subnets[f"public-{REGION}b"]["SubnetId"]
    assert {one["SubnetId"] for one in workers} == {made.subnets[f"private-{REGION}b"]["SubnetId"]}
    assert second.machines["main-scheduler"] == made.machines["main-scheduler"]


def test_resources_are_tracked_by_tags(second):
    """Coiled's tag is `owner`; ours name the workspace, the stack, the cluster and the role."""
    for machines in second.machines.values():
        for one in machines:
            tags = tags_of(one["Tags"])
            assert tags["coiled-pulumi:workspace"] == NAME
            assert tags["coiled-pulumi:stack"] in (NAME, f"{NAME}.second")
    assert set(second.machines) == {
        f"{cluster}-{role}" for cluster in ("main", "second") for role in ("scheduler", "worker")
    }


def notifications(page, who="platform"):
    code = (
        "import coiled_pulumi, json\n"
        f"found = coiled_pulumi.get_notifications({NAME!r})\n"
        "print(json.dumps([[one.level, one.source, one.cluster, one.what, one.hint] for one in found]))"
    )
    done = page.person(who).run([sys.executable, "-c", code], folder=page.folder)
    return [tuple(one) for one in json.loads(done.stdout)]


def test_get_notifications_shows_the_setup(page, made):
    found = notifications(page)
    texts = [what for _, _, _, what, _ in found]
    assert texts[0].startswith("up started")
    assert any(text.startswith("up finished") for text in texts)
    assert ("info", "scaling", "main", "5 workers started") in [one[:4] for one in found]


def test_get_notifications_tells_what_went_wrong(page, changed):
    (failure,) = {one for one in notifications(page) if one[:3] == ("error", "scaling", "second")}
    assert f"VcpuLimitExceeded, quota {GPUS}" in failure[3]
    assert "coiled-pulumi setup aws --quotas" in failure[4]


# S3 --------------------------------------------------------------------------------------------------------------


def test_the_role_has_the_workspaces_name(made):
    assert (made.kinds["role"], made.kinds["instance_profile"]) == ([NAME], [NAME])
    profiles = {one["IamInstanceProfile"]["Arn"] for members in made.machines.values() for one in members}
    assert profiles == {f"arn:aws:iam::{ACCOUNT}:instance-profile/{NAME}"}


def test_s3_policies_can_be_attached_to_it(made, changed):
    """By hand, and an `up` leaves them there; or in the file, by bucket."""
    read = Request("s3:GetObject", "arn:aws:s3:::our-data/part-0.parquet")
    assert not allows(made.role[0], read)
    assert allows(changed.role[0], read)
    assert not allows(changed.role[0], Request("s3:GetObject", "arn:aws:s3:::others/part-0.parquet"))
    assert (made.role[1], changed.role[1]) == ([], ["AmazonS3ReadOnlyAccess"])


# Quotas ----------------------------------------------------------------------------------------------------------

#: A region of this test alone, where nothing runs.
QUIET = "eu-west-3"


@pytest.fixture
def low(page):
    """A workspace that needs more than its account may have, and what tells the quotas of its region."""
    control.ask(page.bench.record, "quota", code=STANDARD, value=32, region=QUIET)
    (page.folder / "low.yaml").write_text(
        f"name: low\nregion: {QUIET}\nclusters:\n  one: {{n_workers: 20, worker: {{instance_type: m6i.xlarge}}}}\n"
    )

    def told(*options):
        words = ("setup", "aws", "--quotas", "--file", "low.yaml", "--json", *options)
        return json.loads(page.bench.cli(*words, folder=page.folder).stdout)

    yield told
    control.ask(page.bench.record, "approve", request_id="")
    control.ask(page.bench.record, "quota", code=STANDARD, value=QUOTAS[STANDARD].here, region=QUIET)


def test_quotas_are_viewed_and_raised(low):
    viewed = {one["code"]: one for one in low()["quotas"]}
    assert {GPUS, STANDARD, "L-F678F1CE", "L-0263D0A3"} <= viewed.keys()
    one = viewed[STANDARD]
    assert (one["used"], one["limit"], one["needed"], one["suggested"]) == (0, 32, 84, 96)

    (request,) = low("--yes")["requests"]
    assert (request["code"], request["wanted"], request["status"]) == (STANDARD, 96, "PENDING")


def test_quotas_can_be_viewed_in_the_console(low):
    assert [one["link"] for one in low()["quotas"] if one["code"] == STANDARD] == [
        f"https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{STANDARD}"
    ]


def test_limit_exceeded_is_explained(page, changed):
    said, code = page.limited
    lines = [line for line in said.splitlines() if line.startswith(("error: ", "hint: "))]
    assert code == 4
    assert lines[0] == (
        "error: second: 2 of 3 workers started; 1 failed: the quota of 8 vCPUs for on-demand instances of this family "
        f"is used up (VcpuLimitExceeded, quota {GPUS})"
    )
    assert lines[1].startswith("hint: ask for more: coiled-pulumi setup aws --quotas")


def test_no_credentials_gives_the_cloudshell_steps(page, tmp_path):
    env = {name: value for name, value in page.bench.env.items() if not name.startswith("AWS_")}
    env |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    nobody = type(page.bench)(page.bench.record, env)
    done = nobody.cli("setup", "aws", "--quotas", folder=tmp_path, code=3)
    assert "error: there are no AWS credentials" in done.stderr
    assert "https://console.aws.amazon.com/cloudshell" in done.stderr
    assert "pip install" in done.stderr.replace("pip3", "pip")
    assert "coiled-pulumi setup aws" in done.stderr


# Backend options -------------------------------------------------------------------------------------------------


def explained(page, key, *, env=()):
    done = page.person("reader", **dict(env)).cli(
        "explain", key, "--file", "silent.yaml", "--json", folder=page.folder
    )
    (told,) = json.loads(done.stdout)["keys"]
    return told


@pytest.fixture(autouse=True, scope="module")
def _silent(page):
    """A file that says nothing of options."""
    (page.folder / "silent.yaml").write_text("name: silent\nclusters:\n  main: {}\n")


def test_region_option_and_its_default_us_east_1(page, made):
    told = explained(page, "region")
    assert (told["value"], told["level"], told["aliases"]) == (REGION, "default", ["region_name"])
    # What is the account's and not a region's is signed for the same one.
    assert {call.region for call in made.calls} == {REGION}


def test_zone_option_and_its_default_depends_on_the_region(page):
    told = explained(page, "zone")
    assert (told["value"], told["note"]) == (f"{REGION}a", f"the first of {REGION}")
    assert told["aliases"] == ["zone_name"]
    assert told["default"] == "the region's first"


def test_firewall_option_and_its_default(page):
    told = explained(page, "ingress")
    assert told["aliases"] == ["firewall"]
    assert [(sorted(one["ports"]), one["cidr"]) for one in told["value"]] == [([22, 8786, 8787], "0.0.0.0/0")]


def test_each_of_the_pages_regions_is_known(page, monkeypatch, capsys):
    monkeypatch.chdir(page.folder)
    regions = set(LISTED.split())
    assert (len(LISTED.split()), len(regions)) == (18, 17)
    for region in sorted(regions):
        (page.folder / "abroad.yaml").write_text(
            f"name: abroad\nregion_name: {region}\nclusters: {{main: {{}}}}\n"
        )
        assert app.run(["plan", "--file", "abroad.yaml", "--json"]) == 0, capsys.readouterr().err
        plan = json.loads(capsys.readouterr().out)
        zones = {subnet["zone"] for subnet in plan["network"]["subnets"]}
        assert plan["region"] == region
        assert zones == {zone for zone in zones if zone[:-1] == region}
        assert len(zones) >= 2
        assert {one["zone"] for one in plan["clusters"]} == {min(zones)}


def test_options_for_one_cluster(page, elsewhere):
    """The page's example is a region: it is asked of us-west-1, and ends only because Setup is detached.

    That such a cluster comes up where Setup is attached, test_beside.py shows.
    """
    assert elsewhere.zones("third") == {"us-east-1f"}
    said, code = page.ends["fifth"]
    assert code == 4
    assert f"error: region {FAR} has no network of {NAME}, and making" in said
    assert FAR in {call.region for call in elsewhere.calls}


def test_options_for_the_workspace(page, changed):
    """`coiled_pulumi.set_backend_options` is for everybody, because the file is; the next `up` applies it."""
    assert "+zone: us-east-1c" in page.diff
    assert "+ingress:" in page.diff
    assert changed.zones("main") == {"us-east-1c"}
    assert "main: 5 of 5 workers" in changed.said


def test_options_from_dasks_configuration(page, tmp_path):
    """In Coiled's own file and under its own name, as on the page."""
    file = tmp_path / ".config" / "dask" / "coiled.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("coiled:\n  backend-options:\n    region: us-west-1\n")
    told = explained(page, "region", env={"HOME": str(tmp_path)})
    assert (told["value"], told["level"], told["place"]) == ("us-west-1", "config", f"{file}:3")


# GPUs ------------------------------------------------------------------------------------------------------------


def test_gpu_workers_have_one_gpu_each(page, second):
    types = {one["InstanceType"] for one in second.machines["second-worker"]}
    described = page.bench.client("ec2").describe_instance_types(InstanceTypes=sorted(types))
    counts = [sum(gpu["Count"] for gpu in one["GpuInfo"]["Gpus"]) for one in described["InstanceTypes"]]
    assert (counts, len(second.machines["second-worker"])) == ([1], 2)


@pytest.mark.parametrize("setting", ["worker.gpu=2", "worker.instance_type=g4dn.12xlarge"])
def test_more_than_one_gpu_per_worker_is_refused_before_anything_is_made(page, made, setting):
    mark = page.bench.mark()
    done = page.cli("cluster", "start", "greedy", "--set", setting, code=2)
    assert "a worker uses one" in done.stderr
    assert page.bench.mutations_since(mark) == []


# Logs ------------------------------------------------------------------------------------------------------------


def test_logs_are_in_cloudwatch_of_the_account_for_30_days(page, made):
    (group,) = page.bench.client("logs").describe_log_groups(logGroupNamePrefix=NAME)["logGroups"]
    assert made.kinds["log_group"] == [NAME]
    assert (group["logGroupName"], group["retentionInDays"]) == (NAME, 30)
    assert group["arn"].startswith(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{NAME}")


def test_instances_may_add_streams_to_that_log_group(made):
    """Honestly less than the page says: nothing on an instance makes its stream yet.

    What holds is that the role lets an instance make one and write to it, in that group and in no other.
    """
    stream = "arn:aws:logs:{}:{}:log-group:{}:log-stream:i-0123456789abcdef0"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert allows(made.role[0], Request(action, stream.format(REGION, ACCOUNT, NAME)))
        for region, group in ((REGION, "others"), (REGION, f"{NAME}2"), (FAR, NAME)):
            assert not allows(made.role[0], Request(action, stream.format(region, ACCOUNT, group)))


# Availability zone -----------------------------------------------------------------------------------------------


def test_types_vary_across_zones(page):
    """The page says to look for another zone; here a type that a zone lacks is told with the zones that have it."""
    (page.folder / "narrow.yaml").write_text(
        "name: narrow\nclusters:\n  main:\n    zone: us-east-1e\n"
        "    scheduler: {instance_type: m5.large}\n    worker: {instance_type: m6i.xlarge}\n"
    )
    done = page.bench.cli("validate", "--file", "narrow.yaml", folder=page.folder, code=2)
    others = ", ".join(zone for zone in ZONES if zone != "us-east-1e")
    assert f"must be offered in us-east-1e, m6i.xlarge is not; it is in {others}" in done.stderr


def test_zone_for_one_cluster(made, second):
    """In the subnets that were made with the workspace."""
    assert second.zones("second") == {"us-east-1b"}
    assert set(second.kinds["subnet"]) == set(made.kinds["subnet"])


def test_a_subnet_for_every_zone_at_setup(page, made):
    there = page.bench.client("ec2").describe_availability_zones()["AvailabilityZones"]
    assert [one["ZoneName"] for one in there] == ZONES
    assert sorted(made.subnets) == [f"{tier}-{zone}" for tier in ("private", "public") for zone in ZONES]
    assert {key.partition("-")[2] for key in made.subnets} == {
        one["AvailabilityZone"] for one in made.subnets.values()
    }


def test_subnets_of_more_zones_cost_nothing(made, changed):
    """With two zones fewer, everything that AWS bills for is still there as often."""
    assert len(changed.subnets) == len(made.subnets) - 4
    for kind in ("nat_gateway", "elastic_ip", "vpc_endpoint", "internet_gateway"):
        assert (kind, len(changed.kinds[kind])) == (kind, len(made.kinds[kind]))


def test_a_missing_subnet_is_made_when_a_cluster_asks(page, changed, elsewhere):
    said, code = page.ends["third"]
    assert code == 0, said
    assert set(elsewhere.subnets) - set(changed.subnets) == {"private-us-east-1f", "public-us-east-1f"}
    (worker,) = elsewhere.machines["third-worker"]
    assert worker["SubnetId"] == elsewhere.subnets["private-us-east-1f"]["SubnetId"]


def test_without_setup_rights_it_fails_with_a_message(page, elsewhere):
    said, code = page.ends["fourth"]
    error = said[said.index("error: ") :]
    assert code == 4
    assert error.startswith(f"error: zone us-east-1d has no subnets in {NAME}, and making ")
    assert "is not allowed: " in error
    assert "ec2:CreateSubnet" in error
    assert "coiled-pulumi iam setup" in error
    assert BLOB[:60] not in said
    assert not [key for key in elsewhere.subnets if key.endswith("us-east-1d")]
    assert f"{NAME}.zone.us-east-1d" not in page.stacks()


def test_zone_order_is_cluster_then_workspace_then_the_regions_default(made, changed):
    assert made.zones("main") == {"us-east-1a"}  # nobody said one
    assert changed.zones("main") == {"us-east-1c"}  # the workspace did
    assert changed.zones("second") == {"us-east-1b"}  # the cluster itself did


# Firewall --------------------------------------------------------------------------------------------------------


def test_default_ingress_22_8787_8786_from_everywhere(made):
    assert made.opened("main") == {(22, "0.0.0.0/0"), (8787, "0.0.0.0/0"), (8786, "0.0.0.0/0")}
    groups = {one["GroupId"] for worker in made.machines["main-worker"] for one in worker["SecurityGroups"]}
    assert groups == {made.groups["cluster-group"]["GroupId"]}
    assert made.rules("cluster-group") == set()


def test_ports_are_for_the_dashboard_the_protocol_and_optional_ssh(made):
    """Each rule says what it is for; without a key pair in the file nobody can log in on port 22."""
    rules = made.groups["scheduler-group"]["IpPermissions"]
    assert {one["FromPort"]: one["IpRanges"][0]["Description"] for one in rules} == {
        22: "SSH",
        8786: "Dask protocol",
        8787: "Dask dashboard",
    }
    assert not [one for members in made.machines.values() for one in members if "KeyName" in one]


def test_ingress_can_be_narrowed_for_the_workspace(changed):
    narrow = {(8786, "192.0.2.0/24"), (8787, "192.0.2.0/24")}
    assert (changed.opened("main"), changed.opened("second")) == (narrow, narrow)


def test_ingress_can_be_narrowed_for_one_cluster(changed, elsewhere):
    assert elsewhere.opened("third") == {(8787, "198.51.100.0/24")}
    assert elsewhere.opened("main") == changed.opened("main")
