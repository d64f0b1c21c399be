"""How far the machines of a cluster have come, told in one picture.

No I/O and no clock: looks go in, and a snapshot comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from coiled_pulumi.cluster.failure import merged
from coiled_pulumi.ops import sessions
from coiled_pulumi.ops.watching import Look, Mark, Reason

#: What is shown, in the order in which a machine goes through it.
STAGES: Final = ("Requested", "Starting", "Booted", "Environment", "Configured", "Started", "Ready")
#: What a machine's own phases come to.
_STAGE: Final = {
    "booted": "Booted",
    "environment": "Environment",
    "configured": "Configured",
    "started": "Started",
    "joined": "Ready",
}
_ENDS: Final = ("ended", "retiring")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is shown of a cluster.

    Attributes:
        title: what is done.
        wanted: how many workers there are to be.
        awaited: how many of them are waited for.
        counts: workers by stage, all of `STAGES`.
        scheduler: stage of the scheduler.
        work: what the engine has made, and has begun to make; None where it has nothing to do.
        reasons: why workers are missing, the most frequent first.
        notes: what else happened, the newest last.
        dashboard: link to it; empty as long as there is none.
        seconds: since it began.
    """

    title: str
    wanted: int = 0
    awaited: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    scheduler: str = "Requested"
    work: tuple[int, int] | None = None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    dashboard: str = ""
    seconds: float = 0.0

    @property
    def ready(self) -> int:
        """How many workers work."""
        return self.counts.get("Ready", 0)


@dataclass(slots=True)
class Stages:
    """The picture so far.

    Attributes:
        scheduler_id: machine of the scheduler.
        furthest: how far each machine has come, by id.
        failed: what went wrong on a machine, by id.
        ended: machines that said that they end.
    """

    scheduler_id: str = ""
    furthest: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    details: dict[str, str] = field(default_factory=dict)
    look: Look = field(default_factory=lambda: Look({}))
    notes: list[str] = field(default_factory=list)

    def take(self, look: Look) -> None:
        """Take a look in."""
        self.look = look
        self.notes += look.notes
        for mark in sorted(look.marks, key=lambda one: one.at):
            self._mark(mark)

    def _mark(self, mark: Mark) -> None:
        name = mark.instance
        if mark.phase in _ENDS:
            if mark.phase == "ended":
                self.ended.add(name)
        elif mark.phase in _STAGE and not mark.reason:
            stage = _STAGE[mark.phase]
            if STAGES.index(stage) > STAGES.index(self.furthest.get(name, STAGES[0])):
                self.furthest[name] = stage
            self.failed.pop(name, None)  # it went on after all
        if mark.reason and name not in self.failed and (mark.phase != "retiring"):
            self.failed[name] = mark.reason
            self.details[name] = mark.detail

    @property
    def desired(self) -> int:
        """How many workers there are to be, over all groups."""
        return sum(one.desired for one in self.look.fleets.values())

    def counts(self, ready: Collection[str] = ()) -> dict[str, int]:
        """Count workers by stage; together they are as many as are to be, or are there if those are more.

        Args:
            ready: workers that the scheduler knows.
        """
        counts = Counter(dict.fromkeys(STAGES, 0))
        for fleet in self.look.fleets.values():
            counts["Requested"] += max(fleet.desired - len(fleet.staying), 0)
            counts.update(self.stage(name, ready) for name in fleet.staying)
        return dict(counts)

    def stage(self, instance: str, ready: Collection[str] = ()) -> str:
        """Tell how far a machine that is there has come."""
        if instance in ready:
            return "Ready"
        return self.furthest.get(instance, "Starting")

    def latest(self, ready: Collection[str] = ()) -> tuple[str, str]:
        """Give role and id of the machine without a worker that has come furthest; an empty id where there is none."""
        there = [name for fleet in self.look.fleets.values() for name in fleet.staying if name not in ready]
        return "worker", max(there, key=lambda name: STAGES.index(self.stage(name)), default="")

    def scheduler(self, *, reached: bool = False) -> str:
        """Tell how far the scheduler has come; `Ended` for one whose machine is gone."""
        if self.has_ended:
            return "Ended"
        if reached:
            return "Ready"
        begun = "Starting" if self.look.scheduler else "Requested"
        # What listens on its own machine may still be out of a client's reach.
        stage = self.furthest.get(self.scheduler_id, begun)
        return "Started" if stage == "Ready" else stage

    @property
    def has_ended(self) -> bool:
        """Whether the scheduler comes back no more."""
        state = self.look.scheduler
        return self.scheduler_id in self.ended or (bool(state) and sessions.is_gone(state))

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why workers are missing, the most frequent first: what AWS says, and what machines said themselves."""
        told = Counter(reason for name, reason in self.failed.items() if name != self.scheduler_id)
        return merged(self.look.reasons, (Reason(times, what) for what, times in told.items()))

    def possible(self, ready: Collection[str] = ()) -> int:
        """Tell how many workers there may come to be for now: groups that are stuck get no more machines."""
        found = 0
        for label, fleet in self.look.fleets.items():
            there = sum(name in ready or name not in self.ended for name in fleet.staying)
            found += there if label in self.look.stuck else max(there, fleet.desired)
        return found
