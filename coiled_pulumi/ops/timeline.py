"""How long the machines of a cluster took to come up, phase by phase, from what they and AWS told. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws.node_logs import Mark

#: The phases of a boot, in the order in which a machine goes through them.
PHASES: Final = ("booted", "environment", "configured", "started", "joined")


@dataclass(frozen=True, slots=True)
class Boot:
    """One machine's way up.

    Attributes:
        instance: its id.
        role: `scheduler` or `worker`.
        group: label of its group of workers; empty for the scheduler.
        took: seconds of each phase, without those that it has not come to.
        begins: when it was launched, or first heard of where AWS knows it no more; in seconds since 1970.
        failed: why it did not get further; empty if it did.
    """

    instance: str
    role: str
    group: str
    took: Mapping[str, float]
    begins: float
    failed: str = ""

    @property
    def total(self) -> float:
        """Seconds from its launch to the last phase that it came to."""
        return sum(self.took.values())

    @property
    def is_up(self) -> bool:
        """Whether it has come to the end."""
        return PHASES[-1] in self.took


def boots(marks: Iterable[Mark], launched: Mapping[str, float]) -> list[Boot]:
    """Give the way up of each machine, the slowest last, and those that are not up yet after all others.

    Args:
        marks: what the machines told, in any order.
        launched: when each was launched, in seconds since 1970, as far as AWS knows.
    """
    told: dict[str, list[Mark]] = {instance: [] for instance in launched}
    for mark in sorted(marks, key=lambda one: one.at):
        told.setdefault(mark.instance, []).append(mark)
    made = [_boot(instance, of, launched.get(instance)) for instance, of in told.items() if of]
    return sorted(made, key=lambda one: (not one.is_up, one.total, one.instance))


def _boot(instance: str, marks: list[Mark], launched: float | None) -> Boot:
    first: dict[str, float] = {}
    for mark in marks:
        # A worker that is started again goes through the last two once more: its way up is the first time.
        if mark.phase in PHASES and not mark.reason:
            first.setdefault(mark.phase, mark.at)
    failed = [mark.reason for mark in marks if mark.reason and mark.phase in PHASES]
    begins = marks[0].at if launched is None else min(launched, marks[0].at)
    before, took = begins, {}
    for phase in PHASES:
        if phase in first:
            took[phase] = max(first[phase] - before, 0.0)
            before = max(first[phase], before)
    return Boot(
        instance=instance,
        role=marks[0].role,
        group=marks[0].group if marks[0].role == "worker" else "",
        took=took,
        begins=begins,
        failed=failed[-1] if failed and PHASES[-1] not in first else "",
    )


def summary(found: Iterable[Boot]) -> dict[str, Any]:
    """Give median and maximum of the seconds that workers took, over those that are up; None without any."""
    workers = [one for one in found if one.role == "worker"]
    up = [one.total for one in workers if one.is_up]
    return {
        "workers": len(workers),
        "joined": len(up),
        "median": round(statistics.median(up), 3) if up else None,
        "max": round(max(up), 3) if up else None,
    }
