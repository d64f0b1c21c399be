"""Laws of the union: how the world is cut up makes no difference."""

import ipaddress

import pytest
from coiled_policies import cidr
from hypothesis import given
from hypothesis import strategies as st

WORLDS = {4: "0.0.0.0/0", 6: "::/0"}


@st.composite
def coverings(draw: st.DrawFn, version: int) -> list[cidr.Network]:
    """Cut the whole address space into blocks: halve any block again and again, then shuffle."""
    blocks = [ipaddress.ip_network(WORLDS[version])]
    for choice in draw(st.lists(st.integers(min_value=0), max_size=40)):
        block = blocks.pop(choice % len(blocks))
        blocks += block.subnets() if block.prefixlen < block.max_prefixlen else [block]
    return draw(st.permutations(blocks))


@pytest.mark.parametrize("version", WORLDS)
@given(data=st.data())
def test_world_stays_open_however_it_is_split(version: int, data: st.DataObject) -> None:
    blocks = data.draw(coverings(version))
    overlaps = data.draw(st.lists(st.sampled_from(blocks)))
    assert cidr.open_to([*blocks, *overlaps]) == (WORLDS[version],)


@given(data=st.data())
def test_adding_a_block_never_closes_anything(data: st.DataObject) -> None:
    blocks = data.draw(coverings(4))
    count = data.draw(st.integers(min_value=0, max_value=len(blocks)))
    shares = [cidr.public_share(blocks[:n], version=4) for n in (count, len(blocks))]
    assert shares == [min(shares), 1]


@given(st.lists(st.ip_addresses(network="203.0.112.0/20"), max_size=30))
def test_blocks_of_one_office_are_never_the_world(addresses: list[ipaddress.IPv4Address]) -> None:
    assert cidr.open_to(ipaddress.ip_network(address) for address in addresses) == ()


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([], ()),
        (["0.0.0.0/1", "128.0.0.0/1"], ("0.0.0.0/0",)),
        (["1.0.0.0/8"], ("0.5% of all public IPv4 addresses",)),
        (["1.0.0.0/9"], ()),
        (["10.0.0.0/8", "100.64.0.0/10", "224.0.0.0/3"], ()),
        (["::/0", "0.0.0.0/0"], ("0.0.0.0/0", "::/0")),
        (["2000::/3"], ("::/0",)),
        (["fc00::/7"], ()),
    ],
    ids=str,
)
def test_open_to(blocks: list[str], expected: tuple[str, ...]) -> None:
    assert cidr.open_to(ipaddress.ip_network(block) for block in blocks) == expected


def test_leaving_out_private_blocks_narrows_nothing() -> None:
    blocks = [ipaddress.ip_network("0.0.0.0/0")]
    for private in map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")):
        blocks = [part for block in blocks for part in without(block, private)]
    assert cidr.open_to(blocks) == ("0.0.0.0/0",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3/8", ipaddress.ip_network("10.0.0.0/8")),
        ("203.0.113.7", ipaddress.ip_network("203.0.113.7/32")),
        ("everyone", None),
        ("", None),
        (None, None),
    ],
)
def test_parse(text: object, expected: object) -> None:
    assert cidr.parse(text) == expected


def without(block: cidr.Network, hole: cidr.Network) -> list[cidr.Network]:
    return list(block.address_exclude(hole)) if hole.subnet_of(block) else [block]
