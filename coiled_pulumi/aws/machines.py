"""The machines of clusters as AWS knows them: when they were launched, and which clusters have none any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from coiled_pulumi.aws import session
from coiled_pulumi.aws.discover import tags_of

_TAG: Final = "coiled-pulumi:"
#: A scheduler in one of these may still come, or come back.
_ALIVE: Final = ("pending", "running", "stopping", "stopped")


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance; one that has ended stays known for about an hour. `cluster` and `role` are empty if not ours."""

    id: str
    state: str
    launched: datetime
    cluster: str = ""
    role: str = ""


def of(instances: Iterable[str], region: str) -> dict[str, Machine]:
    """Give instances by id, without those that AWS has forgotten.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    asked = sorted(set(instances))
    # By a filter, which takes 200 values: one id that is gone would fail the whole question.
    parts = [asked[at : at + 200] for at in range(0, len(asked), 200)]
    return {one.id: one for part in parts for one in _described({"instance-id": part}, region)}


def state_of(instance: str, region: str) -> str:
    """Give the state of an instance, as `running`; empty for one that AWS has forgotten.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    found = of([instance], region).get(instance)
    return found.state if found else ""


def of_cluster(workspace: str, cluster: str, region: str) -> dict[str, Machine]:
    """Give the instances of a cluster by id, those that ended lately too.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    tags = {f"tag:{_TAG}workspace": [workspace], f"tag:{_TAG}cluster": [cluster]}
    return {one.id: one for one in _described(tags, region)}


def ended(stack: str, region: str) -> list[str]:
    """Give the clusters of a stack that ended themselves: they have groups of workers, and no scheduler.

    Args:
        stack: a workspace's, or that of one cluster beside it.
        region: where it is.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    return _ended({f"tag:{_TAG}stack": [stack]}, region)


def ended_beside(workspace: str, region: str) -> list[str]:
    """Give the clusters beside a workspace's file that ended themselves.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    # Those of the file are in the workspace's own stack.
    return _ended({f"tag:{_TAG}workspace": [workspace]}, region, but=workspace)


def _ended(tags: Mapping[str, list[str]], region: str, *, but: str = "") -> list[str]:
    client = session.client("autoscaling", region)
    with session.told():
        pages = client.get_paginator("describe_auto_scaling_groups").paginate(Filters=_filters(tags))
        groups = [tags_of(group) for page in pages for group in page["AutoScalingGroups"]]
    there = {one.get(f"{_TAG}cluster", "") for one in groups if not but or one.get(f"{_TAG}stack") != but}
    if not there - {""}:
        return []
    schedulers = {f"tag:{_TAG}role": ["scheduler"], "instance-state-name": list(_ALIVE)}
    alive = {one.cluster for one in _described({**tags, **schedulers}, region)}
    return sorted(there - alive - {""})


def _described(filters: Mapping[str, list[str]], region: str) -> list[Machine]:
    client = session.client("ec2", region)
    with session.told():
        pages = client.get_paginator("describe_instances").paginate(Filters=_filters(filters))
        rows = [one for page in pages for group in page["Reservations"] for one in group["Instances"]]
    return [_machine(one) for one in rows]


def _filters(values: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": value} for name, value in values.items()]


def _machine(row: Mapping[str, Any]) -> Machine:
    tags = tags_of(row)
    return Machine(
        id=row["InstanceId"],
        state=row["State"]["Name"],
        launched=row["LaunchTime"],
        cluster=tags.get(f"{_TAG}cluster", ""),
        role=tags.get(f"{_TAG}role", ""),
    )
