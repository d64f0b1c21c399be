"""Waits until the auto scaling groups of workers have their instances, or AWS says why not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from coiled_pulumi.aws import capacity, faults, session
from coiled_pulumi.aws.capacity import Activity, Counted, Seen, TakeOnDemand, Workers
from coiled_pulumi.aws.discover import tags_of

#: How long is waited in all, in seconds: AWS's own limit for the launch of one instance is about as long.
DEADLINE: Final = 600.0
#: Seconds between two looks; more where many groups are asked for, so that AWS does not throttle them.
INTERVAL, PER_GROUP = 1.0, 0.2
#: Tag of a group that may take on-demand instances where there are no spot instances.
FALLBACK_TAG: Final = "coiled-pulumi:spot-fallback"
#: Names in one question; AWS takes no more than 100 groups per page.
_PAGE: Final = 100

#: Called at every look with the whole picture and what changed in it, also when nothing did (for a clock).
OnLook = Callable[[Mapping[str, Workers], list[Counted | TakeOnDemand]], None]


def wait(
    groups: Mapping[str, tuple[str, int]],
    *,
    region: str,
    on_look: OnLook,
    ago: float = 0.0,
    deadline: float = DEADLINE,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Workers]:
    """Wait until each group has as many instances in service as it desires, or no more are to come.

    Spot groups with the tag `coiled-pulumi:spot-fallback` are given on-demand instances, once, for those that AWS has
    no spot capacity for.

    Args:
        groups: by cluster, the name of its auto scaling group and how many workers are expected in it.
        region: where they are.
        on_look: told what changed.
        ago: how long ago the run began that made or changed them, in seconds; what failed earlier is not its doing.
        deadline: the longest wait, in seconds.
        clock: seconds from any fixed point.
        pause: waits so many seconds.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    client = session.client("autoscaling", region)
    began = clock()
    found, now = _groups(client, [group for group, _ in groups.values()])
    since = now - timedelta(seconds=ago + 1)
    picture = {
        cluster: Workers(cluster, group, count, since) for cluster, (group, count) in sorted(groups.items())
    }
    while True:
        told = []
        at = clock() - began
        for workers in picture.values():
            told += _look(client, workers, found.get(workers.group), at)
        on_look(picture, told)
        lacking = [workers.group for workers in picture.values() if workers.phase != "there"]
        if not any(workers.phase == "waiting" for workers in picture.values()):
            return picture
        if at >= deadline:
            for workers in picture.values():
                capacity.give_up(workers)
            return picture
        pause(max(INTERVAL, PER_GROUP * len(lacking)))
        found, _ = _groups(client, [workers.group for workers in picture.values()])


def launches(client: Any, group: str, instance_type: str = "") -> tuple[Activity, ...]:
    """Give the newest launches of a group, at most 100."""
    with session.told():
        answer = client.describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=_PAGE)
    return tuple(_activity(one, instance_type) for one in answer["Activities"] if is_launch(one))


def is_launch(activity: Mapping[str, Any]) -> bool:
    """Tell the start of instances from their end and from changes of the group."""
    return str(activity.get("Description", "")).startswith(("Launching", "Placing Spot"))


def _look(client: Any, workers: Workers, group: Mapping[str, Any] | None, at: float) -> list[Any]:
    if group is None:
        return list(capacity.reduce(workers, None, at))
    # Who has everybody has no reasons to give: one question for all groups is enough then.
    seen = _seen(group, ())
    if seen.in_service < seen.desired:
        seen = _seen(group, launches(client, workers.group, type_of(group)))
    told = capacity.reduce(workers, seen, at)
    for order in told:
        if isinstance(order, TakeOnDemand):
            _take_on_demand(client, group, order)
    return list(told)


def _groups(client: Any, names: list[str]) -> tuple[dict[str, dict[str, Any]], datetime]:
    """Give groups by name, those that exist, and AWS's own time."""
    found: dict[str, dict[str, Any]] = {}
    now = datetime.now(UTC)
    for first in range(0, len(names), _PAGE):
        with session.told():
            answer = client.describe_auto_scaling_groups(
                AutoScalingGroupNames=names[first : first + _PAGE], MaxRecords=_PAGE
            )
        found |= {group["AutoScalingGroupName"]: group for group in answer["AutoScalingGroups"]}
        with contextlib.suppress(KeyError, ValueError):
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return found, now


def _seen(group: Mapping[str, Any], launched: tuple[Activity, ...]) -> Seen:
    members = group.get("Instances", [])
    tags = tags_of(group)
    return Seen(
        desired=group["DesiredCapacity"],
        in_service=sum(
            one["LifecycleState"] == "InService" and one["HealthStatus"] == "Healthy" for one in members
        ),
        on_its_way=sum(one["LifecycleState"].startswith("Pending") for one in members),
        falls_back=tags.get(FALLBACK_TAG) == "true" and "MixedInstancesPolicy" in group,
        on_demand_base=_distribution(group).get("OnDemandBaseCapacity") or 0,
        launches=launched,
    )


def _distribution(group: Mapping[str, Any]) -> dict[str, Any]:
    return dict((group.get("MixedInstancesPolicy") or {}).get("InstancesDistribution") or {})


def _activity(told: Mapping[str, Any], instance_type: str) -> Activity:
    status = told["StatusCode"]
    if status in ("Failed", "Cancelled"):
        text = told.get("StatusMessage") or told.get("Description") or status
        return Activity(told["ActivityId"], told["StartTime"], "failed", explained(text, instance_type))
    return Activity(told["ActivityId"], told["StartTime"], "done" if status == "Successful" else "running")


def type_of(group: Mapping[str, Any]) -> str:
    """Give a type that a group launches, which tells whose quota counts; empty where the group does not say."""
    template = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    known = (one.get("InstanceType") for one in (*template.get("Overrides", ()), *group.get("Instances", ())))
    return next(filter(None, known), "")


def explained(text: str, instance_type: str = "") -> faults.Fault:
    """Explain what AWS says of an instance or of a launch; where nothing is known, in AWS's own words."""
    return faults.parse(text, instance_type=instance_type) or faults.Fault(
        "", faults.clean(text).removesuffix(" Launching EC2 instance failed.")
    )


def _take_on_demand(client: Any, group: Mapping[str, Any], order: TakeOnDemand) -> None:
    policy = {**group["MixedInstancesPolicy"]}
    policy["InstancesDistribution"] = _distribution(group) | {"OnDemandBaseCapacity": order.base}
    template = {**policy["LaunchTemplate"]}
    # AWS tells a template by id and by name, and takes only one of the two.
    template["LaunchTemplateSpecification"] = _by_id(template["LaunchTemplateSpecification"])
    template["Overrides"] = [
        {**one, "LaunchTemplateSpecification": _by_id(one["LaunchTemplateSpecification"])}
        if "LaunchTemplateSpecification" in one
        else one
        for one in template.get("Overrides", [])
    ]
    policy["LaunchTemplate"] = template
    with session.told():
        client.update_auto_scaling_group(AutoScalingGroupName=order.group, MixedInstancesPolicy=policy)


def _by_id(named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in named.items()
        if key != "LaunchTemplateName" or "LaunchTemplateId" not in named
    }
