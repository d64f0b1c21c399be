"""The plan of who may talk to whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from coiled_pulumi.plan.model import Rule, Security, SecurityGroup, Workspace
from coiled_pulumi.plan.naming import rule_key
from coiled_pulumi.plan.tagging import Tagger

#: Everything inside a cluster talks to everything; nothing else reaches it.
CLUSTER = "cluster-group"
#: Stands for the address that the caller comes from until the workspace is brought up.
ME = "me"
#: What reaches a scheduler from outside.
SCHEDULER = "scheduler-group"
#: What each well-known port is for; the text becomes the rule's description in AWS.
PURPOSES = {"22": "SSH", "8786": "Dask protocol", "8787": "Dask dashboard"}


def plan_security(tagger: Tagger, ingress: tuple[tuple[str, str], ...]) -> Security:
    """Plan two groups and their rules.

    Args:
        tagger: makes the items.
        ingress: pairs of port (or range as text) and IPv4 block or `me`.
    """
    groups = (
        _group(tagger, CLUSTER, "Members of its clusters"),
        _group(tagger, SCHEDULER, "Reaches schedulers from outside"),
    )
    rules = [
        _rule(tagger, CLUSTER, "ingress", "all", "self", "Everything inside the group"),
        _rule(tagger, CLUSTER, "egress", "all", "0.0.0.0/0", "Everything outward"),
        *(_rule(tagger, SCHEDULER, "ingress", ports, peer, PURPOSES.get(ports, "Opened by the workspace file"))
          for ports, peer in ingress),
    ]  # fmt: skip
    return Security(groups, tuple(sorted(rules, key=lambda rule: rule.key)))


def _group(tagger: Tagger, key: str, description: str) -> SecurityGroup:
    item = tagger.item(key)
    return SecurityGroup(item.key, item.name, item.tags, description=f"{tagger.workspace}: {description}")


def _rule(tagger: Tagger, group: str, direction: str, ports: str, peer: str, description: str) -> Rule:
    item = tagger.item(rule_key(group.removesuffix("-group"), direction, ports, peer))
    first, _, last = ports.partition("-")
    return Rule(
        item.key,
        item.name,
        item.tags,
        group=group,
        direction=direction,  # type: ignore[arg-type]
        from_port=None if ports == "all" else int(first),
        to_port=None if ports == "all" else int(last or first),
        peer=peer,
        description=description,
    )


def resolve_me(plan: Workspace, address: Callable[[], str]) -> Workspace:
    """Put the caller's block in place of `me`; `address` is asked at most once, and only if a rule says `me`.

    Keys keep saying `me`, so that a caller who moves changes one rule and nothing else.
    """
    if not any(rule.peer == ME for rule in plan.security.rules):
        return plan
    block = address()
    rules = tuple(dataclasses.replace(r, peer=block) if r.peer == ME else r for r in plan.security.rules)
    return dataclasses.replace(plan, security=dataclasses.replace(plan.security, rules=rules))
