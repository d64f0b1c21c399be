"""The sums behind scaling: nobody goes who was not named, and nothing grows above its bound."""

import asyncio

import pytest
from distributed.deploy.adaptive_core import AdaptiveCore
from hypothesis import given, settings
from hypothesis import strategies as st

from coiled_pulumi.cluster.adaptive import spared
from coiled_pulumi.cluster.tally import COMING, Cut, Tally, down_to, named

IDS = st.lists(st.integers(0, 40).map("i-{:02}".format), unique=True, max_size=12).map(tuple)


@st.composite
def tallies(draw):
    members = draw(IDS)
    observed = frozenset(draw(st.lists(st.sampled_from(members), unique=True))) if members else frozenset()
    return Tally(draw(st.integers(0, 15)), members, observed)


@given(tallies())
def test_the_plan_is_as_large_as_the_wish(tally):
    assert len(tally.plan) == tally.desired
    there = {name for name in tally.plan if not name.startswith(COMING)}
    assert there <= set(tally.members)
    assert len(tally.observed - there) == max(len(tally.observed) - tally.desired, 0)


@given(tallies(), st.integers(0, 15), IDS)
def test_a_group_gets_exactly_as_small_as_asked(tally, size, closing):
    cut = down_to(tally, size, closing)
    open_ones = max(tally.desired - len(tally.members), 0)
    least = min(max(tally.desired - size, 0), open_ones + len(tally.members))

    assert cut.fewer + len(cut.end) == least
    assert cut.fewer <= open_ones
    assert set(cut.end) <= set(tally.members)
    # Who works goes only when nobody is left who has not come, and before others who was named.
    working = [name for name in cut.end if name in tally.observed]
    if working:
        assert cut.fewer == open_ones
        assert set(tally.booting) <= set(cut.end)
        spare = [name for name in closing if name in tally.working]
        assert set(working) <= set(spare) or set(spare) <= set(working)


@given(
    tallies(),
    st.lists(st.sampled_from([*(f"i-{n:02}" for n in range(41)), *(f"{COMING}{n}" for n in range(9))])),
)
def test_only_who_is_named_goes(tally, workers):
    cut = named(tally, workers)

    assert set(cut.end) <= set(workers) & set(tally.members)
    assert cut.fewer <= len({name for name in workers if name.startswith(COMING)})
    assert cut.fewer <= max(tally.desired - len(tally.members), 0)


def test_a_cut_of_nothing_is_none():
    assert not Cut()
    assert Cut(fewer=1)
    assert down_to(Tally(3, ("a", "b", "c")), 3) == Cut()


def test_the_newest_machine_that_has_not_come_goes_first():
    tally = Tally(4, ("a", "b", "c"), frozenset("a"))
    assert down_to(tally, 3) == Cut(1)
    assert down_to(tally, 2) == Cut(1, ("c",))
    assert down_to(tally, 0) == Cut(1, ("c", "b", "a"))


class Simulated(AdaptiveCore):
    """Distributed's own arithmetic over a group that AWS keeps: machines come late, and some never work."""

    def __init__(self, *, minimum, maximum, cap):
        super().__init__(minimum=minimum, maximum=maximum, wait_count=2)
        self.cap, self.wish, self.closing = cap, 0, []
        self.tally, self.numbers = Tally(minimum), iter(range(10_000))
        self.highest, self.dropped = minimum, []

    plan = property(lambda self: self.tally.plan)
    requested = property(lambda self: self.tally.plan)
    observed = property(lambda self: set(self.tally.observed))

    async def target(self):
        return self.wish

    async def workers_to_close(self, target):
        return spared(self.closing, self.plan, target)

    async def scale_up(self, n):
        assert n <= self.cap
        self.highest = max(self.highest, n)
        self.tally = Tally(n, self.tally.members, self.tally.observed)

    async def scale_down(self, workers):
        cut = named(self.tally, workers)
        working = set(cut.end) & self.tally.observed
        self.dropped.append((working, set(self.closing)))
        members = tuple(name for name in self.tally.members if name not in cut.end)
        desired = self.tally.desired - cut.fewer - len(cut.end)
        self.tally = Tally(desired, members, self.tally.observed - set(cut.end))

    def time_passes(self, launched: int, joined: int):
        """So many machines start, and so many workers come."""
        room = max(self.tally.desired - len(self.tally.members), 0)
        members = (*self.tally.members, *(f"i-{next(self.numbers):05}" for _ in range(min(launched, room))))
        known = [
            *self.tally.observed,
            *[name for name in members if name not in self.tally.observed][:joined],
        ]
        self.tally = Tally(self.tally.desired, members, frozenset(known))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 4),
    st.integers(1, 12),
    st.integers(0, 5),
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 6), st.integers(0, 6), st.integers(0, 8)),
        min_size=1,
        max_size=30,
    ),
)
def test_adaptive_stays_within_its_bounds_and_drops_only_who_the_scheduler_spares(low, high, over, steps):
    low = min(low, high)
    group = Simulated(minimum=low, maximum=high, cap=high + over)

    async def run():
        for wish, launched, joined, spare in steps:
            group.time_passes(launched, joined)
            group.wish, group.closing = wish, sorted(group.observed)[:spare]
            await group.adapt()
            assert len(group.plan) == group.tally.desired

    asyncio.run(run())
    assert group.highest <= high
    assert low <= group.tally.desired
    for working, closing in group.dropped:
        assert working <= closing


@pytest.mark.parametrize(
    ("names", "target", "made"),
    [(["a", "b", "x"], 1, ["a", "b"]), (["a", "b"], 2, ["a"]), (["a"], 5, []), (["x"], 0, [])],
)
def test_who_is_spared_is_of_the_group_and_not_too_many(names, target, made):
    assert spared(names, {"a", "b", "c"}, target) == made
