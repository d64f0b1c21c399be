from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

REGION = "us-east-1"
DAY = 24 * 3600 * 1000


def event(message: str, *, ago: int = 0, now: float | None = None) -> dict[str, Any]:
    return {"timestamp": int((now or time.time()) * 1000) - ago, "message": message}


@pytest.fixture
def logs(aws: Any) -> tuple[Any, str]:
    """A client and a group with two streams of a cluster and one of notifications."""
    client, group = aws.client("logs", REGION), aws.name()
    client.create_log_group(logGroupName=group)
    now = time.time()
    for stream, ago in (("c/worker/a", 2000), ("c/worker/b", 3000), ("notifications/c", 1000)):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        place = {"logGroupName": group, "logStreamName": stream}
        client.put_log_events(**place, logEvents=[event(f"{stream} 1", ago=ago, now=now)])
        later = [event(f"{stream} 2", ago=ago - 900, now=now)]
        client.put_log_events(**place, logEvents=later, sequenceToken="any")
    return client, group


def messages(client: Any, group: str, **options: Any) -> list[str]:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, **options)
    return [one["message"] for page in pages for one in page["events"]]


def test_events_are_found_in_the_streams_that_are_asked_for(logs: tuple[Any, str]) -> None:
    client, group = logs
    assert messages(client, group, logStreamNamePrefix="notifications/") == [
        "notifications/c 1",
        "notifications/c 2",
    ]
    in_order = ["c/worker/b 1", "c/worker/b 2", "c/worker/a 1", "c/worker/a 2"]
    assert messages(client, group, logStreamNamePrefix="c/") == in_order
    assert messages(client, group, logStreamNames=["c/worker/b"]) == in_order[:2]
    assert messages(client, group, logStreamNamePrefix="d/") == []
    assert len(messages(client, group)) == 6


def test_pages_stay_in_these_streams(logs: tuple[Any, str]) -> None:
    client, group = logs
    seen, token = [], {}
    while True:
        page = client.filter_log_events(logGroupName=group, logStreamNamePrefix="c/", limit=1, **token)
        seen += [one["message"] for one in page["events"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert seen == ["c/worker/b 1", "c/worker/b 2", "c/worker/a 1", "c/worker/a 2"]
    events = client.filter_log_events(logGroupName=group, logStreamNamePrefix="c/worker/a")["events"]
    since = events[1]["timestamp"]
    assert messages(client, group, logStreamNamePrefix="c/worker/a", startTime=since) == ["c/worker/a 2"]


def test_forward_token_stays_at_the_end_until_there_is_more(logs: tuple[Any, str]) -> None:
    client, group = logs
    place = {"logGroupName": group, "logStreamName": "c/worker/a", "startFromHead": True}
    first = client.get_log_events(**place, limit=1)
    second = client.get_log_events(**place, nextToken=first["nextForwardToken"])
    assert [one["message"] for one in first["events"] + second["events"]] == ["c/worker/a 1", "c/worker/a 2"]
    end = client.get_log_events(**place, nextToken=second["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], second["nextForwardToken"])
    client.put_log_events(logGroupName=group, logStreamName="c/worker/a", logEvents=[event("c/worker/a 3")])
    more = client.get_log_events(**place, nextToken=end["nextForwardToken"])
    assert [one["message"] for one in more["events"]] == ["c/worker/a 3"]


def test_empty_stream_has_a_token_that_finds_its_first_event(logs: tuple[Any, str]) -> None:
    client, group = logs
    place = {"logGroupName": group, "logStreamName": "new"}
    client.create_log_stream(**place)
    empty = client.get_log_events(**place, startFromHead=True)
    client.put_log_events(**place, logEvents=[event("x")])
    found = client.get_log_events(**place, startFromHead=True, nextToken=empty["nextForwardToken"])
    assert [one["message"] for one in found["events"]] == ["x"]


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([event("b"), event("a", ago=1000)], "InvalidParameterException"),
        ([event("x" * 1000)] * 1023, "InvalidParameterException"),
        ([event("x")] * 10_001, "InvalidParameterException"),
        ([event("a", ago=DAY + 60_000), event("b")], "InvalidParameterException"),
    ],
)
def test_batches_beyond_the_limits_are_refused(
    logs: tuple[Any, str], refused: Callable[..., str], events: list[dict[str, Any]], code: str
) -> None:
    client, group = logs
    put = {"logGroupName": group, "logStreamName": "c/worker/a", "logEvents": events}
    assert refused(client.put_log_events, **put) == code
    assert len(messages(client, group, logStreamNames=["c/worker/a"])) == 2


def test_streams_that_are_there_or_not(logs: tuple[Any, str], refused: Callable[..., str]) -> None:
    client, group = logs
    taken = {"logGroupName": group, "logStreamName": "c/worker/a"}
    assert refused(client.create_log_stream, **taken) == "ResourceAlreadyExistsException"
    missing = {"logGroupName": group, "logStreamName": "x"}
    for call, more in ((client.get_log_events, {}), (client.put_log_events, {"logEvents": [event("x")]})):
        assert refused(call, **missing, **more) == "ResourceNotFoundException"
    both = {"logStreamNames": ["c/worker/a"], "logStreamNamePrefix": "c/"}
    assert refused(client.filter_log_events, logGroupName=group, **both) == "InvalidParameterException"
    unknown = {"logGroupName": group, "logStreamNames": ["x"]}
    assert refused(client.filter_log_events, **unknown) == "ResourceNotFoundException"
