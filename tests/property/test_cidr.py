"""Laws of layout 1, and the layout itself: a subnet that moves is a subnet that is replaced."""

import ipaddress
from itertools import combinations, pairwise

import pytest
from _support.strategies import network_blocks
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.plan import cidr

ZONES = tuple(f"us-east-1{letter}" for letter in cidr.LETTERS)
#: AWS's smallest subnet is a /28.
SMALLEST = 28


def _all_blocks(network: str) -> list[ipaddress.IPv4Network]:
    pairs = [cidr.blocks(network, zone) for zone in ZONES]
    return [ipaddress.IPv4Network(text) for pair in pairs for text in (pair.public, pair.private)]


@pytest.mark.parametrize("prefix", range(16, 23))
def test_blocks_of_all_zones_are_disjoint_inside_the_network_and_large_enough_for_aws(prefix):
    network = ipaddress.IPv4Network(f"10.0.0.0/{prefix}")
    blocks = _all_blocks(str(network))

    assert [block for block in blocks if not block.subnet_of(network)] == []
    assert [pair for pair in combinations(blocks, 2) if pair[0].overlaps(pair[1])] == []
    assert max(block.prefixlen for block in blocks) <= SMALLEST


@given(network_blocks())
def test_blocks_of_any_network_are_disjoint_and_inside_it(network):
    blocks = sorted(_all_blocks(network))

    assert all(block.subnet_of(ipaddress.IPv4Network(network)) for block in blocks)
    # Sorted blocks overlap anywhere only if two neighbours do.
    assert all(left.broadcast_address < right.network_address for left, right in pairwise(blocks))


@given(network_blocks(), st.sampled_from(cidr.LETTERS))
def test_a_block_depends_on_the_letter_and_not_on_the_region(network, letter):
    assert cidr.blocks(network, f"us-east-1{letter}") == cidr.blocks(network, f"ap-southeast-2{letter}")


def test_layout_1_is_frozen():
    table = {zone[-1]: cidr.blocks("10.0.0.0/16", zone, layout=1) for zone in ZONES}

    assert table == {
        "a": cidr.Blocks(public="10.0.224.0/22", private="10.0.0.0/19"),
        "b": cidr.Blocks(public="10.0.228.0/22", private="10.0.32.0/19"),
        "c": cidr.Blocks(public="10.0.232.0/22", private="10.0.64.0/19"),
        "d": cidr.Blocks(public="10.0.236.0/22", private="10.0.96.0/19"),
        "e": cidr.Blocks(public="10.0.240.0/22", private="10.0.128.0/19"),
        "f": cidr.Blocks(public="10.0.244.0/22", private="10.0.160.0/19"),
        "g": cidr.Blocks(public="10.0.248.0/22", private="10.0.192.0/19"),
    }


def test_layout_1_of_the_smallest_network_is_frozen():
    assert cidr.blocks("192.168.4.0/22", "eu-west-1c") == cidr.Blocks(
        public="192.168.7.160/28", private="192.168.5.0/25"
    )


@pytest.mark.parametrize(
    ("network", "zone", "layout", "text"),
    [
        ("10.0.0.0/16", "us-east-1a", 2, "layout 2 is not known"),
        ("10.0.0.0/16", "us-east-1h", 1, "layout 1 has room for zones a to g, not us-east-1h"),
        ("10.0.0.0/23", "us-east-1a", 1, "layout 1 needs a network of /22 or larger, not 10.0.0.0/23"),
        ("10.0.0.0/16", "use1-az1", 1, "not the name of an availability zone: 'use1-az1'"),
    ],
)
def test_what_layout_1_has_no_room_for(network, zone, layout, text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        cidr.blocks(network, zone, layout=layout)
