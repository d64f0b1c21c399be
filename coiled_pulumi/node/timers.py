"""When a cluster has to end: decided on its machines, since a client's machine may be asleep, gone or broken.

The clocks here are fed with what was seen and when; they read no clock themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coiled_pulumi.node.dask_run import Limits

Reason = Literal["idle", "no_client", "lifetime", "lost_scheduler"]


@dataclass(frozen=True, slots=True)
class End:
    """A timer that fired."""

    reason: Reason
    detail: str


class SchedulerClock:
    """Idle, no client and lifetime; fires once.

    Idle and no client count from the start, so that a cluster that nobody ever came to ends too.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._start = self._busy = self._client = now
        self._fired = False

    def observe(self, now: float, *, busy: bool, clients: int) -> End | None:
        """Take what is the case now, and say whether the cluster has to end.

        Args:
            now: seconds of any clock that never goes back.
            busy: whether there is, or was since the last call, something to do.
            clients: how many are connected, those of tasks on workers not counted.
        """
        if busy:
            self._busy = now
        if clients:
            self._client = now
        if self._fired:
            return None
        end = (
            _due("lifetime", now - self._start, self._limits.lifetime, "up")
            or _due("no_client", now - self._client, self._limits.no_client, "without a client")
            or _due("idle", now - self._busy, self._limits.idle, "without anything to do")
        )
        self._fired = end is not None
        return end

    @property
    def interval(self) -> float:
        """Seconds between two observations that are often enough."""
        return _interval(self._limits.lifetime, self._limits.no_client, self._limits.idle, most=1.0)


class WorkerClock:
    """Lost scheduler; fires once. Counts from the first contact: before that, a worker waits without end."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limit = limits.lost_scheduler
        self._contact = now
        self._fired = False

    def answered(self, now: float) -> None:
        """The scheduler answered."""
        self._contact = now

    def unanswered(self, now: float) -> End | None:
        """The scheduler did not answer: say whether it was for too long."""
        end = None if self._fired else _due("lost_scheduler", now - self._contact, self._limit, "no answer")
        self._fired |= end is not None
        return end

    @property
    def interval(self) -> float:
        """Seconds between two questions that are often enough, and few for a scheduler with many workers."""
        return _interval(self._limit, most=10.0)

    @property
    def patience(self) -> float:
        """Seconds to wait for an answer: a scheduler that takes a large graph in may be silent for a while."""
        return min(30.0, max(1.0, (self._limit or 300.0) / 4))


def _due(reason: Reason, seconds: float, limit: float | None, what: str) -> End | None:
    return End(reason, f"{what} for {limit:g} s") if limit is not None and seconds >= limit else None


def _interval(*limits: float | None, most: float) -> float:
    return max(0.05, min([most, *(limit / 5 for limit in limits if limit is not None)]))
