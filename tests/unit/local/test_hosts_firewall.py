"""What the routers of the local AWS are told, for pictures small enough to be seen through."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from coiled_pulumi.local.hosts import addresses, firewall, snapshot
from coiled_pulumi.local.hosts.snapshot import Rule, Snapshot

ROUTER = "240.255.0.1"


def rule(protocol: str = "-1", first: int | None = None, last: int | None = None, **peer: str) -> dict:
    return {"protocol": protocol, "from": first, "to": last, "cidr": None, "group": None} | peer


def instance(private: str, *groups: str, public: str | None = None, subnet: str = "public") -> dict:
    told = {"vpc": "vpc", "subnet": subnet, "private": private, "public": public, "groups": groups}
    placement = {"meta-data/placement/availability-zone": "eu-west-1c"}
    return told | {"user_data": "", "metadata": placement, "credentials": None, "tags": {}}


def picture(groups: dict[str, Any], **instances: dict) -> Snapshot:
    subnets = {"public": "igw", "private": "127.9.9.9", "closed": None, "endpoints": None}
    told = {
        "version": 1,
        "api": 4566,
        "home": "/home",
        "vpcs": {"vpc": {"cidrs": ["10.0.0.0/16"]}},
        "subnets": {
            key: {"vpc": "vpc", "cidr": "10.0.0.0/24", "way_out": way, "endpoints": key == "endpoints"}
            for key, way in subnets.items()
        },
        "groups": {key: {"vpc": "vpc", "ingress": [], "egress": []} | one for key, one in groups.items()},
        "instances": instances,
    }
    return snapshot.read(json.dumps(told))


def rendered(shot: Snapshot) -> str:
    names = {key: f"host{number}" for number, key in enumerate(shot.instances)}
    return firewall.render(shot, names, ROUTER)


def block(text: str, name: str) -> list[str]:
    """Give the lines of a chain, or the elements of a set or map."""
    body = re.search(rf"^  (?:chain|set|map) {name} {{\n(.*?)^  }}$", text, re.MULTILINE | re.DOTALL)
    assert body is not None, name
    lines = [line.strip() for line in body[1].splitlines() if not line.strip().startswith("type")]
    elements = re.fullmatch(r"elements = { (.*) }", lines[0]) if len(lines) == 1 else None
    return elements[1].split(", ") if elements else lines


def test_interfaces_with_the_same_groups_share_a_chain():
    groups = {"sg-a": {"ingress": [rule(group="sg-a")]}, "sg-b": {}}
    text = rendered(
        picture(
            groups,
            i1=instance("10.0.0.5", "sg-a", "sg-b"),
            i2=instance("10.0.0.6", "sg-b", "sg-a"),
            i3=instance("10.0.0.7", "sg-b"),
        )
    )

    assert block(text, "by_ingress") == [
        "10.0.0.5 : goto ingress_0",
        "10.0.0.6 : goto ingress_0",
        "10.0.0.7 : goto ingress_1",
    ]
    assert block(text, "ingress_0") == ["ip saddr @members_sg_a accept"]
    assert block(text, "ingress_1") == []
    assert block(text, "members_sg_a") == ["10.0.0.5", "10.0.0.6"]


def test_rules_of_all_groups_count_together_and_once():
    one, two = rule("tcp", 22, 22, cidr="0.0.0.0/0"), rule("udp", 1, 9, cidr="10.0.0.0/8")
    text = rendered(
        picture({"a": {"egress": [one, two]}, "b": {"egress": [one]}}, i=instance("10.0.0.5", "a", "b"))
    )

    assert block(text, "egress_0") == [
        "tcp dport 22-22 goto receive",
        "ip daddr 10.0.0.0/8 udp dport 1-9 goto receive",
    ]


@pytest.mark.parametrize(
    ("told", "match"),
    [
        (rule(cidr="0.0.0.0/0"), "accept"),
        (rule("6", 0, 65535, cidr="0.0.0.0/0"), "meta l4proto tcp accept"),
        (rule("tcp", cidr="10.1.0.0/16"), "ip saddr 10.1.0.0/16 meta l4proto tcp accept"),
        (rule("tcp", 80, 90, cidr="127.0.0.9/32"), "ip saddr 240.0.0.9/32 tcp dport 80-90 accept"),
        (
            rule("udp", 53, 53, cidr="64.0.0.0/2"),
            "ip saddr { 64.0.0.0/2, 240.0.0.0/8 } udp dport 53-53 accept",
        ),
        (rule("icmp", -1, -1, cidr="0.0.0.0/0"), "meta l4proto icmp accept"),
        (rule("icmp", 8, -1, cidr="0.0.0.0/0"), "icmp type 8 accept"),
        (rule("icmp", 3, 4, cidr="0.0.0.0/0"), "icmp type 3 icmp code 4 accept"),
        (rule("47", cidr="0.0.0.0/0"), "meta l4proto 47 accept"),
    ],
)
def test_a_rule_becomes_a_match(told, match):
    text = rendered(picture({"a": {"ingress": [told]}}, i=instance("10.0.0.5", "a")))

    assert block(text, "ingress_0") == [match]


@pytest.mark.parametrize(
    "told",
    [rule(cidr="::/0"), rule("icmpv6", cidr="0.0.0.0/0"), rule("tcp", 9, 8, cidr="0.0.0.0/0")],
)
def test_what_no_packet_can_be_lets_nothing_through(told):
    text = rendered(picture({"a": {"ingress": [told]}}, i=instance("10.0.0.5", "a")))

    assert block(text, "ingress_0") == []


def test_each_leaves_by_the_way_of_its_subnet():
    outward = {"a": {"egress": [rule(cidr="0.0.0.0/0")]}}
    text = rendered(
        picture(
            outward,
            i1=instance("10.0.0.5", "a", public="127.1.2.3"),
            i2=instance("10.0.0.6", "a"),
            i3=instance("10.0.0.7", "a", subnet="private", public="127.1.2.4"),
            i4=instance("10.0.0.8", "a", subnet="closed"),
            i5=instance("10.0.0.9", "a", subnet="endpoints"),
        )
    )

    assert block(text, "sources") == [
        "10.0.0.5 : 240.1.2.3",
        "10.0.0.7 : 240.9.9.9",
        f"10.0.0.9 : {ROUTER}",
    ]
    assert block(text, "leaving") == ["10.0.0.5", "10.0.0.7"]
    assert block(text, "publics") == ["240.1.2.3 : 10.0.0.5"]
    assert block(text, "callers") == ["10.0.0.5", "10.0.0.7", "10.0.0.9"]


@pytest.mark.parametrize(
    ("told", "subnet", "may"),
    [
        (rule("tcp", 443, 443, cidr="0.0.0.0/0"), "private", True),
        (rule("tcp", 443, 443, cidr="10.0.0.0/16"), "private", False),
        (rule("tcp", 443, 443, cidr="10.0.0.0/16"), "endpoints", True),
        (rule("tcp", 443, 443, group="a"), "endpoints", True),
        (rule("tcp", 8786, 8787, cidr="0.0.0.0/0"), "endpoints", False),
        (rule(cidr="0.0.0.0/0"), "closed", False),
    ],
)
def test_groups_decide_who_calls_the_api(told, subnet, may):
    text = rendered(picture({"a": {"egress": [told]}}, i=instance("10.0.0.5", "a", subnet=subnet)))

    assert block(text, "callers") == (["10.0.0.5"] if may else [])


def test_an_address_counts_only_at_its_own_interface():
    text = rendered(picture({}, i1=instance("10.0.0.5"), i2=instance("10.0.0.6")))

    assert block(text, "owners") == ['"host0" . 10.0.0.5', '"host1" . 10.0.0.6']


def test_an_instance_without_an_interface_is_left_out():
    shot = picture({}, i1=instance("10.0.0.5"), i2=instance("10.0.0.6"))

    assert block(firewall.render(shot, {"i2": "host7"}, ROUTER), "owners") == ['"host7" . 10.0.0.6']


@pytest.mark.parametrize(
    ("rules", "ports"),
    [
        ([rule("tcp", 22, 22, cidr="0.0.0.0/0"), rule("tcp", 8787, 8787, cidr="127.0.0.1/32")], [22, 8787]),
        ([rule("tcp", 100, 115, cidr="0.0.0.0/0")], list(range(100, 116))),
        ([rule("tcp", 100, 9000, cidr="0.0.0.0/0")], [443, 8786, 8787]),
        ([rule(cidr="0.0.0.0/0")], [22, 80, 443, 8786, 8787]),
        ([rule("tcp", 22, 22, cidr="10.0.0.0/8"), rule(group="a"), rule("udp", 1, 1, cidr="0.0.0.0/0")], []),
    ],
)
def test_what_is_open_from_outside_is_relayed(rules, ports):
    shot = picture({"a": {"ingress": rules}}, i=instance("10.0.0.5", "a", public="127.1.2.3"))

    assert firewall.opened(shot, shot.instances["i"]) == ports


def test_nothing_is_relayed_to_an_address_without_an_internet_gateway():
    open_to_all = {"a": {"ingress": [rule(cidr="0.0.0.0/0")]}}
    shot = picture(open_to_all, i=instance("10.0.0.5", "a", public="127.1.2.3", subnet="private"))

    assert firewall.opened(shot, shot.instances["i"]) == []
    assert firewall.routed(shot, "vpc") == ["240.1.2.3", "240.9.9.9"]


def test_what_a_snapshot_says_is_read():
    shot = picture({"a": {"ingress": [rule("tcp", 1, 2, cidr="0.0.0.0/0")]}}, i=instance("10.0.0.5", "a"))

    assert shot.groups["a"].ingress == (Rule("tcp", 1, 2, "0.0.0.0/0", None),)
    assert shot.vpcs == {"vpc": ("10.0.0.0/16",)}
    assert shot.subnets["private"] == snapshot.Subnet("vpc", "127.9.9.9", endpoints=False)
    assert (shot.instances["i"].groups, shot.instances["i"].region) == (("a",), "eu-west-1")


@pytest.mark.parametrize(
    ("cidr", "inside"),
    [
        ("127.0.0.0/8", ["240.0.0.0/8"]),
        ("127.3.4.5/24", ["240.3.4.0/24"]),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("0.0.0.0/0", ["0.0.0.0/0"]),
        ("126.0.0.0/7", ["126.0.0.0/7", "240.0.0.0/8"]),
    ],
)
def test_blocks_of_the_machine_are_others_inside(cidr, inside):
    assert [str(network) for network in addresses.networks(cidr)] == inside


def test_private_addresses_have_loopback_addresses_of_their_own():
    private = ["10.0.1.5", "10.1.1.5", "172.31.0.5", "127.0.0.7"]

    assert [addresses.loopback(one) for one in private] == [
        "127.128.1.5",
        "127.129.1.5",
        "127.159.0.5",
        "127.0.0.7",
    ]
