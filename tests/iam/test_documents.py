"""The documents fit AWS's limits, say nothing that AWS does not know, and refuse what is not the workspace's."""

import copy
import json

import pytest
from _support import examples, iam_runs, mutated_calls, service_table
from _support.authorisations import ACCOUNT, requests_of
from _support.calls_seen import Seen
from _support.evaluator import Request, allows, refused

from coiled_pulumi.plan import policy_documents

VPC, SUBNET, OTHER_SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0", "subnet-00000000"
_BASE = "name: narrow\nregion: us-east-1\n"
#: Workspaces that together have everything that rights depend on.
VARIANTS = {
    "narrow": iam_runs.FILE,
    "bare": f"{_BASE}network: {{nat: gateway, zones: [us-east-1a]}}\n",
    "account": f"{_BASE}account: '{ACCOUNT}'\nclusters: {{one: {{}}}}\n",
    "per zone": f"{_BASE}network: {{nat: per-zone}}\ntags: {{team: data}}\nclusters: {{one: {{}}}}\n",
    "instance": f"{_BASE}network: {{nat: instance}}\nclusters: {{one: {{}}}}\n",
    "none": f"{_BASE}network: {{nat: none}}\nclusters: {{one: {{}}}}\n",
    "existing": f"""\
{_BASE}
network:
  existing: {{vpc_id: {VPC}, subnets: {{us-east-1a: {{private: {SUBNET}}}}}}}
use_scheduler_public_ip: false
clusters:
  one: {{ingress: [{{ports: [8786], cidr: 10.0.0.0/8}}]}}
""",
    "rich": f"""\
{_BASE}
tags: {{team: data, cost-centre: "4711"}}
network: {{nat: instance, zones: [us-east-1a, us-east-1b]}}
iam:
  instance_policies: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
  s3: [{{bucket: lake, access: read-write}}]
clusters:
  one:
    spot: true
    keypair_name: mine
    use_placement_group: true
    ingress: [{{ports: [8786], cidr: 10.0.0.0/8}}]
  two:
    capacity_reservation_id: cr-0123456789abcdef0
""",
}
each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_document = pytest.mark.parametrize("name", policy_documents.DOCUMENTS)


def made(variant, name, **options):
    return policy_documents.DOCUMENTS[name](iam_runs.plan(VARIANTS[variant]), **options)


@each_document
@each_variant
def test_documents_fit_into_a_managed_policy(variant, name):
    assert policy_documents.size(made(variant, name)) <= policy_documents.LIMIT


@each_document
@examples.each
def test_documents_of_the_examples_fit_into_a_managed_policy(example, name):
    assert (
        policy_documents.size(policy_documents.DOCUMENTS[name](examples.plan(example)))
        <= policy_documents.LIMIT
    )


@pytest.mark.parametrize("name", ["setup", "ongoing"])
@each_variant
def test_the_form_is_what_aws_takes(variant, name):
    document = made(variant, name)
    sids = [row["Sid"] for row in document["Statement"]]
    assert document["Version"] == "2012-10-17"
    assert sids[0] == name.capitalize()
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() and sid.startswith(name.capitalize()) for sid in sids)
    assert {row["Effect"] for row in document["Statement"]} == {"Allow"}


@each_variant
def test_only_reads_are_allowed_on_everything(variant):
    for name in ("setup", "ongoing"):
        for row in made(variant, name)["Statement"]:
            if row["Resource"] == "*":
                assert [
                    a for a in row["Action"] if not a.partition(":")[2].startswith(("Describe", "Get"))
                ] == []
                assert row["Condition"] == {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}


@pytest.mark.parametrize("name", ["setup", "ongoing"])
def test_the_wide_form_is_one_statement_as_on_coileds_page(name):
    (row,) = made("narrow", name, wide=True)["Statement"]
    assert row == {
        "Sid": name.capitalize(),
        "Effect": "Allow",
        "Action": list(policy_documents.actions(made("narrow", name))),
        "Resource": "*",
    }


def test_the_instances_document_is_what_their_role_gets():
    plan = iam_runs.plan(VARIANTS["rich"])
    assert policy_documents.instance(plan) == plan.identity.policy_document


@each_document
@each_variant
def test_each_action_has_a_reason_and_a_statement(variant, name):
    for granted in policy_documents.explain(made(variant, name)):
        assert granted.why
        assert granted.sids


def test_no_reason_is_left_without_an_action():
    granted = {
        action
        for variant in VARIANTS
        for name in policy_documents.DOCUMENTS
        for action in policy_documents.actions(made(variant, name))
    }
    assert granted == set(policy_documents.REASONS)


def test_an_account_in_the_plan_is_in_every_arn():
    arns = [
        arn
        for name in ("setup", "ongoing")
        for row in made("account", name)["Statement"]
        for arn in ([row["Resource"]] if isinstance(row["Resource"], str) else row["Resource"])
        if arn != "*"
    ]
    assert {arn.split(":")[4] for arn in arns} == {ACCOUNT, ""}
    ownerless = [arn.split(":")[5].partition("/")[0] for arn in arns if not arn.split(":")[4]]
    assert sorted(ownerless) == ["image", "parameter"]


def test_an_existing_network_needs_no_rights_on_networks():
    actions = policy_documents.actions(made("existing", "setup"))
    own = {
        "CreateVpc",
        "CreateSubnet",
        "CreateRoute",
        "CreateNatGateway",
        "AllocateAddress",
        "CreateVpcEndpoint",
    }
    assert {action.partition(":")[2] for action in actions} & own == set()
    assert len(actions) < len(policy_documents.actions(made("bare", "setup")))


# parliament ------------------------------------------------------------------------------------------------------

_SPLIT = (
    "in parts: each kind of resource has a condition of its own, and the recorded calls check them together"
)
#: Findings that stay, by statement and kind, and why.
WAIVERS = {
    ("Ongoing", "RESOURCE_MISMATCH"): "CreateSecurityGroup on the VPC here, on the new group in OngoingNew",
    (
        "OngoingExisting",
        "RESOURCE_MISMATCH",
    ): "CreateSecurityGroup on the VPC here, on the new group in OngoingNew",
    ("OngoingImages", "RESOURCE_MISMATCH"): "AWS's own parameters belong to no account",
    ("OngoingRules", "RESOURCE_MISMATCH"): "on the new rule here, on its group in OngoingCluster",
    ("OngoingRun", "RESOURCE_MISMATCH"): _SPLIT,
    ("OngoingRunImage", "RESOURCE_MISMATCH"): _SPLIT,
    ("OngoingRunIn", "RESOURCE_MISMATCH"): _SPLIT,
    ("OngoingRunInterface", "RESOURCE_MISMATCH"): _SPLIT,
    ("OngoingRunVolume", "RESOURCE_MISMATCH"): _SPLIT,
    ("SetupCreateBeside", "RESOURCE_MISMATCH"): _SPLIT,
    ("SetupCreateInside", "RESOURCE_MISMATCH"): _SPLIT,
    ("SetupExisting", "RESOURCE_MISMATCH"): "on the VPC here, on the new group in SetupCreateInside",
}


def findings(document):
    """Give the statement and the kind of everything that parliament finds."""
    parliament = service_table.parliament()
    for row in document["Statement"]:
        text = json.dumps(document | {"Statement": [row]})
        for finding in parliament.analyze_policy_string(text, config=parliament.config).findings:
            yield row["Sid"], parliament.enhance_finding(finding).issue


def test_parliament_finds_nothing_that_is_not_waived():
    found = {
        finding
        for variant in VARIANTS
        for name in policy_documents.DOCUMENTS
        for finding in findings(made(variant, name))
    }
    assert found == set(WAIVERS)


def test_parliament_finds_what_is_wrong():
    document = made("narrow", "setup")
    document["Statement"][0]["Action"].append("ec2:MakeVpc")
    assert ("Setup", "UNKNOWN_ACTION") in set(findings(document))


# what is refused -------------------------------------------------------------------------------------------------


def of_narrow():
    return mutated_calls.mutated(iam_runs.load(), iam_runs.plan())


def get_through(documents, calls):
    return [name for name, call in calls.items() if call.allowed(documents)]


def test_recorded_calls_are_allowed():
    documents = iam_runs.documents(iam_runs.plan())
    found = [refused(documents, requests_of(call)) for call in iam_runs.load()]
    assert [str(request) for request in found if request is not None] == []


def test_recorded_calls_are_allowed_in_no_other_workspace():
    documents = iam_runs.documents(iam_runs.plan(iam_runs.FILE.replace("narrow", "other")))
    calls = [call for call in iam_runs.load() if call.mutating and call.status < 300]
    assert [call.name for call in calls if refused(documents, requests_of(call)) is None] == []


def test_calls_that_are_changed_are_refused():
    calls = of_narrow()
    assert len(calls) >= 40
    assert get_through(iam_runs.documents(iam_runs.plan()), calls) == []


def without_each_condition(documents):
    """Give the documents once for each condition, without it."""
    for index, document in enumerate(documents):
        for number, row in enumerate(document["Statement"]):
            for operator, keys in row.get("Condition", {}).items():
                for key in keys:
                    changed = copy.deepcopy(documents)
                    del changed[index]["Statement"][number]["Condition"][operator][key]
                    yield f"{row['Sid']} {operator} {key}", changed


def test_no_condition_can_be_left_out():
    calls = of_narrow()
    documents = iam_runs.documents(iam_runs.plan())
    idle = [name for name, changed in without_each_condition(documents) if not get_through(changed, calls)]
    assert idle == []


OURS = {"coiled-pulumi:workspace": "narrow"}
OF_CLUSTER = OURS | {"coiled-pulumi:cluster": "one"}
GROUP, MACHINE, NEW_VPC = "sg-0123456789abcdef0", "i-0123456789abcdef0", VPC


def call(name, parameters, region="us-east-1", **held):
    service, _, action = name.partition(":")
    facts = {one.replace("_", "-"): {"tags": tags} for one, tags in held.items()}
    return Seen(service, action, region, parameters, facts)


def specified(kind, tags):
    return [{"ResourceType": kind, "Tag": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def opens(held, rule=OF_CLUSTER):
    parameters = {"GroupId": GROUP, "TagSpecification": specified("security-group-rule", rule)}
    return call("ec2:AuthorizeSecurityGroupIngress", parameters, **{GROUP.replace("-", "_"): held})


def attaches(arn, role="narrow"):
    return call("iam:AttachRolePolicy", {"RoleName": role, "PolicyArn": f"arn:aws:iam::aws:policy/{arn}"})


def forwards(held):
    return call("ec2:ModifyInstanceAttribute", {"InstanceId": MACHINE}, **{MACHINE.replace("-", "_"): held})


def run_in(**parameters):
    facts = {
        SUBNET: {"tags": {}},
        GROUP: {"tags": OURS},
        "ami-0123456789abcdef0": {"tags": {}, "owner": "amazon"},
    }
    tags = [spec for kind in ("instance", "volume") for spec in specified(kind, OF_CLUSTER)]
    asked = {
        "SubnetId": SUBNET,
        "SecurityGroupId": [GROUP],
        "ImageId": "ami-0123456789abcdef0",
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecification": tags,
    }
    return Seen("ec2", "RunInstances", "us-east-1", asked | parameters, facts)


def nat_tags():
    return dict(iam_runs.plan(VARIANTS["rich"]).network.nat_instance.tags)


ALLOWED = {
    "rich": {
        "an own group of a cluster is opened": lambda: opens(OF_CLUSTER),
        "the managed policy of the file": lambda: attaches("AmazonS3ReadOnlyAccess"),
        "the NAT instance forwards": lambda: forwards(nat_tags()),
        "spot's own role": lambda: call(
            "iam:CreateServiceLinkedRole", {"AWSServiceName": "spot.amazonaws.com"}
        ),
    },
    "existing": {
        "a launch in the subnet of the file": lambda: run_in(),
        "a group in the VPC of the file": lambda: call(
            "ec2:CreateSecurityGroup", {"VpcId": VPC, "TagSpecification": specified("security-group", OURS)}
        ),
    },
    "none": {
        "names of VPC endpoints": lambda: call(
            "ec2:ModifyVpcAttribute", {"VpcId": VPC}, **{VPC.replace("-", "_"): OURS}
        ),
    },
}
REFUSED = {
    "rich": {
        "the group of another workspace's cluster": lambda: opens(
            OF_CLUSTER | {"coiled-pulumi:workspace": "other"}
        ),
        "a rule without our tag": lambda: opens(OF_CLUSTER, {"team": "data"}),
        "another managed policy": lambda: attaches("AdministratorAccess"),
        "the managed policy on another role": lambda: attaches("AmazonS3ReadOnlyAccess", role="admin"),
        "another machine of ours forwards": lambda: forwards(OURS),
        "a foreign machine forwards": lambda: forwards(nat_tags() | {"coiled-pulumi:workspace": "other"}),
    },
    "existing": {
        "a launch in another subnet": lambda: run_in(SubnetId=OTHER_SUBNET),
        "a group in another VPC": lambda: call(
            "ec2:CreateSecurityGroup",
            {"VpcId": "vpc-00000000", "TagSpecification": specified("security-group", OURS)},
        ),
    },
    "none": {
        "names of a foreign VPC": lambda: call("ec2:ModifyVpcAttribute", {"VpcId": VPC}),
    },
}


@pytest.mark.parametrize(("variant", "what"), [(v, w) for v, rows in ALLOWED.items() for w in rows])
def test_what_a_plan_has_is_allowed(variant, what):
    documents = iam_runs.documents(iam_runs.plan(VARIANTS[variant]))
    assert refused(documents, requests_of(ALLOWED[variant][what]())) is None


@pytest.mark.parametrize("what", ALLOWED["rich"])
def test_what_a_plan_does_not_have_is_not_allowed(what):
    setup, ongoing = iam_runs.documents(iam_runs.plan())
    # With Setup attached, every group of the workspace may be opened.
    documents = [ongoing] if what.startswith("an own group") else [setup, ongoing]
    assert refused(documents, requests_of(ALLOWED["rich"][what]())) is not None


@pytest.mark.parametrize(("variant", "what"), [(v, w) for v, rows in REFUSED.items() for w in rows])
def test_what_is_not_the_plans_is_refused(variant, what):
    documents = iam_runs.documents(iam_runs.plan(VARIANTS[variant]))
    assert not mutated_calls.asked(REFUSED[variant][what]()).allowed(documents)


def test_a_cluster_with_ingress_of_its_own_does_not_open_what_clusters_share():
    plan = iam_runs.plan(VARIANTS["rich"])
    assert not mutated_calls.asked(opens(OURS)).allowed([policy_documents.ongoing(plan)])
    assert mutated_calls.asked(opens(OF_CLUSTER)).allowed([policy_documents.ongoing(plan)])


def test_no_condition_of_what_only_some_workspaces_have_can_be_left_out():
    setup, ongoing = iam_runs.documents(iam_runs.plan(VARIANTS["rich"]))
    calls = {what: mutated_calls.asked(make()) for what, make in REFUSED["rich"].items()}
    calls_of_ongoing = calls | {"a group that clusters share": mutated_calls.asked(opens(OURS))}
    idle = [
        name
        for documents, names, tried in (
            ([setup, ongoing], ("SetupPolicies", "SetupNatInstance", "OngoingRules"), calls),
            # With Setup attached, what clusters share may be opened.
            ([ongoing], ("OngoingCluster",), calls_of_ongoing),
        )
        for name, changed in without_each_condition(documents)
        if name.startswith(names) and not get_through(changed, tried)
    ]
    assert idle == []


def test_passing_the_role_elsewhere_is_refused():
    documents = iam_runs.documents(iam_runs.plan())
    role = f"arn:aws:iam::{ACCOUNT}:role/narrow"
    to = "iam:PassedToService"
    assert allows(documents, Request("iam:PassRole", role, {to: ("ec2.amazonaws.com",)}))
    assert not allows(documents, Request("iam:PassRole", role, {to: ("ecs-tasks.amazonaws.com",)}))
    assert not allows(documents, Request("iam:PassRole", role))
