"""The plan of who may talk to whom."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator

from coiled_pulumi.plan.model import Cluster, Rule, Security, SecurityGroup, Workspace
from coiled_pulumi.plan.naming import rule_key
from coiled_pulumi.plan.network import NAT_GROUP
from coiled_pulumi.plan.tagging import Tagger

#: Everything inside a cluster talks to everything; nothing else reaches it.
CLUSTER = "cluster-group"
#: Stands for the address that the caller comes from until the workspace is brought up.
ME = "me"
#: What reaches a scheduler from outside.
SCHEDULER = "scheduler-group"
#: What each well-known port is for; the text becomes the rule's description in AWS.
PURPOSES = {"22": "SSH", "8786": "Dask protocol", "8787": "Dask dashboard"}


def plan_security(
    tagger: Tagger, ingress: tuple[tuple[str, str], ...], *, nat_from: str | None = None
) -> Security:
    """Plan the workspace's groups and their rules.

    Args:
        tagger: makes the items.
        ingress: pairs of port (or range as text) and IPv4 block or `me`.
        nat_from: block that a NAT instance forwards for, if there is one.
    """
    groups = [
        _group(tagger, CLUSTER, "Members of its clusters"),
        _group(tagger, SCHEDULER, "Reaches schedulers from outside"),
    ]
    rules = [
        _rule(tagger, CLUSTER, "ingress", "all", "self", "Everything inside the group"),
        _rule(tagger, CLUSTER, "egress", "all", "0.0.0.0/0", "Everything outward"),
        *_opened(tagger, SCHEDULER, ingress),
    ]
    if nat_from is not None:
        groups.append(_group(tagger, NAT_GROUP, "Its NAT instance"))
        rules += [
            _rule(tagger, NAT_GROUP, "ingress", "all", nat_from, "Everything from inside the network"),
            _rule(tagger, NAT_GROUP, "egress", "all", "0.0.0.0/0", "Everything outward"),
        ]
    return _sorted(groups, rules)


def scheduler_group(cluster: str) -> str:
    """Give the key of the group of a cluster that has ingress of its own."""
    return f"cluster-{cluster}-scheduler-group"


def plan_cluster_security(tagger: Tagger, cluster: str, ingress: tuple[tuple[str, str], ...]) -> Security:
    """Plan what takes the place of the workspace's scheduler group for a cluster with ingress of its own."""
    key = scheduler_group(cluster)
    group = _group(tagger, key, f"Reaches the scheduler of {cluster} from outside", cluster=cluster)
    return _sorted([group], list(_opened(tagger, key, ingress, cluster=cluster)))


def _sorted(groups: list[SecurityGroup], rules: list[Rule]) -> Security:
    by_key = operator.attrgetter("key")
    return Security(tuple(sorted(groups, key=by_key)), tuple(sorted(rules, key=by_key)))


def _opened(
    tagger: Tagger, group: str, ingress: tuple[tuple[str, str], ...], *, cluster: str = ""
) -> Iterator[Rule]:
    for ports, peer in ingress:
        purpose = PURPOSES.get(ports, "Opened by the workspace file")
        yield _rule(tagger, group, "ingress", ports, peer, purpose, cluster=cluster)


def _group(tagger: Tagger, key: str, description: str, *, cluster: str = "") -> SecurityGroup:
    item = tagger.item(key, cluster=cluster)
    return SecurityGroup(item.key, item.name, item.tags, description=f"{tagger.workspace}: {description}")


def _rule(
    tagger: Tagger, group: str, direction: str, ports: str, peer: str, description: str, *, cluster: str = ""
) -> Rule:
    item = tagger.item(rule_key(group.removesuffix("-group"), direction, ports, peer), cluster=cluster)
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
    once = functools.cache(address)
    return dataclasses.replace(
        plan,
        security=_resolved(plan.security, once),
        clusters=tuple(resolve_me_of(cluster, once) for cluster in plan.clusters),
    )


def resolve_me_of(cluster: Cluster, address: Callable[[], str]) -> Cluster:
    """Do the same for one cluster with ingress of its own."""
    return dataclasses.replace(cluster, security=_resolved(cluster.security, functools.cache(address)))


def _resolved(security: Security, address: Callable[[], str]) -> Security:
    rules = (dataclasses.replace(r, peer=address()) if r.peer == ME else r for r in security.rules)
    return dataclasses.replace(security, rules=tuple(rules))
