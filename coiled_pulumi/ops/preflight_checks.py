"""The judgement: a plan and what AWS told about its account, in; findings, out. No I/O."""

from __future__ import annotations

import ipaddress
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from coiled_pulumi import catalog
from coiled_pulumi.aws import discover, quotas, rights
from coiled_pulumi.ops import demand
from coiled_pulumi.ops.demand import Launch
from coiled_pulumi.ops.findings import Facts, Finding, Level, Unknown
from coiled_pulumi.ops.preflight_existing import judge_existing
from coiled_pulumi.plan import model
from coiled_pulumi.plan.images import is_own
from coiled_pulumi.plan.userdata import powers_off

#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
MAX_USER_DATA: Final = 16384
#: AWS keeps five addresses of every subnet. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_KEPT: Final = 5
_RAISE: Final = "coiled-pulumi setup aws --quotas"
#: The key of the file that names what is there already, by kind.
_NAMED_BY: Final = {
    "VPC": "network.existing.vpc_id",
    "key pair": "keypair_name",
    "capacity reservation": "capacity_reservation_id",
}

#: What is still to be launched, and how many.
Missing = tuple[tuple[Launch, int], ...]


def judge(plan: model.Workspace, facts: Facts) -> tuple[Finding, ...]:
    """Judge everything that can be judged; a check without its facts is `skipped`."""
    missing = missing_launches(plan, facts.machines)
    checks = [
        _user_data(plan),
        _images(plan, facts),
        _agents(plan, facts),
        _rights(plan, facts),
        _all_named(facts),
    ]
    checks += [_quotas(missing, facts), _offered(missing, facts), _addresses(plan, missing, facts)]
    checks += [judge_existing(plan, facts)] if demand.existing_vpc(plan) else [_network(plan, facts)]
    return tuple(finding for check in checks for finding in check)


def running(plan: model.Workspace, launch: Launch, machines: Any) -> int:
    """Count the machines of a launch that run already, of any type."""
    known = machines if isinstance(machines, tuple) else ()
    ours = (plan.name, launch.cluster, launch.role, launch.spot)
    return sum((one.workspace, one.cluster, one.role, one.spot) == ours for one in known)


def missing_launches(plan: model.Workspace, machines: Any) -> Missing:
    """Give how many machines are still to be launched; who runs already was allowed to."""
    wanted = [(launch, launch.count - running(plan, launch, machines)) for launch in demand.launches(plan)]
    return tuple((launch, count) for launch, count in wanted if count > 0)


def vcpus_needed(missing: Missing) -> dict[quotas.Quota, int]:
    """Give the vCPUs that launches count, by quota: of the smallest of their types, so that none is refused early."""
    needed: dict[quotas.Quota, int] = defaultdict(int)
    for launch, count in missing:
        sizes = [(quotas.vcpus_of(name), quotas.quota_of(name, spot=launch.spot)) for name in launch.types]
        known = [(vcpus, quota) for vcpus, quota in sizes if quota is not None]
        if known:
            vcpus, quota = min(known, key=lambda pair: pair[0])
            needed[quota] += vcpus * count
    return dict(needed)


def _quotas(missing: Missing, facts: Facts) -> Iterator[Finding]:
    needed = vcpus_needed(missing)
    if isinstance(facts.machines, Unknown):
        if needed:
            yield Finding("quota", "skipped", "what runs in the region is not known", facts.machines.why)
        return
    used = quotas.used(facts.machines)
    instead: dict[quotas.Quota, int] = defaultdict(int)
    for quota, (count, on_demand) in _may_fall_back(missing).items():
        limit = facts.limits.get(quota.code)
        over = (
            0
            if limit is None or isinstance(limit, Unknown)
            else used.get(quota.code, 0) + needed[quota] - limit
        )
        if 0 < over <= count:
            instead[on_demand] += math.ceil(over)
            what = _quota(quota, needed.pop(quota), used.get(quota.code, 0), limit).what
            yield Finding("quota-falls-back", "warning", f"{what}; the rest will be on demand", mend=_RAISE)
    for quota in (*needed, *(one for one in instead if one not in needed)):
        count = needed.get(quota, 0) + instead[quota]
        yield _quota(quota, count, used.get(quota.code, 0), facts.limits.get(quota.code))


def _may_fall_back(missing: Missing) -> dict[quotas.Quota, tuple[int, quotas.Quota]]:
    """Give the vCPUs that may be on demand, by the quota of spot machines, with the quota that they then need."""
    found: dict[quotas.Quota, tuple[int, quotas.Quota]] = {}
    for launch, count in missing:
        for quota, vcpus in vcpus_needed(((launch, count),)).items() if launch.falls_back else ():
            (on_demand,) = vcpus_needed(((replace(launch, spot=False), count),))
            found[quota] = (vcpus + found.get(quota, (0, on_demand))[0], on_demand)
    return found


def _network(plan: model.Workspace, facts: Facts) -> Iterator[Finding]:
    """A network is made once: when it is there, what it needs is there too."""
    if facts.subnets and not isinstance(facts.subnets, Unknown):
        return
    if not isinstance(facts.counts, discover.Counts):
        why = facts.counts.why if isinstance(facts.counts, Unknown) else ""
        yield Finding("quota", "skipped", "networks and addresses in use are not known", why)
        return
    yield _quota(quotas.VPCS, 1, facts.counts.vpcs, facts.limits.get(quotas.VPCS.code))
    if addresses := demand.held_addresses(plan):
        limit = facts.limits.get(quotas.ADDRESSES.code)
        yield _quota(quotas.ADDRESSES, len(addresses), facts.counts.addresses, limit)
    for zone in dict.fromkeys(demand.nat_zones(plan)):
        limit = facts.limits.get(quotas.NAT_GATEWAYS.code)
        yield _quota(quotas.NAT_GATEWAYS, 1, facts.counts.nat_gateways.count(zone), limit)


def _quota(quota: quotas.Quota, needed: int, used: int, limit: Any) -> Finding:
    what = f"{quota.title}: needs {needed} {quota.unit}"
    if limit is None or isinstance(limit, Unknown):
        why = limit.why if limit else "its value was not asked for"
        return Finding("quota", "skipped", f"{what}, {used} in use ({quota.code})", why, quota.link)
    what = f"{what}, {used} of {math.floor(limit)} in use ({quota.code})"
    if used + needed > limit:
        return Finding("quota-exceeded", "error", what, mend=_RAISE)
    return Finding("quota", "ok", what)


def _offered(missing: Missing, facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.offered, Unknown):
        yield Finding("offer", "skipped", "which zones have which types is not known", facts.offered.why)
        return
    for launch, _ in missing:
        there = [name for name in launch.types if (name, launch.zone) in facts.offered]
        absent = [name for name in launch.types if name not in there]
        if not absent:
            yield Finding("offer", "ok", f"{', '.join(there)} {_is(there)} offered in {launch.zone}")
            continue
        what = f"{launch.key}: {', '.join(absent)} {_is(absent)} not offered in {launch.zone}"
        zones = sorted(zone for name, zone in facts.offered if name in absent)
        where = f"offered in {', '.join(dict.fromkeys(zones))}" if zones else "not offered in this region"
        code = "type-not-offered"
        yield Finding(
            code, "warning" if there else "error", what, where, f"{launch.key}.instance_type, or zone"
        )


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _addresses(plan: model.Workspace, missing: Missing, facts: Facts) -> Iterator[Finding]:
    """Every machine takes one address of its subnet."""
    if isinstance(facts.subnets, Unknown):
        yield Finding("addresses", "skipped", "the addresses that are left are not known", facts.subnets.why)
        return
    there = {name: subnet for subnet in facts.subnets for name in (subnet.id, subnet.name) if name}
    wanted: dict[str, int] = defaultdict(int)
    for launch, count in missing:
        wanted[launch.subnet] += count
    for key, count in wanted.items():
        found, block = there.get(demand.identity_of(plan, key)), demand.block_of(plan, key)
        if found is None and not block:
            continue  # of an existing network, and reported as missing
        free = found.free if found else _room(block) - demand.in_network(plan, key)
        what = f"subnet {key}: needs {count} address{'' if count == 1 else 'es'}, {free} are free"
        mend = ", ".join(launch.mend for launch, _ in missing if launch.subnet == key)
        if count > free:
            yield Finding("subnet-full", "error", what, mend=f"{mend}, or another zone")
        else:
            yield Finding("addresses", "ok", what)


def _room(block: str) -> int:
    return ipaddress.IPv4Network(block).num_addresses - _KEPT


def _user_data(plan: model.Workspace) -> Iterator[Finding]:
    for launch in demand.launches(plan):
        size = len(launch.user_data.encode())
        if size > MAX_USER_DATA:
            what = f"{launch.key}: user data of {size} bytes, AWS takes {MAX_USER_DATA}"
            yield Finding("user-data-too-large", "error", what, mend=launch.key)


def _images(plan: model.Workspace, facts: Facts) -> Iterator[Finding]:
    wanted = {image.key: image.architecture for image in plan.images}
    for launch in demand.launches(plan):
        image = facts.images.get(launch.image)
        if not isinstance(image, discover.Image):
            why = image.why if isinstance(image, Unknown) else "AWS has no such image that you may use"
            level: Level = "skipped" if isinstance(image, Unknown) else "error"
            code = "image" if isinstance(image, Unknown) else "image-missing"
            yield Finding(code, level, f"{launch.key}: the image {launch.image} is not known", why)
            continue
        kind = catalog.instance_type(launch.types[0])
        if image.architecture != wanted.get(launch.image, kind.architecture if kind else image.architecture):
            what = f"{launch.key}: {image.id} is for {image.architecture}, {launch.types[0]} is not"
            yield Finding("image-architecture", "error", what, mend=f"{launch.key}.instance_type")
        elif image.gib > launch.disk:
            what = f"{launch.key}: the image {image.id} needs {image.gib} GiB, the disk has {launch.disk}"
            yield Finding("image-larger-than-disk", "error", what, mend=f"{launch.key}.disk.size")
        else:
            yield Finding("image", "ok", f"{launch.key}: {image.id}, {image.architecture}, {image.gib} GiB")


def _agents(plan: model.Workspace, facts: Facts) -> Iterator[Finding]:
    """Find machines that would end as soon as they have booted: a group starts others for them, again and again."""
    if facts.local:  # its images have the agent
        return
    ending = (
        one.cluster for one in demand.launches(plan) if not is_own(one.image) and powers_off(one.user_data)
    )
    for name in dict.fromkeys(ending):
        what = f"clusters.{name}: images of AWS's do not have the agent, so its machines would power off"
        yield Finding("no-agent", "error", what, mend="agent, which coiled-pulumi setup aws names, or ami_id")


def _rights(plan: model.Workspace, facts: Facts) -> Iterator[Finding]:
    if demand.launches(plan) and "ec2:RunInstances" not in facts.dry_runs:
        what = "ec2:RunInstances can only be tried in the workspace's own network, once that is up"
        yield Finding("rights", "skipped", what)
    for action, allowed in facts.dry_runs.items():
        if isinstance(allowed, Unknown):
            yield Finding("rights", "skipped", f"{action} could not be tried", allowed.why)
        elif allowed:
            yield Finding("rights", "ok", f"{action} is allowed")
        else:
            what = f"{action} is not allowed to {facts.who.arn}"
            yield Finding("not-allowed", "error", what, mend="coiled-pulumi setup aws --update-policies")
    if rights.is_root(facts.who.arn):
        yield Finding("rights", "ok", "root may do everything; a role of its own would be better")
    elif isinstance(facts.simulated, Unknown):
        yield Finding(
            "rights", "skipped", "rights outside of EC2 could not be asked for", facts.simulated.why
        )
    elif facts.simulated is not None:
        refused = [action for action, allowed in facts.simulated.items() if not allowed]
        for action in refused:
            what = f"{action} may not be allowed to {facts.who.arn}"
            cause = "IAM was asked about any resource; a policy for this workspace's own may still allow it"
            yield Finding("not-allowed", "warning", what, cause, "coiled-pulumi setup aws --update-policies")
        if not refused:
            yield Finding("rights", "ok", f"{len(facts.simulated)} actions outside of EC2 are allowed")


def _all_named(facts: Facts) -> Iterator[Finding]:
    for (kind, name), found in facts.named.items():
        yield _named(kind, name, found)


def _named(kind: str, name: str, found: Any) -> Finding:
    code, mend = kind.lower().replace(" ", "-"), _NAMED_BY.get(kind, "")
    if isinstance(found, Unknown):
        return Finding(code, "skipped", f"{kind} {name} could not be looked for", found.why)
    if found is None:
        return Finding(f"{code}-missing", "error", f"there is no {kind} {name} in this region", mend=mend)
    if found.get("State", "available") not in ("available", "active"):
        return Finding(f"{code}-missing", "error", f"{kind} {name} is {found['State']}", mend=mend)
    return Finding(code, "ok", f"{kind} {name} is there")
