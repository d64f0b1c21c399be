"""What is shown while the engine works and after: lines, the tree and the table, from recorded events."""

import io

import pytest
from _support import streams
from rich.console import Console as RichConsole

from coiled_pulumi.cli import live, render
from coiled_pulumi.cli.console import Console
from coiled_pulumi.ops.events import Finding, Progress, Row


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _lines(capsys, name: str, tense: live.Tense = "done") -> list[str]:
    clock = Clock()
    with live.view(Console(), f"up {name}", tense=tense, clock=clock) as on_rows:
        for progress, rows, at in streams.steps(streams.events(name)):
            clock.now = 1000.0 + at
            on_rows(progress, rows)
    written = capsys.readouterr()
    assert written.out == ""
    return written.err.splitlines()


LINES = {
    "up": [
        "up up ...",
        "   2.0s + LogGroup solo-logs created",
        "   2.0s + Vpc solo-vpc created",
        "   2.0s + NatGateway solo-nat created",
        "  12.0s   waiting for solo-cluster-one-scheduler, solo-cluster-one-workers",
        "  13.0s + Group solo-cluster-one-workers created",
        "  17.0s + Instance solo-cluster-one-scheduler created",
    ],
}


@pytest.mark.parametrize("name", sorted(LINES))
def test_plain_lines(capsys, name):
    assert _lines(capsys, name) == LINES[name]


def test_a_preview_has_no_lines_of_its_own(capsys):
    assert _lines(capsys, "preview", "planned") == ["up preview ..."]


def test_what_is_waited_for_is_said_every_ten_seconds_and_counted(capsys):
    clock = Clock()
    rows = [Row(f"urn::{name}", "aws:t:T", name, "", "create", "running", 0.0) for name in "abcde"]
    progress = Progress(rows={(row.urn, row.op): row for row in rows})
    with live.view(Console(), "up dev", clock=clock) as on_rows:
        for _ in range(25):
            clock.now += 1.0
            on_rows(progress, [])
        for row in rows:
            row.state = "done"
        clock.now += 100.0
        on_rows(progress, [])

    assert capsys.readouterr().err.splitlines() == [
        "up dev ...",
        "  10.0s   waiting for a, b, c and 2 more",
        "  20.0s   waiting for a, b, c and 2 more",
    ]


def test_stopping_is_said_once(capsys):
    with live.view(Console(), "up dev", clock=Clock()) as on_rows:
        progress = Progress(stopping=True)
        on_rows(progress, [])
        on_rows(progress, [])

    assert capsys.readouterr().err.splitlines() == [
        "up dev ...",
        "   0.0s   stopping: the engine ends what it has begun; Ctrl-C again stops at once",
    ]


def _text(view: object, width: int = 98) -> list[str]:
    console = RichConsole(file=io.StringIO(), width=width, highlight=False, force_terminal=False)
    console.print(view)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def _tree_after(name: str, events: int) -> list[str]:
    steps = streams.steps(streams.events(name))
    for _ in range(events):
        progress, _rows, at = next(steps)
    return _text(live.tree_of(progress, f"up {name}", at))


def test_the_tree_while_it_runs_has_what_runs_with_its_time():
    stream = streams.events("up")
    begun = next(
        number
        for number, event in enumerate(stream, 1)
        if "resourcePreEvent" in event
        and event["resourcePreEvent"]["metadata"]["urn"].endswith("::solo-cluster-one-workers")
    )

    assert _tree_after("up", begun) == [
        "up up 12 s",
        "├── Network solo-network 2/2",
        "├── Logs solo-logs 1/1",
        "└── Cluster solo-cluster-one 0/2",
        "    ├── + Instance solo-cluster-one-scheduler 5 s",
        "    └── + Group solo-cluster-one-workers 0 s",
    ]


def test_the_tree_of_a_failure_names_what_failed():
    assert _tree_after("failed", len(streams.events("failed"))) == [
        "up failed 3 s",
        "├── Network taken-network 1/1",
        "└── Logs taken-logs 0/1",
        "    └── failed LogGroup taken-logs",
    ]


def test_the_tree_counts_what_does_not_fit():
    parent = Row("urn::n", "coiled:index:Network", "net", "", "create", "running", 0.0)
    rows = [Row(f"urn::{i}", "aws:t:T", f"r{i}", "urn::n", "create", "running", 0.0) for i in range(11)]
    progress = Progress(rows={(row.urn, row.op): row for row in [parent, *rows]}, stopping=True)
    shown = _text(live.tree_of(progress, "up dev", 3.0))

    assert shown[:3] == [
        "up dev 3 s",
        "stopping: the engine ends what it has begun; Ctrl-C again stops at once",
        "└── Network net 0/11",
    ]
    assert len(shown) == 3 + live.MAX_RUNNING + 1
    assert shown[-1] == "    └── and 3 more"


CHANGES = {
    ("change", "done"): [
        "~  LogGroup                  solo-logs                            retentionInDays",
        "+  RolePolicy                solo-policy",
        "+  SecurityGroupIngressRule  solo-scheduler-ingress-8787-from-me",
        "~  Instance                  solo-cluster-one-scheduler           rootBlockDevice           30.0 s",
        "~  Group                     solo-cluster-one-workers             capacityReservationSpeci",
        "                                                                  fication,",
        "                                                                  desiredCapacity,",
        "                                                                  maxSize, minSize",
        "-  SecurityGroupIngressRule  solo-scheduler-ingress-8786-from-me",
        "2 created, 3 updated, 1 deleted, 2 unchanged",
    ],
    ("replace-failed", "done"): [
        "±  Vpc              small-vpc       cidrBlock",
        "~  InternetGateway  small-internet  vpcId",
        "+  NatGateway       small-nat       subnetId",
        "1 updated, 1 replaced, 2 unchanged",
    ],
    ("destroy", "planned"): [
        "-  NatGateway  solo-nat",
        "-  Instance    solo-cluster-one-scheduler",
        "-  Vpc         solo-vpc",
        "-  LogGroup    solo-logs",
        "6 to delete",
    ],
    ("same", "done"): ["3 unchanged"],
    ("mandatory", "done"): [
        "+  Vpc   small-vpc",
        "+  Role  small-role",
        "mandatory logs-kept: Logs are kept for a year.",
        "3 created",
    ],
}


@pytest.mark.parametrize(("name", "tense"), sorted(CHANGES))
def test_changes(name, tense):
    assert _text(render.changes_view(streams.progress(name), tense=tense)) == CHANGES[name, tense]


def test_nothing_at_all():
    assert _text(render.changes_view(Progress(), tense="done")) == ["nothing to do"]


def test_a_narrow_terminal_wraps_the_reasons_and_cuts_no_name():
    shown = "\n".join(_text(render.changes_view(streams.progress("change"), tense="done"), width=90))

    assert "…" not in shown
    for row in streams.progress("change").changed:
        assert row.name in shown


def test_square_brackets_are_text():
    progress = Progress(findings=[Finding("p[x]", "advisory", "ports [22] are [red]open[/]")])

    assert _text(render.changes_view(progress, tense="done")) == [
        "advisory p[x]: ports [22] are [red]open[/]",
        "nothing to do",
    ]
