"""Clusters beside their workspace's file, and the zones and regions that they bring: many at once, on the engine."""

import json

import pytest
from _support import iam_runs
from _support.recorder import Recorder
from _support.refusals import BLOB, enforce
from _support.workspaces import Workspace

pytestmark = pytest.mark.engine

NAME = "beside"
FAR = "us-west-1"
FILE = f"""\
name: {NAME}
network: {{cidr: 10.80.0.0/16, zones: [us-east-1a]}}
ingress: [{{ports: [8786], cidr: me}}]
tags: {{team: data}}
"""


@pytest.fixture(scope="module")
def workspace(bench, tmp_path_factory):
    workspace = Workspace(
        bench,
        tmp_path_factory.mktemp("beside"),
        tmp_path_factory.mktemp("states"),
        text=FILE,
        regions=("us-east-1", FAR),
    )
    workspace.cli("up", "--yes")
    yield workspace
    workspace.cli("destroy", "--yes", "--with-clusters")
    assert workspace.inventory() == {}
    assert workspace.stacks() == []


def test_two_starts_at_once_share_one_new_pair_of_subnets(workspace):
    before = workspace.cli("outputs", "--json").stdout
    words = ["cluster", "start", "--zone", "us-east-1b", "-n", "1"]
    done = workspace.at_once([*words, "red"], [*words, "blue"])

    assert [code for _, code in done] == [0, 0], done
    assert workspace.subnets("us-east-1b") == ["10.80.228.0/22", "10.80.32.0/19"]
    assert workspace.stacks() == ["beside.blue", "beside.red", "beside.zone.us-east-1b"]
    assert workspace.cli("outputs", "--json").stdout == before
    rows = json.loads(workspace.cli("cluster", "list", "--json").stdout)["clusters"]
    assert [(row["name"], row["from"], row["zone"], row["n_workers"]) for row in rows] == [
        ("blue", "start", "us-east-1b", 1),
        ("red", "start", "us-east-1b", 1),
    ]


def test_somebody_else_scales_and_stops_what_one_started(workspace):
    workspace.cli("cluster", "scale", "red", "3", who="somebody")
    group = json.loads(workspace.cli("cluster", "list", "--json").stdout)["clusters"][1]["worker_group"]
    found = workspace.bench.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    (made,) = found["AutoScalingGroups"]
    assert (made["MinSize"], made["DesiredCapacity"], made["MaxSize"], len(made["Instances"])) == (0, 3, 3, 3)

    workspace.cli("cluster", "stop", "red", "--yes", who="another")
    assert workspace.stacks() == ["beside.blue", "beside.zone.us-east-1b"]


def test_without_setup_rights_both_are_told_and_nothing_is_left(workspace):
    ongoing = iam_runs.documents(iam_runs.plan(FILE))[1]
    words = ["cluster", "start", "--zone", "us-east-1c", "-n", "1", "--no-preflight"]
    stacks, before = workspace.stacks(), workspace.inventory()
    with Recorder(workspace.bench.record.port, watchers=[enforce([ongoing])]).listening() as recorder:
        done = workspace.at_once([*words, "green"], [*words, "gold"], AWS_ENDPOINT_URL=recorder.endpoint)

    for text, code in done:
        assert code == 4, text
        error = text[text.index("error: ") :]
        assert error.startswith(
            "error: zone us-east-1c has no subnets in beside, and making it is not allowed: "
        )
        assert "ec2:CreateSubnet" in error
        assert "coiled-pulumi iam setup" in error
        assert "start it in one of us-east-1a" in error
        assert BLOB[:60] not in text
        assert "Traceback" not in text
    assert workspace.subnets("us-east-1c") == []
    assert workspace.stacks() == stacks
    assert workspace.inventory() == before


def test_another_region_gets_a_network_that_later_clusters_share(workspace):
    for name in ("west", "coast"):
        workspace.cli("cluster", "start", name, "--region", FAR, "-n", "1", who=name)

    found = workspace.bench.client("ec2", FAR).describe_vpcs(
        Filters=[{"Name": "tag:coiled-pulumi:workspace", "Values": [NAME]}]
    )
    assert len(found["Vpcs"]) == 1
    assert f"beside.region.{FAR}" in workspace.stacks()
    roles = [role["RoleName"] for role in workspace.bench.client("iam").list_roles()["Roles"]]
    assert {NAME, f"{NAME}@{FAR}"} <= set(roles)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cluster", "start", "bad", "--set", "worker.gpu=2"], 2, "must be at most 1, a worker uses one GPU"),
        (["cluster", "start", "bad", "--zone", "us-east-1x"], 2, "must be a zone of us-east-1"),
        (["cluster", "start", "bad", "--region", "eu-west-9"], 2, "did you mean eu-west-3"),
        (["cluster", "start", "bad", "--set", "workers"], 2, "--set takes KEY=VALUE"),
        (["cluster", "scale", "nobody", "2"], 6, "no cluster 'nobody' was started"),
        (["cluster", "stop", "nobody", "--yes"], 6, "no cluster 'nobody' was started"),
        (["destroy", "--yes"], 2, "clusters are up beside the file of beside"),
    ],
)
def test_mistakes_change_nothing(workspace, words, code, said):
    mark = workspace.bench.mark()
    done = workspace.cli(*words, code=code)

    assert said in done.stderr
    assert workspace.bench.mutations_since(mark) == []
