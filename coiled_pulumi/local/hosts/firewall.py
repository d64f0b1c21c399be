"""What each VPC's router lets through, and under which address: text for nftables, made of a snapshot alone.

A packet that begins a connection passes its sender's groups, then its receiver's, as on AWS; what belongs to a
connection that was let through passes. Rules of all groups of an interface count together, so that interfaces with the
same groups share a chain, which a map finds by the address: the work per packet does not grow with the number of
instances.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from coiled_pulumi.local.hosts import addresses
from coiled_pulumi.local.hosts.snapshot import Instance, Rule, Snapshot

#: The router's interface towards the internet.
WAN: Final = "wan"
#: Of a wide range, the ports that somebody on the machine may want to reach: a socket for each of 65,536 is too many.
USUAL_PORTS: Final = (22, 80, 443, 8786, 8787)
#: A range up to this long is opened in full.
_NARROW: Final = 16
_NAMES: Final = {"1": "icmp", "6": "tcp", "17": "udp"}
#: Ports by which a rule lets its instance reach the API: AWS's, and the one where ours listens.
_API_PORTS: Final = (443, 80)
Direction = Literal["ingress", "egress"]


def render(snapshot: Snapshot, interfaces: Mapping[str, str], router: str) -> str:
    """Give the whole ruleset of a VPC's router; it replaces the one before in one step.

    Args:
        snapshot: what there is.
        interfaces: the router's interface of each of the VPC's instances that has one; others are left out.
        router: the router's own address towards the internet.
    """
    members = {key: snapshot.instances[key] for key in sorted(interfaces) if key in snapshot.instances}
    here = list(members.values())
    sources = {one.private: source for one in here if (source := _source(snapshot, one, router))}
    leaving = [one.private for one in here if sources.get(one.private) not in (None, router)]
    public = {addresses.inside(one.public): one.private for one in here if _is_public(snapshot, one)}
    lines = [
        *_container("set owners", "ifname . ipv4_addr", _owners(members, interfaces)),
        *_container("set leaving", "ipv4_addr", leaving),
        *_container("set callers", "ipv4_addr", [o.private for o in here if _may_call(snapshot, o)]),
        *_container("map sources", "ipv4_addr : ipv4_addr", _pairs(sources)),
        *_container("map publics", "ipv4_addr : ipv4_addr", _pairs(public)),
        *_group_sets(snapshot, here),
        *_profiles(snapshot, here, "ingress", "accept"),
        "chain receive {",
        f'  oifname "{WAN}" accept',
        "  ip daddr vmap @by_ingress",
        "}",
        *_profiles(snapshot, here, "egress", "goto receive"),
        *_HOOKS,
    ]
    body = "\n".join(f"  {line}" for line in lines)
    # The table is named first so that it is there to be deleted, also the first time.
    return f"table ip hosts\ndelete table ip hosts\ntable ip hosts {{\n{body}\n}}\n"


#: What is the same for every VPC.
_HOOKS: Final = f"""\
chain owned {{
  type filter hook prerouting priority raw; policy drop;
  iifname "lo" accept
  iifname "{WAN}" ip saddr {addresses.OUTSIDE} accept
  iifname . ip saddr @owners accept
}}
chain own {{
  type filter hook input priority filter; policy drop;
  ct state established,related accept
}}
chain outside {{
  oifname "{WAN}" drop
  ip daddr vmap @by_ingress
}}
chain pass {{
  type filter hook forward priority filter; policy drop;
  ct state established,related accept
  ct state invalid drop
  iifname "{WAN}" jump outside
  iifname "{WAN}" reject with icmp type admin-prohibited
  ip daddr {addresses.API} tcp dport 80 ip saddr @callers accept
  ip daddr {addresses.API} drop
  oifname "{WAN}" ip saddr != @leaving drop
  ip saddr vmap @by_egress
}}
chain arrive {{
  type nat hook prerouting priority dstnat; policy accept;
  iifname "{WAN}" dnat to ip daddr map @publics
}}
chain depart {{
  type nat hook postrouting priority srcnat; policy accept;
  oifname "{WAN}" snat to ip saddr map @sources
}}""".splitlines()


def routed(snapshot: Snapshot, vpc: str) -> list[str]:
    """Give every address of inside that leads to a VPC's router: its instances' public ones, and its NATs'."""
    instances = (one for one in snapshot.instances.values() if one.vpc == vpc)
    found = {addresses.inside(one.public) for one in instances if one.public}
    for subnet in snapshot.subnets.values():
        if subnet.vpc == vpc and subnet.way_out not in (None, "igw"):
            found.add(addresses.inside(subnet.way_out))
    return sorted(found)


def opened(snapshot: Snapshot, instance: Instance) -> list[int]:
    """Give the TCP ports that an instance's groups open to somebody outside its VPC."""
    if not _is_public(snapshot, instance):
        return []
    found: set[int] = set()
    for rule in _rules(snapshot, instance.groups, "ingress"):
        if rule.cidr is not None and addresses.is_open(rule.cidr) and _protocol(rule) in ("-1", "tcp"):
            first, last = _ports(rule)
            narrow = last - first < _NARROW
            found.update(range(first, last + 1) if narrow else (p for p in USUAL_PORTS if first <= p <= last))
    return sorted(found)


def _is_public(snapshot: Snapshot, instance: Instance) -> bool:
    subnet = snapshot.subnets.get(instance.subnet)
    return bool(instance.public) and subnet is not None and subnet.way_out == "igw"


def _source(snapshot: Snapshot, instance: Instance, router: str) -> str | None:
    """Give the address under which an instance leaves its VPC."""
    subnet = snapshot.subnets.get(instance.subnet)
    if subnet is None:
        return None
    if _is_public(snapshot, instance):
        return addresses.inside(instance.public or "")
    if subnet.way_out not in (None, "igw"):
        return addresses.inside(subnet.way_out)
    return router if subnet.endpoints else None


def _may_call(snapshot: Snapshot, instance: Instance) -> bool:
    """Tell whether an instance reaches the API: by its way out or an endpoint, if its groups let it.

    The API is one address here. What on AWS goes to an endpoint, in the VPC and in a group, has a rule for that: any
    that lets HTTPS into the VPC counts.
    """
    subnet = snapshot.subnets.get(instance.subnet)
    if subnet is None or _source(snapshot, instance, "router") is None:
        return False
    rules = [rule for rule in _rules(snapshot, instance.groups, "egress") if _is_for_api(rule)]
    if any(rule.cidr is not None and addresses.covers(rule.cidr, addresses.API) for rule in rules):
        return True
    blocks = [net for cidr in snapshot.vpcs.get(instance.vpc, ()) for net in addresses.networks(cidr)]
    return subnet.endpoints and any(
        rule.group is not None
        or any(net.overlaps(b) for net in addresses.networks(rule.cidr or "::/0") for b in blocks)
        for rule in rules
    )


def _is_for_api(rule: Rule) -> bool:
    first, last = _ports(rule)
    return _protocol(rule) in ("-1", "tcp") and any(first <= port <= last for port in _API_PORTS)


def _rules(snapshot: Snapshot, groups: Iterable[str], direction: Direction) -> Iterator[Rule]:
    for key in groups:
        if (group := snapshot.groups.get(key)) is not None:
            yield from group.ingress if direction == "ingress" else group.egress


def _protocol(rule: Rule) -> str:
    return _NAMES.get(rule.protocol, rule.protocol)


def _ports(rule: Rule) -> tuple[int, int]:
    if _protocol(rule) == "-1" or rule.first is None or rule.first < 0:
        return 0, 65535
    return rule.first, rule.first if rule.last is None else rule.last


def _owners(members: Mapping[str, Instance], interfaces: Mapping[str, str]) -> list[str]:
    return [f'"{interfaces[key]}" . {one.private}' for key, one in members.items()]


def _pairs(mapping: Mapping[str, str]) -> list[str]:
    return [f"{key} : {value}" for key, value in mapping.items()]


def _container(what: str, kind: str, elements: Iterable[str]) -> list[str]:
    text = ", ".join(elements)
    return [f"{what} {{", f"  type {kind}", *([f"  elements = {{ {text} }}"] if text else []), "}"]


def _set_of(group: str) -> str:
    return "members_" + re.sub(r"\W", "_", group, flags=re.ASCII)


def _group_sets(snapshot: Snapshot, here: list[Instance]) -> Iterator[str]:
    """Give a set of addresses for each group that a rule names."""
    directions: tuple[Direction, ...] = ("ingress", "egress")
    groups = sorted({key for one in here for key in one.groups})
    named = {r.group for d in directions for r in _rules(snapshot, groups, d) if r.group is not None}
    for group in sorted(named):
        yield from _container(
            f"set {_set_of(group)}", "ipv4_addr", [one.private for one in here if group in one.groups]
        )


def _profiles(snapshot: Snapshot, here: list[Instance], direction: Direction, verdict: str) -> Iterator[str]:
    """Give a chain for every combination of groups, and the map that leads an address to its chain."""
    combinations = {tuple(sorted(one.groups)): "" for one in here}
    for number, groups in enumerate(sorted(combinations)):
        combinations[groups] = f"{direction}_{number}"
        yield f"chain {combinations[groups]} {{"
        for match in dict.fromkeys(_match(rule, direction) for rule in _rules(snapshot, groups, direction)):
            if match is not None:
                yield " ".join(filter(None, (" ", match, verdict)))
        yield "}"
    elements = [f"{one.private} : goto {combinations[tuple(sorted(one.groups))]}" for one in here]
    yield from _container(f"map by_{direction}", "ipv4_addr : verdict", elements)


def _match(rule: Rule, direction: Direction) -> str | None:
    """Give what a packet has to look like; None if none can."""
    whom = _match_peer(rule, "saddr" if direction == "ingress" else "daddr")
    what = _match_protocol(rule)
    return None if whom is None or what is None else f"{whom} {what}".strip()


def _match_peer(rule: Rule, side: str) -> str | None:
    if rule.group is not None:
        return f"ip {side} @{_set_of(rule.group)}"
    blocks = [str(network) for network in addresses.networks(rule.cidr or "")] if rule.cidr else []
    if not blocks:
        return None
    if "0.0.0.0/0" in blocks:
        return ""
    return f"ip {side} {blocks[0]}" if len(blocks) == 1 else f"ip {side} {{ {', '.join(blocks)} }}"


def _match_protocol(rule: Rule) -> str | None:
    protocol = _protocol(rule)
    match protocol:
        case "-1":
            return ""
        case "tcp" | "udp":
            first, last = _ports(rule)
            if not first <= last <= 65535:
                return None
            return (
                f"meta l4proto {protocol}"
                if (first, last) == (0, 65535)
                else f"{protocol} dport {first}-{last}"
            )
        case "icmp":
            kind = [] if rule.first is None or rule.first < 0 else [f"icmp type {rule.first}"]
            code = [] if not kind or rule.last is None or rule.last < 0 else [f"icmp code {rule.last}"]
            return " ".join([*kind, *code]) or "meta l4proto icmp"
    return f"meta l4proto {protocol}" if protocol.isdecimal() else None
