"""Logs of machines, as they are written: in order, late ones too, and each line once."""

import json
import time

from coiled_pulumi.aws import node_logs

REGION = "us-east-1"
NOW = int(time.time() * 1000)


def read(follower):
    return [line.text for line in follower.read()]


def test_lines_of_all_streams_come_in_order_of_time_and_once(aws):
    group = aws.name()
    aws.write(group, "mine/worker/i-1", (NOW, "a"), (NOW + 20, "c"))
    aws.write(group, "mine/scheduler/i-0", (NOW + 10, "b"))
    aws.write(group, "other/worker/i-9", (NOW, "no"))
    aws.write(group, "mine/phases", (NOW, "{}"))
    follower = node_logs.logs(group, "mine", REGION)
    lines = [line for line in follower.read() if node_logs.is_log(line)]

    assert [(line.text, line.instance) for line in lines] == [("a", "i-1"), ("b", "i-0"), ("c", "i-1")]
    assert read(follower) == []
    # Of a time before what was read, and of the same time as the newest.
    aws.write(group, "mine/worker/i-2", (NOW + 5, "late"), (NOW + 20, "same"))
    assert read(follower) == ["late", "same"]
    assert read(follower) == []


def test_only_one_role_is_followed_if_asked(aws):
    group = aws.name()
    aws.write(group, "mine/worker/i-1", (NOW, "w"))
    aws.write(group, "mine/scheduler/i-0", (NOW, "s"))
    assert read(node_logs.logs(group, "mine", REGION, role="worker")) == ["w"]


def test_streams_are_followed_by_name(aws):
    group = aws.name()
    follower = node_logs.Follower(group, REGION, streams=["mine/worker/i-1"])
    assert read(follower) == []  # no group
    aws.write(group, "mine/worker/i-2", (NOW, "x"))
    assert read(follower) == []  # no stream
    aws.write(group, "mine/worker/i-1", (NOW, "y"))
    assert read(follower) == ["y"]


def test_what_is_old_is_not_looked_at(aws):
    group = aws.name()
    aws.write(group, "mine/worker/i-1", (NOW - 60_000, "old"), (NOW, "new"))
    assert read(node_logs.logs(group, "mine", REGION, since=NOW - 30_000)) == ["new"]


def test_what_is_remembered_stays_small(aws):
    group = aws.name()
    follower = node_logs.logs(group, "mine", REGION)
    for minute in range(3):
        aws.write(
            group, "mine/worker/i-1", *((NOW + 60_000 * minute + n, f"{minute}.{n}") for n in range(50))
        )
        assert len(follower.read()) == 50
        assert len(follower._known) == 50


def test_many_pages_are_read(aws):
    group = aws.name()
    aws.write(group, "mine/worker/i-1", *((NOW + n, str(n)) for n in range(10_000)))
    aws.write(group, "mine/worker/i-1", *((NOW + 10_000 + n, str(10_000 + n)) for n in range(10_000)))
    assert read(node_logs.logs(group, "mine", REGION)) == [str(n) for n in range(20_000)]


def test_phases_are_read_as_they_come(aws):
    group = aws.name()
    follower = node_logs.phases(group, "mine", REGION)
    assert follower.read() == []
    for at, phase in enumerate(("booted", "joined")):
        told = {"phase": phase, "instance": "i-1", "role": "worker", "group": "workers", "at": float(at)}
        aws.write(group, "mine/phases", (NOW + at, json.dumps(told)))
        (line,) = follower.read()
        assert node_logs.mark(line.text).phase == phase


def test_the_last_words_of_a_machine(aws):
    group = aws.name()
    assert node_logs.tail(group, "mine", "scheduler", "i-0", REGION) == []
    aws.write(group, "mine/scheduler/i-0", *((NOW + n, str(n)) for n in range(30)))
    assert node_logs.tail(group, "mine", "scheduler", "i-0", REGION, lines=3) == ["27", "28", "29"]
