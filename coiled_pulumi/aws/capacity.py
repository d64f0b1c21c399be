"""Whether the workers that were asked for have started, and if not why not.

No I/O and no clock: what was seen of a group goes in, `Workers` changes, and what is to be told or done comes out.
`aws.workers` has the loop around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from coiled_pulumi.aws.faults import Fault

Phase = Literal["waiting", "there", "failed", "late"]

#: How long a failure has to stand, with no instance on its way, before it is the answer. Seconds.
SETTLED: Final = 3.0
#: The same for a failure from before the run: AWS tries again by itself, more and more rarely. Seconds.
QUIET: Final = 30.0


@dataclass(frozen=True, slots=True)
class Activity:
    """One launch of an auto scaling group; `fault` is set if and only if it failed."""

    id: str
    started: datetime
    state: Literal["running", "done", "failed"]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An auto scaling group at one moment.

    Attributes:
        desired: how many instances it is to have.
        in_service: how many run and are healthy.
        on_its_way: how many are being started.
        falls_back: whether it may take on-demand instances where there are no spot instances.
        on_demand_base: how many of its instances, the first ones, are on-demand already.
        launches: the newest ones, in any order.
    """

    desired: int
    in_service: int
    on_its_way: int
    falls_back: bool = False
    on_demand_base: int = 0
    launches: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """To tell: the workers of a cluster that are there, or that it will not be all."""

    cluster: str
    in_service: int
    wanted: int
    phase: Phase


@dataclass(frozen=True, slots=True)
class TakeOnDemand:
    """To do: have a group start its first `base` instances on-demand.

    Attributes:
        cluster: whose workers they are.
        group: name of the auto scaling group.
        base: its new on-demand base; the spot instances that run are not counted in, so they stay.
        count: how many more workers this starts on-demand.
        fault: why there are no spot instances for them.
    """

    cluster: str
    group: str
    base: int
    count: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Reason:
    """Why workers are missing, and how many launches ended so."""

    times: int
    fault: Fault


@dataclass(slots=True)
class Workers:
    """The workers of one cluster, as far as they were seen; times are seconds since the wait began."""

    cluster: str
    group: str
    wanted: int
    #: Launches that began earlier say why workers are missing only if nothing happens any more.
    since: datetime
    in_service: int = 0
    phase: Phase = "waiting"
    launches: dict[str, Activity] = field(default_factory=dict)
    #: Set if and only if the newest launch failed and nothing is on its way.
    failing_since: float | None = None
    #: Failed launches that on-demand instances were asked for instead of; set at most once.
    answered: frozenset[str] | None = None

    @property
    def missing(self) -> int:
        """How many are not there, 0 or more."""
        return max(self.wanted - self.in_service, 0)

    def reasons(self) -> tuple[Reason, ...]:
        """Give why workers are missing, most frequent first; of equals the newest one's text."""
        failed = self._failed(new=True) or self._failed(new=False)[-1:]
        newest = {_alike(one.fault): one.fault for one in failed if one.fault}
        counts = Counter(_alike(one.fault) for one in failed if one.fault)
        return tuple(Reason(times, newest[key]) for key, times in counts.most_common())

    def check(self) -> None:
        """Assert what always holds."""
        assert (self.phase == "there") <= (not self.missing), self  # noqa: S101 for tests
        assert (self.phase == "failed") <= (self.failing_since is not None), self  # noqa: S101 for tests

    def _failed(self, *, new: bool) -> list[Activity]:
        failed = (one for one in self.launches.values() if one.state == "failed")
        return sorted((one for one in failed if not new or one.started >= self.since), key=_age)


def reduce(workers: Workers, seen: Seen | None, at: float) -> list[Counted | TakeOnDemand]:
    """Take in what was seen of the group; give what is to be told and done.

    Args:
        workers: the picture so far; it is changed.
        seen: the group now, or None for a group that is not there (yet).
        at: when, in seconds since the wait began.
    """
    before = (workers.in_service, workers.wanted, workers.phase)
    orders: list[Counted | TakeOnDemand] = []
    if seen is None:
        workers.in_service = 0
        _fail_after(workers, QUIET, at)
    else:
        workers.wanted, workers.in_service = seen.desired, min(seen.in_service, seen.desired)
        workers.launches |= {one.id: one for one in seen.launches}
        orders += _judge(workers, seen, at)
    if (workers.in_service, workers.wanted, workers.phase) != before:
        orders.append(Counted(workers.cluster, workers.in_service, workers.wanted, workers.phase))
    return orders


def give_up(workers: Workers) -> None:
    """Note that the time is over."""
    if workers.phase == "waiting":
        workers.phase = "late"


def told(clusters: Mapping[str, Workers]) -> str:
    """Say per cluster how many workers there are and why not more; empty where all are there."""
    return "\n".join(
        f"{name}: {_sentence(clusters[name])}" for name in sorted(clusters) if clusters[name].missing
    )


def hint(clusters: Mapping[str, Workers]) -> str:
    """Give the next step for the most frequent reason; empty where there is none."""
    reasons = [reason for one in clusters.values() if one.missing for reason in one.reasons()]
    return max(reasons, key=lambda reason: reason.times).fault.hint if reasons else ""


def _judge(workers: Workers, seen: Seen, at: float) -> list[TakeOnDemand]:
    newest = max((one.started for one in workers.launches.values()), default=None)
    last = [one for one in workers.launches.values() if one.started == newest]
    on_its_way = seen.on_its_way or any(one.state == "running" for one in workers.launches.values())
    if not workers.missing:
        workers.phase, workers.failing_since = "there", None
        return []
    workers.phase = "waiting"
    if on_its_way or not any(one.state == "failed" for one in last):
        workers.failing_since = None
        return []
    lacking = next((one.fault for one in last if one.fault and _lacks_spot(one.fault)), None)
    if seen.falls_back and lacking and workers.answered is None and seen.on_demand_base < seen.desired:
        workers.answered = frozenset(one.id for one in workers._failed(new=False))
        workers.failing_since = None
        base = min(seen.on_demand_base + workers.missing, seen.desired)
        return [TakeOnDemand(workers.cluster, workers.group, base, workers.missing, lacking)]
    answered = workers.answered or frozenset()
    fresh = any(one.started >= workers.since and one.id not in answered for one in last)
    _fail_after(workers, SETTLED if fresh else QUIET, at)
    return []


def _fail_after(workers: Workers, seconds: float, at: float) -> None:
    workers.phase = "waiting"
    if workers.failing_since is None:
        workers.failing_since = at
    if at - workers.failing_since >= seconds:
        workers.phase = "failed"


def _lacks_spot(fault: Fault) -> bool:
    """Tell whether on-demand instances may be had where these were not."""
    of_spot = "spot" in f"{fault.code} {fault.what}".lower()
    return fault.kind == "capacity" or of_spot


def _sentence(workers: Workers) -> str:
    reasons = workers.reasons()
    one = len(reasons) == 1
    why = "; ".join(
        reason.fault.what + ("" if one or reason.times == 1 else f" ({reason.times} times)")
        for reason in reasons
    )
    count = f"{workers.in_service} of {workers.wanted} workers started"
    if why:
        return f"{count}; {workers.missing} failed: {why}"
    return f"{count}; AWS has given no reason for the other {workers.missing}"


def _alike(fault: Fault | None) -> str:
    return (fault.code or fault.what) if fault else ""


def _age(activity: Activity) -> datetime:
    return activity.started
