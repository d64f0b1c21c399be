"""What ways out cost: list prices, looked at by hand."""

import pytest

from coiled_pulumi.plan.build import build
from coiled_pulumi.plan.cost import ways_out
from coiled_pulumi.spec import dask_config, load

ZONES = [f"us-east-1{letter}" for letter in "abcdef"]
WAYS = ["gateway", "per-zone", "instance", "none"]
#: US dollars a month by number of zones. A gateway and its address: 730 h of 0.045 and 0.005. An instance: 730 h of
#: 0.0042 and 0.005, and 8 GiB of 0.08. Endpoints: 730 h of 0.01 for each of 5 services in each zone.
MONTHLY = {
    1: {"gateway": 36.50, "per-zone": 36.50, "instance": 7.36, "none": 36.50},
    2: {"gateway": 36.50, "per-zone": 73.00, "instance": 7.36, "none": 73.00},
    6: {"gateway": 36.50, "per-zone": 219.00, "instance": 7.36, "none": 219.00},
}


def _ways(zones: int, nat: str, **values):
    value = {"name": "dev", "network": {"zones": ZONES[:zones], "nat": nat}, **values}
    return ways_out(build(load.validate(value, source="f", config=dask_config.NOTHING).workspace).network)


@pytest.mark.parametrize("zones", MONTHLY)
@pytest.mark.parametrize("nat", WAYS)
def test_a_month(zones, nat):
    ways = _ways(zones, nat)

    assert {way.nat: way.monthly for way in ways} == MONTHLY[zones]
    assert [way.nat for way in ways] == WAYS
    # Also with one zone, where a gateway for each is one gateway.
    assert [way.nat for way in ways if way.chosen] == [nat]


def test_a_gigabyte():
    assert {way.nat: way.per_gb for way in _ways(1, "gateway")} == {
        "gateway": 0.045, "per-zone": 0.045, "instance": 0.0, "none": 0.01,
    }  # fmt: skip


def test_other_regions_have_the_same_list():
    """The text says whose prices they are."""
    value = {"name": "dev", "region": "eu-west-1", "network": {"zones": ["eu-west-1a"]}}
    plan = build(load.validate(value, source="f", config=dask_config.NOTHING).workspace)

    assert [way.monthly for way in ways_out(plan.network)] == list(MONTHLY[1].values())
