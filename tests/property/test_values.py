"""Laws of the small values."""

import pytest
from _support.strategies import port_ranges, ports, sources
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.plan.naming import fingerprint, rule_key
from coiled_pulumi.values import PortRange, parse_cidr, region_of, zone_letter


@given(ports.map(str) | port_ranges)
def test_ports_are_printed_as_they_are_read(text):
    ports = PortRange.parse(text)

    assert PortRange.parse(str(ports)) == ports
    assert str(ports) in (text, text.split("-")[0])


@given(ports, ports)
def test_ports_have_one_form(first, last):
    low, high = sorted((first, last))

    assert PortRange.parse(str(PortRange(low, high))) == PortRange(low, high)


@given(st.text(max_size=12))
def test_any_other_text_is_no_port(text):
    try:
        ports = PortRange.parse(text)
    except ValueError:
        return
    assert 1 <= ports.first <= ports.last <= 65535
    assert text.isascii()


@given(st.from_regex(r"[0-9.:/]{1,20}", fullmatch=True) | st.text(max_size=20))
def test_any_text_is_a_block_or_refused_by_our_own_words(text):
    try:
        block = parse_cidr(text)
    except ValueError as error:
        told = str(error)
    else:
        told = "must be"
        assert parse_cidr(str(block)) == block
    assert told.startswith("must be")


@given(sources.filter(lambda text: text != "me"))
def test_a_block_in_its_own_form_is_kept(text):
    assert str(parse_cidr(text)) == text


@given(st.integers(0, 2**32 - 1), st.integers(1, 31))
def test_host_bits_are_answered_with_the_block_that_was_meant(address, prefix):
    host = address | 1
    text = f"{host >> 24}.{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}/{prefix}"

    with pytest.raises(ValueError, match=f"must be a block without host bits, as .*/{prefix}$"):
        parse_cidr(text)


Rule = tuple[str, str]
rules = st.tuples(ports.map(str) | port_ranges.filter(lambda text: len(set(text.split("-"))) == 2), sources)


@given(rules, rules)
def test_distinct_rules_have_distinct_keys(one, other):
    assert (rule_key("g", "ingress", *one) == rule_key("g", "ingress", *other)) == (one == other)


@given(st.text(max_size=40))
def test_fingerprint_is_16_hex_digits(name):
    assert len(fingerprint(name)) == 16
    assert int(fingerprint(name), 16) >= 0


def test_fingerprint_is_frozen():
    """Recovery finds resources by it, also those of older releases."""
    assert fingerprint("dev-vpc") == "4963dc27820ce0cc"


@pytest.mark.parametrize(
    ("zone", "region", "letter"),
    [("us-east-1b", "us-east-1", "b"), ("ap-southeast-2c", "ap-southeast-2", "c"),
     ("us-gov-west-1a", "us-gov-west-1", "a")],
)  # fmt: skip
def test_zone(zone, region, letter):
    assert (region_of(zone), zone_letter(zone)) == (region, letter)


@pytest.mark.parametrize(
    "text", ["", "a", "us-east-1", "us-east-1-lax-1a", "use1-az1", "us-east-1A", "us-east-1ab"]
)
def test_no_zone(text):
    with pytest.raises(ValueError, match="not the name of an availability zone"):
        zone_letter(text)
