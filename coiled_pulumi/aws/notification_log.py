"""Notifications in the workspace's log group, where everybody who may read its logs finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from coiled_pulumi.aws import session
from coiled_pulumi.aws.notifications import Notification, from_data, to_data

#: Streams of the log group that hold notifications begin so; instances' own are named after clusters.
STREAMS: Final = "notifications/"
#: What AWS takes in one call: the events and bytes (each event counts 26 more), and the hours between first and last.
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_EVENTS, _BYTES, _SPAN = 1000, 1_000_000, timedelta(hours=23)


def push(workspace: str, region: str, stream: str, notifications: list[Notification]) -> bool:
    """Write notifications to a stream of the workspace's log group, which is made if it is not there.

    Gives False, and writes nothing, where there is no log group of that name that carries the workspace's tag: before
    the first `up`, after a `destroy`, or where somebody else has one of that name.

    Raises:
        CoiledPulumiError: AWS could not be asked, or refused.
    """
    client = session.client("logs", region)
    missing = client.exceptions.ResourceNotFoundException
    for batch in batches(notifications):
        place = {"logGroupName": workspace, "logStreamName": STREAMS + stream}
        with session.told():
            try:
                client.put_log_events(**place, logEvents=batch)
            except missing:
                if not _make(client, workspace, place):
                    return False
                client.put_log_events(**place, logEvents=batch)
    return True


def pull(workspace: str, region: str, *, since: datetime | None = None) -> list[Notification]:
    """Read the notifications of everybody from the workspace's log group; none where there is no such group.

    Raises:
        CoiledPulumiError: AWS could not be asked, or refused.
    """
    client = session.client("logs", region)
    asked: dict[str, Any] = {"logGroupName": workspace, "logStreamNamePrefix": STREAMS}
    if since is not None:
        asked["startTime"] = max(int(since.timestamp() * 1000), 0)
    with session.told():
        try:
            pages = client.get_paginator("filter_log_events").paginate(**asked)
            events = [event for page in pages for event in page["events"]]
        except client.exceptions.ResourceNotFoundException:
            return []
    # The local AWS gives the events of all streams.
    ours = (event for event in events if event["logStreamName"].startswith(STREAMS))
    found = (_read(event["message"]) for event in ours)
    return [one for one in found if one is not None]


def batches(notifications: list[Notification]) -> Iterator[list[dict[str, Any]]]:
    """Cut notifications into what one call takes, oldest first."""
    batch: list[dict[str, Any]] = []
    size, first = 0, None
    for one in sorted(notifications, key=lambda one: one.time):
        message = json.dumps(to_data(one))
        first = first or one.time
        if batch and (len(batch) == _EVENTS or size + len(message) + 26 > _BYTES or one.time - first > _SPAN):
            yield batch
            batch, size, first = [], 0, one.time
        batch.append({"timestamp": int(one.time.timestamp() * 1000), "message": message})
        size += len(message) + 26
    if batch:
        yield batch


def _make(client: Any, workspace: str, place: dict[str, str]) -> bool:
    """Make the stream if the group is ours."""
    answer = client.describe_log_groups(logGroupNamePrefix=workspace)
    arns = [group["arn"] for group in answer["logGroups"] if group["logGroupName"] == workspace]
    if not arns:
        return False
    tags = client.list_tags_for_resource(resourceArn=arns[0].removesuffix(":*"))["tags"]
    if tags.get("coiled-pulumi:workspace") != workspace:
        return False
    try:
        client.create_log_stream(**place)
    except client.exceptions.ResourceAlreadyExistsException:
        pass  # another process of ours was faster
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _read(message: str) -> Notification | None:
    try:
        return from_data(json.loads(message))
    except ValueError:
        return None
