"""Clusters that ended themselves: their machines are gone, and what costs nothing is left of them."""

from __future__ import annotations

from coiled_pulumi.aws import session
from coiled_pulumi.aws.discover import tags_of

_CLUSTER = "coiled-pulumi:cluster"
#: A scheduler in one of these may still come, or come back.
_ALIVE = ("pending", "running", "stopping", "stopped")


def ended(stack: str, region: str) -> list[str]:
    """Give the clusters of a stack that have groups of workers and no scheduler: a node ends its cluster like that.

    Args:
        stack: a workspace's, or that of one cluster beside it.
        region: where it is.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    of_stack = {"Name": "tag:coiled-pulumi:stack", "Values": [stack]}
    groups, machines = session.client("autoscaling", region), session.client("ec2", region)
    with session.told():
        pages = groups.get_paginator("describe_auto_scaling_groups").paginate(Filters=[of_stack])
        there = {tags_of(group).get(_CLUSTER, "") for page in pages for group in page["AutoScalingGroups"]}
        if not there:
            return []
        schedulers = machines.get_paginator("describe_instances").paginate(
            Filters=[
                of_stack,
                {"Name": "tag:coiled-pulumi:role", "Values": ["scheduler"]},
                {"Name": "instance-state-name", "Values": list(_ALIVE)},
            ]
        )
        alive = {
            tags_of(one).get(_CLUSTER)
            for page in schedulers
            for reservation in page["Reservations"]
            for one in reservation["Instances"]
        }
    return sorted(there - alive - {""})
