from __future__ import annotations

import queue
import threading
import time

import pytest

from coiled_pulumi.local.timers import Timers

LIMIT = 10.0


@pytest.fixture
def seen() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def timers() -> Timers:
    made = Timers()
    # As in the server: it works for as long as the process lives.
    threading.Thread(target=made.run, args=(threading.Lock(), lambda: None), daemon=True).start()
    return made


def test_what_is_due_is_done_in_order(timers: Timers, seen: queue.Queue[str]) -> None:
    now = time.time()
    for name, due in (("late", now + 0.1), ("early", now + 0.05), ("over", now - 5)):
        timers.at(due, name, lambda name=name: seen.put(name))
    assert [seen.get(timeout=LIMIT) for _ in range(3)] == ["over", "early", "late"]


def test_key_has_one_action_and_may_lose_it(timers: Timers, seen: queue.Queue[str]) -> None:
    now = time.time()
    timers.at(now + 0.02, "a", lambda: seen.put("first"))
    timers.at(now + 0.06, "a", lambda: seen.put("second"))
    timers.at(now + 0.02, "b", lambda: seen.put("taken back"))
    timers.forget("b")
    timers.forget("never there")
    timers.at(now + 0.1, "c", lambda: seen.put("last"))
    assert [seen.get(timeout=LIMIT) for _ in range(2)] == ["second", "last"]


def test_action_that_fails_ends_no_other(
    timers: Timers, seen: queue.Queue[str], capsys: pytest.CaptureFixture[str]
) -> None:
    timers.at(0, "a", lambda: seen.put(str(1 // 0)))
    timers.at(0, "b", lambda: seen.put("b"))
    assert seen.get(timeout=LIMIT) == "b"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_action_may_plan_the_next_one(timers: Timers, seen: queue.Queue[str]) -> None:
    timers.at(0, "a", lambda: timers.at(0, "a", lambda: seen.put("again")))
    assert seen.get(timeout=LIMIT) == "again"
