"""The record that a stack exports, and records that this program cannot read."""

import dataclasses
import json

import pytest

from coiled_pulumi import outputs
from coiled_pulumi.errors import CoiledPulumiError

RECORD = outputs.WorkspaceOutputs(
    name="dev",
    region="us-east-1",
    zone="us-east-1a",
    vpc_id="vpc-1",
    nat_addresses={"us-east-1a": "198.51.100.1"},
    subnets={"public-us-east-1a": "subnet-1"},
    route_tables={"public": "rtb-1"},
    groups={"cluster-group": "sg-1"},
    role_arn="arn:aws:iam::123456789012:role/dev",
    instance_profile="dev",
    log_group="dev",
    declared={"name": "dev", "spot": True},
    clusters={
        "main": outputs.ClusterOutputs(
            zone="us-east-1a",
            n_workers=5,
            scheduler_id="i-1",
            scheduler_address="198.51.100.2",
            scheduler_private_address="10.0.0.4",
            worker_group="main-workers-1",
            groups={
                "workers": outputs.GroupOutputs("main-workers-1", 5, 5, runtime=False),
                "big": outputs.GroupOutputs("main.big-workers-1", 0, 20, runtime=True),
            },
            rotation=1,
            security={"ca": "a", "cert": "b", "key": "c", "token": "d"},
        )
    },
)
DATA = json.loads(json.dumps(dataclasses.asdict(RECORD)))


def test_what_is_secret_is_in_no_text_of_it():
    secret = outputs.ClusterStackOutputs(
        "dev", "us-east-1", "main", RECORD.clusters["main"], {}, environ={"TOKEN": "geheim"}
    )
    main = dataclasses.replace(RECORD.clusters["main"], security={"key": "geheim"})

    assert "geheim" not in repr(secret) + repr(main)


def test_round_trip():
    assert outputs.read({outputs.KEY: DATA, "other": 1}) == RECORD


@pytest.mark.parametrize("stack", [{}, {"other": 1}, {outputs.KEY: None}, {outputs.KEY: "x"}])
def test_no_record(stack):
    with pytest.raises(CoiledPulumiError) as caught:
        outputs.read(stack)
    assert str(caught.value) == "the stack has no workspace outputs\nhint: bring it up with: coiled-pulumi up"


@pytest.mark.parametrize("version", [1, 2, 4, 0, None, "3"])
def test_other_version(version):
    with pytest.raises(CoiledPulumiError) as caught:
        outputs.read({outputs.KEY: {**DATA, "version": version}})
    assert str(caught.value) == (
        f"the stack's outputs have version {version}, this program reads 3\nhint: upgrade coiled-pulumi"
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({key: value for key, value in DATA.items() if key != "vpc_id"}, id="field-missing"),
        pytest.param({key: value for key, value in DATA.items() if key != "clusters"}, id="clusters-missing"),
        pytest.param({**DATA, "surplus": 1}, id="field-unknown"),
        pytest.param({**DATA, "clusters": {"main": {"zone": "us-east-1a"}}}, id="cluster-incomplete"),
        pytest.param(
            {**DATA, "clusters": {"main": {**DATA["clusters"]["main"], "groups": {"big": {"name": "x"}}}}},
            id="group-incomplete",
        ),
        pytest.param({**DATA, "clusters": {"main": None}}, id="cluster-null"),
        pytest.param({**DATA, "clusters": []}, id="clusters-list"),
    ],
)
def test_damaged_record(record):
    with pytest.raises(CoiledPulumiError) as caught:
        outputs.read({outputs.KEY: record})
    assert str(caught.value) == (
        "the stack's workspace outputs are incomplete\nhint: bring it up again with: coiled-pulumi up"
    )
