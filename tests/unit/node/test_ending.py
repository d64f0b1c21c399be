"""The end of a cluster, and what everybody is told of it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import botocore.exceptions
import pytest

from coiled_pulumi.aws import notifications
from coiled_pulumi.node import ending
from coiled_pulumi.node.phases import Phases
from coiled_pulumi.node.redact import Redactor


def test_a_notification_is_the_one_that_everybody_else_would_make():
    at = datetime(2026, 11, 23, 12, 3, 4, 123456, tzinfo=UTC)
    what = "cluster main ended itself: idle for 20 min"
    made = ending.notification("dev", "main", "i-1", "info", what, at)

    wanted = notifications.make(at, "dev", "main", "instance", "info", what, resource="i-1")
    assert notifications.from_data(json.loads(made)) == wanted
    assert json.loads(made) == notifications.to_data(wanted)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("idle", "idle for 20 min"),
        ("no_client", "no client for 90 s"),
        ("lifetime", "it had run for 2 d"),
        ("lost_scheduler", "no scheduler for 5 min"),
        ("scheduler {stopped}", "scheduler {stopped}"),
    ],
)
def test_reasons_in_words(reason, said):
    timers = {"idle": 1200, "no_client": 90, "lost_scheduler": 300, "lifetime": 172_800}

    assert ending.explained(reason, timers) == said


def test_marks_say_how_long_each_step_took_and_no_secrets():
    written, times = [], iter([100.0, 102.5])
    phases = Phases(
        {"instance": "i-1", "role": "worker", "group": "workers"}, Redactor(["geheim!"]).text, written.extend,
        clock=lambda: next(times),
    )  # fmt: skip
    phases.mark("booted", uptime=7.5)
    phases.mark("environment", "pip failed", "index geheim! x")

    same = {"instance": "i-1", "role": "worker", "group": "workers"}
    assert [json.loads(line) for line in written] == [
        {"phase": "booted", **same, "at": 100.0, "took": None, "reason": None, "detail": None, "uptime": 7.5},
        {"phase": "environment", **same, "at": 102.5, "took": 2.5, "reason": "pip failed",
         "detail": "index [...] x"},
    ]  # fmt: skip


class _Groups:
    """Stands for the network: refuses each group as often as told."""

    def __init__(self, **refusals: list[str]) -> None:
        self.refusals, self.set = refusals, []

    def set_desired_capacity(self, **asked: object) -> None:
        name = asked["AutoScalingGroupName"]
        if self.refusals.get(name):
            message = self.refusals[name].pop(0)
            error = {"Error": {"Code": "ValidationError", "Message": message}}
            raise botocore.exceptions.ClientError(error, "SetDesiredCapacity")
        self.set.append((name, asked["DesiredCapacity"], asked["HonorCooldown"]))


def test_groups_go_to_zero_also_at_the_second_try_and_one_that_is_gone_is_none():
    aws, said = _Groups(b=["busy"], c=["AutoScalingGroup name not found - no such group"]), []

    assert ending.to_zero(lambda: aws, ["a", "b", "c"], said.append) == []
    assert aws.set == [("a", 0, False), ("b", 0, False)]
    assert "b could not be set to zero: ValidationError: busy" in said


def test_groups_that_stay_are_named():
    aws = _Groups(b=["denied"] * 9)

    assert ending.to_zero(lambda: aws, ["a", "b"], [].append, patience=0.0) == ["b"]


def test_the_dead_man_waits_for_the_first_sign_of_life():
    put, called = [], threading.Event()

    class Aws:
        def put_scheduled_update_group_action(self, **asked: object) -> None:
            put.append(asked)
            called.set()

    began = datetime.now(UTC)
    switch = ending.DeadMan(Aws, ["g"], 300, [].append)
    assert not put
    switch.alive()
    assert called.wait(10)
    switch.stop()

    [asked] = put
    assert 300 <= (asked.pop("StartTime") - began).total_seconds() < 310
    assert asked == {
        "AutoScalingGroupName": "g", "ScheduledActionName": "coiled-pulumi-dead-man", "DesiredCapacity": 0,
    }  # fmt: skip
