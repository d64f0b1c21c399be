"""The bundled facts."""

import pytest

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.plan.cidr import LETTERS
from coiled_pulumi.values import region_of, zone_letter

REGIONS = catalog.regions()


@pytest.mark.parametrize("name", REGIONS)
def test_region(name):
    region = REGIONS[name]

    assert region.name == name
    assert len(region.zones) >= 2
    assert list(region.zones) == sorted(set(region.zones))
    assert {region_of(zone) for zone in region.zones} == {name}
    assert {zone_letter(zone) for zone in region.zones} <= set(LETTERS)
    assert region.default_zone == region.zones[0]


def test_known_regions():
    assert {"us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1"} <= REGIONS.keys()
    assert not REGIONS["us-east-1"].opt_in
    assert [name for name in REGIONS if name.startswith(("cn-", "us-gov-"))] == []


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("m6i.xlarge", catalog.InstanceFacts("m6i.xlarge", "x86_64", 4, 16384, 0)),
        ("m7g.xlarge", catalog.InstanceFacts("m7g.xlarge", "arm64", 4, 16384, 0)),
        ("m5.huge", None),
        ("", None),
    ],
)
def test_instance_type(name, facts):
    assert catalog.instance_type(name) == facts


def test_defaults_are_in_the_catalog():
    for names in choose.DEFAULTS.values():
        assert {catalog.instance_type(name).vcpus for name in names} == {choose.DEFAULT_VCPUS}


@pytest.mark.parametrize(
    ("word", "near"), [("m6i.xlarg", "m6i.xlarge"), ("M5.LARGE", "m5.large"), ("t3 micro", "t3.micro")]
)
def test_near_instance_types(word, near):
    assert catalog.nearest_instance_types(word)[0] == near
