"""Rules about a whole stack: what several resources come to together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coiled_policies import cidr, messages, tokens
from coiled_policies.resource import UNKNOWN, Finding, Resource, Unknown, entries, mapping, not_known

SSH_PORT: Final = 22


def ssh_not_open_to_the_world(resources: Sequence[Resource]) -> Iterator[Finding]:
    """Find security groups whose rules, taken together, let the internet in on port 22.

    Rules inside a group and rules of their own count alike. One finding per group, however it is split up.
    """
    groups = {r.urn: r for r in resources if r.type in (tokens.SECURITY_GROUP, tokens.DEFAULT_SECURITY_GROUP)}
    urns = {r.props["id"]: urn for urn, r in groups.items() if isinstance(r.props.get("id"), str)}
    doors: dict[str, list[_Door]] = {}
    for resource in resources:
        for door in _doors(resource):
            doors.setdefault(urns.get(door.group, door.group), []).append(door)
    for group, members in doors.items():
        yield from _judge(groups.get(group, members[0].resource), members)


@dataclass(frozen=True, slots=True)
class _Door:
    """One address block that one rule lets in on port 22."""

    group: str
    """URN or id of the security group."""
    resource: Resource
    rule: str
    """The rule, as the finding names it."""
    path: str
    source: Any


def _judge(owner: Resource, doors: Sequence[_Door]) -> Iterator[Finding]:
    """Judge the doors of one security group."""
    opened: list[tuple[str, cidr.Network]] = []
    for door in doors:
        if door.source is UNKNOWN:
            yield not_known(door.resource, door.path)
        elif network := cidr.parse(door.source):
            opened.append((door.rule, network))
        else:
            message = messages.not_a_cidr(str(door.resource), path=door.path, value=door.source)
            yield Finding(message, urn=door.resource.urn)
    if world := cidr.open_to(network for _, network in opened):
        rules = sorted({rule for rule, network in opened if cidr.is_public(network)})
        yield Finding(messages.ssh_open(str(owner), world=world, rules=rules), urn=owner.urn)


def _doors(resource: Resource) -> Iterator[_Door]:
    """Find the address blocks that a resource lets in on port 22, whichever way it writes its rules."""
    props = resource.props
    match resource.type:
        case tokens.INGRESS_RULE if _reaches_ssh(props, props.get("ipProtocol")):
            for key in ("cidrIpv4", "cidrIpv6"):
                if props.get(key) is not None:
                    yield _Door(_group_of(resource), resource, str(resource), key, props[key])
        case tokens.LEGACY_RULE if props.get("type") != "egress" and _reaches_ssh(
            props, props.get("protocol")
        ):
            for path, block in _blocks(props):
                yield _Door(_group_of(resource), resource, str(resource), path, block)
        case tokens.SECURITY_GROUP | tokens.DEFAULT_SECURITY_GROUP:
            yield from _inline_doors(resource)


def _inline_doors(resource: Resource) -> Iterator[_Door]:
    for path, rule in entries(resource.props, "ingress"):
        if rule is UNKNOWN:
            yield _Door(resource.urn, resource, path, path, UNKNOWN)
        elif _reaches_ssh(mapping(rule), mapping(rule).get("protocol")):
            for key, block in _blocks(rule):
                yield _Door(resource.urn, resource, path, f"{path}.{key}", block)


def _blocks(rule: Any) -> list[tuple[str, Any]]:
    return [*entries(rule, "cidrBlocks"), *entries(rule, "ipv6CidrBlocks")]


def _group_of(rule: Resource) -> str:
    literal = rule.props.get("securityGroupId")
    return rule.group or (literal if isinstance(literal, str) else rule.urn)


def _reaches_ssh(rule: Mapping[str, Any], protocol: Any) -> bool:
    """Whether a rule includes TCP port 22; an unknown protocol or port counts as doing so."""
    name = "tcp" if protocol is UNKNOWN else str(protocol).lower()
    if name in ("-1", "all"):
        return True
    first, last = rule.get("fromPort"), rule.get("toPort")
    return name in ("tcp", "6") and _not_above(first, SSH_PORT) and _not_above(SSH_PORT, last)


def _not_above(low: Any, high: Any) -> bool:
    if isinstance(low, Unknown) or isinstance(high, Unknown):
        return True
    try:
        return float(low) <= float(high)
    except (TypeError, ValueError):
        return False
