"""What a cluster stands on: what is there already, and what another region takes over."""

import pytest
from _support import up_records

from coiled_pulumi import outputs
from coiled_pulumi.ops import grounds
from coiled_pulumi.ops.clusters import Order
from coiled_pulumi.spec import dask_config, load

DECLARED = {
    "name": "solo",
    "region": "us-east-1",
    "zone": "us-east-1b",
    "spot": True,
    "network": {"cidr": "10.50.0.0/16", "zones": ["us-east-1b"], "nat": "none"},
}


EXISTING = {
    "existing": {
        "vpc_id": "vpc-0123456789abcdef0",
        "subnets": {
            "us-east-1a": {"private": "subnet-0123456789abcdef0", "public": "subnet-0fedcba9876543210"}
        },
    }
}


def _elsewhere(declared, region):
    made = load.validate(dict(declared), source="a test", config=dask_config.NOTHING)
    return made.workspace.elsewhere(region)


def _order(*, zone="us-east-1a", public=True, region="us-east-1"):
    record = outputs.read(up_records.workspace())
    return Order("new", record, {}, dict(record.declared), region, zone, public)


def test_another_region_has_the_same_settings_and_zones_of_its_own():
    assert _elsewhere(DECLARED, "eu-west-1") == {
        "name": "solo",
        "region": "eu-west-1",
        "spot": True,
        "network": {"cidr": "10.50.0.0/16", "nat": "none"},
    }
    assert DECLARED["network"]["zones"] == ["us-east-1b"]


@pytest.mark.parametrize("network", [{}, {"zones": ["us-east-1a"]}, EXISTING])
def test_another_region_has_no_network_of_this_one(network):
    found = _elsewhere({"name": "solo", "network": network}, "eu-west-1")
    assert found == {"name": "solo", "region": "eu-west-1"}


@pytest.mark.parametrize(
    ("subnets", "public", "there"),
    [
        (("private", "public"), True, True),
        (("private",), True, False),
        (("private",), False, True),
        (("public",), False, False),
        ((), True, False),
    ],
)
def test_a_zone_is_there_with_the_subnets_that_a_cluster_needs(subnets, public, there):
    ids = {f"{tier}-us-east-1c": "subnet-1" for tier in subnets} | {"private-us-east-1a": "subnet-2"}
    assert grounds._has(ids, _order(zone="us-east-1c", public=public)) is there


def test_what_is_there_is_used_and_nothing_is_made(tmp_path):
    def never(*_):
        raise AssertionError("the engine was asked")

    shared, declared = grounds.stand(None, _order(), perform=never, tell=never)

    assert (shared.workspace, shared.region, shared.profile) == ("solo", "us-east-1", "solo")
    assert shared.subnets == {"public-us-east-1a": "subnet-1", "private-us-east-1a": "subnet-2"}
    assert declared["network"]["zones"] == ["us-east-1a"]
