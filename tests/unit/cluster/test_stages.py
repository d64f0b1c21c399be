"""How far machines have come, reduced from looks; and how that is shown."""

import io
import json
import sys
import types

import pytest
from rich.console import Console

from coiled_pulumi.aws import node_logs
from coiled_pulumi.aws.fleet import Member
from coiled_pulumi.cluster import display
from coiled_pulumi.cluster.failure import hint_of, listed, merged
from coiled_pulumi.cluster.stages import STAGES, Snapshot, Stages
from coiled_pulumi.ops.watching import Fleet, Look, Mark, Reason

SCHEDULER = "i-scheduler"


def fleet(desired, *members, leaving=()):
    rows = [Member(name, "InService") for name in members] + [
        Member(name, "Terminating:Wait") for name in leaving
    ]
    return Fleet("asg", desired, 10, tuple(rows))


def mark(instance, phase, at=0.0, **more):
    return Mark(phase, instance, "worker", "workers", at, **more)


def taken(*looks):
    stages = Stages(SCHEDULER)
    for look in looks:
        stages.take(look)
    return stages


def test_machines_are_counted_by_the_furthest_phase_that_they_told():
    stages = taken(
        Look({"workers": fleet(6, "a", "b", "c", leaving=("z",)), "gpu": fleet(1, "g")}),
        Look(
            {"workers": fleet(6, "a", "b", "c", "d"), "gpu": fleet(1, "g")},
            (mark("a", "configured", 3), mark("a", "booted", 1), mark("b", "joined", 4), mark("z", "joined", 0)),
        ),
    )  # fmt: skip

    counts = {name: count for name, count in stages.counts({"c"}).items() if count}
    assert counts == {"Requested": 2, "Starting": 2, "Configured": 1, "Ready": 2}
    assert list(stages.counts()) == list(STAGES)
    assert stages.desired == 7


@pytest.mark.parametrize(
    ("look", "reached", "stage"),
    [
        (Look({}), False, "Requested"),
        (Look({}, scheduler="pending"), False, "Starting"),
        (Look({}, (mark(SCHEDULER, "environment"),), scheduler="running"), False, "Environment"),
        (Look({}, (mark(SCHEDULER, "joined"),), scheduler="running"), False, "Started"),
        (Look({}, (mark(SCHEDULER, "joined"),), scheduler="running"), True, "Ready"),
        (Look({}, (mark(SCHEDULER, "ended", reason="idle"),), scheduler="running"), False, "Ended"),
        (Look({}, scheduler="shutting-down"), True, "Ended"),
    ],
)
def test_the_scheduler_is_ready_once_a_client_reaches_it(look, reached, stage):
    assert taken(look).scheduler(reached=reached) == stage


def test_reasons_are_grouped_and_the_most_frequent_stands_first():
    full = Reason(2, "no capacity", "try another zone")
    stages = taken(
        Look(
            {"workers": fleet(9, "a", "b", "c")},
            tuple(mark(name, "environment", reason="pip failed", detail="log") for name in "abc"),
            reasons=(full,),
        ),
        Look({"workers": fleet(9, "a")}, (mark(SCHEDULER, "ended", reason="its own"),), reasons=(full,)),
    )

    assert stages.reasons == (Reason(3, "pip failed"), full)
    assert listed(stages.reasons) == ["pip failed (3 times)", "no capacity (2 times)"]
    assert hint_of(stages.reasons) == "try another zone"
    assert stages.counts()["Environment"] == 0  # it was not reached


def test_what_failed_and_went_on_is_no_reason():
    stages = taken(
        Look({"workers": fleet(1, "a")}, (mark("a", "environment", 1, reason="x"), mark("a", "started", 2)))
    )
    assert stages.reasons == ()


def test_equal_reasons_are_one_and_many_are_counted():
    assert merged([Reason(1, "a"), Reason(2, "b")], [Reason(4, "a", "h")]) == (
        Reason(5, "a", "h"),
        Reason(2, "b"),
    )
    assert listed([Reason(1, f"r{n}") for n in range(8)])[-1] == "and 3 more reasons"


@pytest.mark.parametrize(
    ("stuck", "ended", "ready", "possible"),
    [((), (), (), 5), (("workers",), (), (), 3), (("workers",), ("a", "b"), ("a",), 2), ((), ("a",), (), 5)],
)
def test_what_can_still_come(stuck, ended, ready, possible):
    marks = tuple(mark(name, "ended", reason="boom") for name in ended)
    stages = taken(Look({"workers": fleet(5, "a", "b", "c")}, marks, stuck=frozenset(stuck)))
    assert stages.possible(ready) == possible


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"phase": "booted"}',
        '{"phase": "x", "instance": "i", "at": "soon"}',
        "null",
        '"x"',
    ],
)
def test_what_is_no_mark_is_none(text):
    assert node_logs.mark(text) is None


def test_a_mark_is_read():
    told = {"phase": "joined", "instance": "i-1", "role": "worker", "group": "workers", "at": 5.5, "took": None,
            "reason": None, "detail": None, "uptime": 3}  # fmt: skip
    assert node_logs.mark(json.dumps(told)) == Mark("joined", "i-1", "worker", "workers", 5.5)


SNAPSHOT = Snapshot(
    title="cluster mine",
    wanted=4,
    counts=dict.fromkeys(STAGES, 0) | {"Booted": 1, "Ready": 3},
    scheduler="Ready",
    reasons=(Reason(2, "no <capacity> [here]"),),
    notes=("1 worker is started on-demand",),
    dashboard="https://127.0.0.1:8787/status?token=a&b",
    seconds=12.0,
)


def test_plain_lines_tell_changes_once():
    written, now = [], [0.0]
    lines = display.Lines(written.append, clock=lambda: now[0])
    lines.show(Snapshot("start mine", work=(2, 9), seconds=1))
    lines.show(Snapshot("start mine", work=(3, 9), seconds=2))
    lines.show(SNAPSHOT)
    lines.show(SNAPSHOT)
    now[0] = display.HEARTBEAT + 1
    lines.show(SNAPSHOT)
    lines.end("up")

    assert written == [
        "   1.0s start mine: 2 of 9 resources",
        "  12.0s ! 1 worker is started on-demand",
        "  12.0s ! no <capacity> [here] (2 times)",
        "  12.0s cluster mine: scheduler ready, 3 of 4 workers ready (1 booted, 3 ready)",
        "  12.0s cluster mine: scheduler ready, 3 of 4 workers ready (1 booted, 3 ready)",
        "up",
    ]


def test_a_table_shows_every_stage_and_takes_no_text_for_markup():
    stream = io.StringIO()
    Console(file=stream, width=100).print(display.table(SNAPSHOT))
    text = stream.getvalue()

    for word in (*STAGES, "Scheduler", "no <capacity> [here] (2 times)", "token=a&b"):
        assert word in text
    assert "[dim]" not in text


def test_html_takes_no_text_for_markup():
    text = display.as_html(SNAPSHOT)

    assert "no &lt;capacity&gt; [here]" in text
    assert 'href="https://127.0.0.1:8787/status?token=a&amp;b"' in text


def test_a_notebook_shows_one_piece_that_changes(monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, **_):
            shown.append(("update", bundle["text/html"]))

    def show(bundle, **options):
        assert options == {"raw": True, "display_id": True}
        shown.append(("display", bundle["text/html"]))
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=show))
    view = display.view()
    for _ in range(2):
        view.show(SNAPSHOT)
    view.end("it is up & well")

    assert [how for how, _ in shown] == ["display", "update"]
    assert shown[1][1] == "<pre>it is up &amp; well</pre>"


def test_without_a_terminal_there_are_lines_and_with_quiet_nothing(capsys):
    display.view().show(SNAPSHOT)
    out, err = capsys.readouterr()
    assert (out, "3 of 4 workers ready" in err) == ("", True)

    view = display.view(quiet=True)
    view.show(SNAPSHOT)
    view.end("x")
    assert capsys.readouterr() == ("", "")
