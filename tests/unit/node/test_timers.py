"""The clocks, fed with what was seen: no clock runs here."""

import pytest

from coiled_pulumi.node.dask_run import Limits
from coiled_pulumi.node.timers import End, SchedulerClock, WorkerClock


def _ends(limits: Limits, *seen: tuple[float, bool, int]) -> list[tuple[float, str]]:
    clock = SchedulerClock(limits, 100.0)
    ends = ((now, clock.observe(100.0 + now, busy=busy, clients=clients)) for now, busy, clients in seen)
    return [(now, end.reason) for now, end in ends if end]


@pytest.mark.parametrize(
    ("limits", "seen", "ends"),
    [
        (Limits(), [(1e9, False, 0)], []),
        (Limits(idle=10), [(9, False, 1), (10, False, 1)], [(10, "idle")]),
        (Limits(idle=10), [(9, True, 1), (18, False, 1), (19, False, 1)], [(19, "idle")]),
        (Limits(no_client=10), [(9, True, 0), (10, True, 0)], [(10, "no_client")]),
        (Limits(no_client=10), [(50, False, 2), (59, False, 0), (60, False, 0)], [(60, "no_client")]),
        # A loop that stood still for long has seen nothing: what is the case now counts first.
        (Limits(idle=10, no_client=10), [(500, True, 1)], []),
        (Limits(lifetime=10), [(9, True, 1), (10, True, 1)], [(10, "lifetime")]),
        (Limits(idle=0), [(0, False, 0)], [(0, "idle")]),
        # Only once, and the strongest reason.
        (Limits(1, 1, 1, 1), [(2, False, 0), (3, False, 0)], [(2, "lifetime")]),
        (Limits(1, 1), [(2, False, 0), (3, False, 0)], [(2, "no_client")]),
    ],
)
def test_when_a_scheduler_ends(limits, seen, ends):
    assert _ends(limits, *seen) == ends


def test_a_lost_scheduler():
    clock = WorkerClock(Limits(lost_scheduler=10), 0.0)
    assert clock.unanswered(9.0) is None
    clock.answered(9.5)
    assert clock.unanswered(19.0) is None
    assert clock.unanswered(19.5) == End("lost_scheduler", "no answer for 10 s")
    assert clock.unanswered(99.0) is None


def test_without_a_limit_no_scheduler_is_lost():
    assert WorkerClock(Limits(lost_scheduler=None), 0.0).unanswered(1e9) is None


@pytest.mark.parametrize(
    ("limits", "seconds"), [(Limits(), 1.0), (Limits(idle=1), 0.2), (Limits(lifetime=0), 0.05)]
)
def test_how_often_a_scheduler_is_looked_at(limits, seconds):
    assert SchedulerClock(limits, 0.0).interval == seconds


@pytest.mark.parametrize(
    ("limit", "interval", "patience"), [(300, 10, 30), (20, 4, 5), (2, 0.4, 1), (None, 10, 30)]
)
def test_how_often_a_scheduler_is_asked(limit, interval, patience):
    clock = WorkerClock(Limits(lost_scheduler=limit), 0.0)
    assert (clock.interval, clock.patience) == (interval, patience)
