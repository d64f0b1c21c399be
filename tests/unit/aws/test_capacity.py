"""Waiting for workers, as tables of what is seen: no clock, no AWS."""

from datetime import UTC, datetime, timedelta

import pytest

from coiled_pulumi.aws import capacity
from coiled_pulumi.aws.capacity import Activity, Counted, Reason, Seen, TakeOnDemand, Workers
from coiled_pulumi.aws.faults import Fault

BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUOTA = Fault("VcpuLimitExceeded", "the quota of vCPUs is used up", "ask for more", "quota", "L-1216C47A")
NONE_LEFT = Fault("InsufficientInstanceCapacity", "AWS has no such machines", "another zone", "capacity")
SPOT_QUOTA = Fault("MaxSpotInstanceCountExceeded", "the quota for spot instances is used up", "", "quota")
PRICE = Fault("SpotMaxPriceTooLow", "the price is too low", "", "request")
DENIED = Fault("UnauthorizedOperation", "may not", "", "rights")


def workers(wanted: int = 3) -> Workers:
    return Workers("main", "g", wanted, BEGAN)


def launch(number: int, state="done", fault: Fault | None = None, *, at: float = 1.0) -> Activity:
    return Activity(f"a{number}", BEGAN + timedelta(seconds=at), state, fault)


def failed(number: int, fault: Fault = QUOTA, *, at: float = 1.0) -> Activity:
    return launch(number, "failed", fault, at=at)


def seen(in_service: int, *launches: Activity, desired: int = 3, on_its_way: int = 0, **more) -> Seen:
    return Seen(desired, in_service, on_its_way, launches=launches, **more)


def play(state: Workers, *steps: tuple[float, Seen | None]) -> list:
    """Take steps in; give the phase after each, and all orders."""
    phases, orders = [], []
    for at, what in steps:
        orders += capacity.reduce(state, what, at)
        state.check()
        phases.append(state.phase)
    return [phases, orders]


@pytest.mark.parametrize(
    ("steps", "phases"),
    [
        pytest.param([(0, seen(3))], ["there"], id="all-are-there-already"),
        pytest.param([(0, seen(0, desired=0))], ["there"], id="none-are-wanted"),
        pytest.param(
            [(0, seen(0)), (1, seen(1, on_its_way=2)), (2, seen(3))],
            ["waiting", "waiting", "there"],
            id="they-come",
        ),
        pytest.param([(0, seen(4))], ["there"], id="one-too-many-is-enough"),
        pytest.param(
            [(0, seen(2, failed(1))), (2.9, seen(2, failed(1))), (3, seen(2, failed(1)))],
            ["waiting", "waiting", "failed"],
            id="a-failure-stands-for-three-seconds",
        ),
        pytest.param(
            [(0, seen(0, failed(1), on_its_way=1)), (60, seen(0, failed(1), on_its_way=1))],
            ["waiting", "waiting"],
            id="one-failed-but-another-is-on-its-way",
        ),
        pytest.param(
            [(0, seen(0, failed(1), launch(2, "running"))), (60, seen(0, failed(1), launch(2, "running")))],
            ["waiting", "waiting"],
            id="one-failed-but-another-launch-is-not-over",
        ),
        pytest.param(
            [(0, seen(0, failed(1), launch(2, at=2))), (60, seen(0, failed(1), launch(2, at=2)))],
            ["waiting", "waiting"],
            id="a-later-launch-went-well",
        ),
        pytest.param(
            [(0, seen(2, failed(1), launch(2), launch(3))), (3, seen(2, failed(1), launch(2), launch(3)))],
            ["waiting", "failed"],
            id="of-launches-at-the-same-time-one-failed",
        ),
        pytest.param(
            [(0, seen(2, failed(1))), (2, seen(2, failed(1), on_its_way=1)), (4, seen(2, failed(1))), (6, seen(2))],
            ["waiting"] * 4,
            id="what-is-tried-again-begins-anew",
        ),
        pytest.param(
            [(0, seen(2, failed(1))), (3, seen(2, failed(1))), (9, seen(3, failed(1), launch(2, at=8)))],
            ["waiting", "failed", "there"],
            id="a-late-one-heals",
        ),
        pytest.param(
            [(0, seen(3)), (5, seen(2, desired=3)), (9, seen(3))],
            ["there", "waiting", "there"],
            id="one-is-lost-and-replaced",
        ),
        pytest.param(
            [(t, seen(2, failed(1, at=-90))) for t in (0, 29, 30)],
            ["waiting", "waiting", "failed"],
            id="a-failure-of-an-earlier-run-is-the-answer-when-nothing-happens",
        ),
        pytest.param(
            [(t, None) for t in (0, 29, 30)], ["waiting", "waiting", "failed"], id="the-group-is-not-there"
        ),
        pytest.param([(0, None), (29, seen(3))], ["waiting", "there"], id="the-group-is-late"),
        pytest.param([(t, seen(0)) for t in (0, 600)], ["waiting", "waiting"], id="nothing-is-known"),
    ],
)  # fmt: skip
def test_phases(steps, phases):
    assert play(workers(), *steps)[0] == phases


def test_each_change_is_told_once():
    _, orders = play(
        workers(), (0, seen(0)), (1, seen(1, on_its_way=2)), (2, seen(1, on_its_way=2)), (3, seen(3))
    )

    assert orders == [Counted("main", 1, 3, "waiting"), Counted("main", 3, 3, "there")]


def test_who_scales_the_group_meanwhile_changes_what_is_waited_for():
    phases, orders = play(workers(), (0, seen(3, desired=5)), (1, seen(5, desired=5)))

    assert (phases, orders[0]) == (["waiting", "there"], Counted("main", 3, 5, "waiting"))


@pytest.mark.parametrize(
    ("fault", "what", "order"),
    [
        pytest.param(NONE_LEFT, {"falls_back": True}, (3, 3), id="no-capacity"),
        pytest.param(SPOT_QUOTA, {"falls_back": True}, (3, 3), id="quota-of-spot"),
        pytest.param(PRICE, {"falls_back": True}, (3, 3), id="price"),
        pytest.param(NONE_LEFT, {"falls_back": True, "on_demand_base": 1}, (3, 3), id="with-a-base"),
        pytest.param(NONE_LEFT, {"falls_back": True, "on_demand_base": 3}, None, id="on-demand-already"),
        pytest.param(NONE_LEFT, {}, None, id="may-not-fall-back"),
        pytest.param(QUOTA, {"falls_back": True}, None, id="quota-of-on-demand"),
        pytest.param(DENIED, {"falls_back": True}, None, id="rights"),
    ],
)
def test_what_makes_a_spot_group_take_on_demand_instances(fault, what, order):
    _, orders = play(workers(), (0, seen(0, failed(1, fault), **what)))

    assert [(one.base, one.count) for one in orders if isinstance(one, TakeOnDemand)] == (
        [order] if order else []
    )


def test_spot_instances_that_run_are_kept_beside_on_demand_ones():
    _, (told, order) = play(workers(5), (0, seen(2, failed(1, NONE_LEFT), desired=5, falls_back=True)))

    assert told == TakeOnDemand("main", "g", 3, 3, NONE_LEFT)
    assert order == Counted("main", 2, 5, "waiting")


def test_on_demand_is_asked_for_once_and_what_comes_of_it_is_waited_for():
    spot, later = failed(1, NONE_LEFT), failed(2, NONE_LEFT, at=9)
    options = {"falls_back": True, "on_demand_base": 0}
    phases, orders = play(
        workers(),
        (0, seen(0, spot, **options)),
        (20, seen(0, spot, **options)),
        (21, seen(0, spot, later, **options)),
        (24, seen(0, spot, later, **options)),
    )

    assert phases == ["waiting", "waiting", "waiting", "failed"]
    assert len([one for one in orders if isinstance(one, TakeOnDemand)]) == 1


def test_reasons_are_grouped_most_frequent_first_with_the_newest_text():
    other = Fault(QUOTA.code, "8 of 8 vCPUs are used", "ask for more", "quota", QUOTA.quota)
    state = workers(9)
    play(state, (0, seen(1, failed(1, NONE_LEFT), failed(2), failed(3), failed(4, other, at=2), desired=9)))

    assert state.reasons() == (Reason(3, other), Reason(1, NONE_LEFT))


def test_reasons_of_an_earlier_run_count_only_where_there_are_no_newer_ones():
    old = failed(1, NONE_LEFT, at=-90)
    state = workers()
    play(state, (0, seen(0, old)))
    assert state.reasons() == (Reason(1, NONE_LEFT),)

    play(state, (1, seen(0, old, failed(2))))
    assert state.reasons() == (Reason(1, QUOTA),)


def test_what_is_told_at_the_end():
    one, two, three = workers(5), workers(1), workers(4)
    play(one, (0, seen(2, failed(1), failed(2), failed(3, NONE_LEFT), desired=5)))
    play(two, (0, seen(1, desired=1)))
    play(three, (0, seen(0, desired=4)))
    ended = {"main": one, "gpu": two, "late": three}
    for state in ended.values():
        capacity.give_up(state)

    assert capacity.told(ended) == (
        "late: 0 of 4 workers started; AWS has given no reason for the other 4\n"
        "main: 2 of 5 workers started; 3 failed: the quota of vCPUs is used up (2 times); AWS has no such machines"
    )
    assert capacity.hint(ended) == "ask for more"
    assert [state.phase for state in ended.values()] == ["late", "there", "late"]
