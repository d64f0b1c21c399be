"""The judgement of a network that is there already and is only used. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coiled_pulumi.ops import demand
from coiled_pulumi.ops.findings import Facts, Finding, Level, Unknown
from coiled_pulumi.plan import model


def judge_existing(plan: model.Workspace, facts: Facts) -> Iterator[Finding]:
    """Judge a network that is there already: its subnets, and the way out of the private ones."""
    if isinstance(facts.subnets, Unknown):
        return  # said by the check of addresses
    vpc = demand.existing_vpc(plan)
    there = {subnet.id: subnet for subnet in facts.subnets}
    for subnet in demand.existing_subnets(plan):
        name, zone, tier = subnet.id, subnet.zone, subnet.tier
        found = there.get(name)
        key = f"network.existing.subnets.{zone}.{tier}"
        if found is None:
            yield Finding("subnet-missing", "error", f"there is no subnet {name} in {vpc}", mend=key)
        elif found.zone != zone:
            yield Finding(
                "subnet-other-zone", "error", f"subnet {name} is in {found.zone}, not {zone}", mend=key
            )
        else:
            yield _way_out(name, tier, key, facts.ways_out)


def _way_out(name: str, tier: str, key: str, ways_out: Any) -> Finding:
    if isinstance(ways_out, Unknown) or ways_out is None:
        why = ways_out.why if ways_out else ""
        return Finding("way-out", "skipped", f"the routes of subnet {name} are not known", why)
    way = ways_out.get(name, ways_out.get("", "none"))
    if way == "none":
        cause = "machines reach neither AWS's services nor packages, unless there are endpoints and mirrors"
        level: Level = "error" if tier == "public" else "warning"
        return Finding("no-default-route", level, f"subnet {name} has no default route", cause, key)
    if tier == "public" and not way.startswith("igw-"):
        cause = f"its default route leads to {way}"
        return Finding("no-default-route", "error", f"subnet {name} is not public", cause, key)
    if tier == "private" and way.startswith("igw-"):
        cause = "workers have no public address, and an internet gateway lets nothing without one out"
        return Finding("no-default-route", "error", f"subnet {name} is public", cause, key)
    return Finding("way-out", "ok", f"subnet {name} leads out through {way}")
