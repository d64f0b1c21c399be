"""Which workers of a group should be, were asked for and are there, and which of them go first. Nothing but sums.

A worker is called after its machine, so that what AWS and the scheduler say of it is about the same one. Workers that
have no machine yet go by names of ours until they have one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

#: Begins the names of workers that have no machine yet; no id of a machine does.
COMING = "coming-"


@dataclass(frozen=True, slots=True)
class Tally:
    """A group of workers at one moment.

    Attributes:
        desired: how many workers it is to have.
        members: its machines, those on their way out left out.
        observed: workers of it that the scheduler knows.
    """

    desired: int = 0
    members: tuple[str, ...] = ()
    observed: frozenset[str] = field(default_factory=frozenset)

    @property
    def plan(self) -> set[str]:
        """The workers that should exist, `desired` of them: those that work first."""
        there = sorted(self.members, key=lambda name: name not in self.observed)
        coming = (f"{COMING}{number}" for number in range(self.desired - len(there)))
        return {*there[: self.desired], *coming}

    @property
    def working(self) -> frozenset[str]:
        """Those that the scheduler knows, and whose machine stays."""
        return self.observed & frozenset(self.members)

    @property
    def booting(self) -> tuple[str, ...]:
        """Machines whose worker has not come yet."""
        return tuple(name for name in self.members if name not in self.observed)


@dataclass(frozen=True, slots=True)
class Cut:
    """What makes a group smaller.

    Attributes:
        fewer: how many workers that have no machine yet are wanted no more.
        end: machines that end; of those that work the scheduler takes leave before.
    """

    fewer: int = 0
    end: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fewer or self.end)


def named(tally: Tally, workers: Collection[str]) -> Cut:
    """Cut workers by name, as they stand in `plan`; those that the group has no more are passed over."""
    wanted = dict.fromkeys(workers)
    coming = sum(name.startswith(COMING) for name in wanted)
    open_ones = max(tally.desired - len(tally.members), 0)
    return Cut(min(coming, open_ones), tuple(name for name in wanted if name in tally.members))


def down_to(tally: Tally, size: int, closing: Sequence[str] = ()) -> Cut:
    """Cut a group down to a size: who has not come yet goes first, then who the scheduler can spare.

    Args:
        tally: the group.
        size: how many workers stay.
        closing: who the scheduler would let go, in that order; others that work go only where these are too few.
    """
    surplus = tally.desired - size
    if surplus <= 0:
        return Cut()
    fewer = min(surplus, max(tally.desired - len(tally.members), 0))
    surplus -= fewer
    # The newest stand last, and have done least for their boot.
    rest = [*reversed(tally.booting), *(name for name in closing if name in tally.working)]
    rest += sorted(tally.working - set(rest))
    return Cut(fewer, tuple(dict.fromkeys(rest))[:surplus])
