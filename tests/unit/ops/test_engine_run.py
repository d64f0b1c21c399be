"""How a run is driven; the engine tells recorded events."""

import os
import signal
import threading

import pytest
from _support import fake_pulumi, streams

from coiled_pulumi.errors import (
    CancelledError,
    CoiledPulumiError,
    DeploymentError,
    EngineError,
    NoSuchStackError,
)
from coiled_pulumi.ops.engine_run import query, require_engine, run

EXISTS = (
    "taken-logs: something of this name exists already: The specified log group already exists "
    "(ResourceAlreadyExistsException)"
)


@pytest.fixture
def pulumi(tmp_path, monkeypatch):
    fake = fake_pulumi.write(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return fake


def _seen():
    rows: list[tuple[str, str]] = []

    def on_rows(_progress, changed):
        rows.extend((row.name, row.state) for row in changed)

    return rows, on_rows


def test_a_run_gives_the_events_as_rows_and_the_picture_at_the_end(pulumi, tmp_path):
    pulumi.does("up", stream="up")
    rows, on_rows = _seen()
    log = tmp_path / "events.jsonl"
    log.write_text("of the run before\n")

    result = run(["up", "--yes"], folder=tmp_path, on_rows=on_rows, log=log)

    assert list(result.progress.rows) == list(streams.progress("up").rows)
    assert result.progress.counts() == {"create": 9}
    assert rows[:3] == [("coiled-solo", "running"), ("solo", "running"), ("solo", "done")]
    assert rows[-1] == ("coiled-solo", "done")
    assert log.read_text() == streams.path("up").read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert pulumi.calls() == [
        ["up", "-C", str(tmp_path), "--color", "never", "up", "--yes", "--event-log", str(log)]
    ]


def test_a_failed_run_raises_what_the_engine_said(pulumi, tmp_path):
    pulumi.does("up", stream="failed", code=4)

    with pytest.raises(DeploymentError) as caught:
        run(["up"], folder=tmp_path, on_rows=lambda *_: None)

    assert caught.value.what == EXISTS


@pytest.mark.parametrize(
    ("number", "arguments", "hint"),
    [
        (signal.SIGINT, ["up"], "the next `coiled-pulumi up` goes on from here"),
        (signal.SIGTERM, ["destroy", "--yes"], "the next `coiled-pulumi destroy` goes on from here"),
        (signal.SIGHUP, ["destroy", "--preview-only"], ""),
        (signal.SIGINT, ["preview"], ""),
    ],
    ids=["up", "destroy", "destroy-preview", "preview"],
)
def test_a_signal_lets_the_engine_end_by_itself(pulumi, tmp_path, number, arguments, hint):
    pulumi.does(arguments[0], stream="stopped", wait=True, code=1)
    before = signal.getsignal(number)
    stopping, raised = [], []

    def on_rows(progress, changed):
        if progress.counts() == {"create": 3} and not raised:
            raised.append(number)
            signal.raise_signal(number)
        stopping.append(progress.stopping)

    with pytest.raises(CancelledError) as caught:
        run(arguments, folder=tmp_path, on_rows=on_rows)

    assert (caught.value.what, caught.value.hint) == ("stopped by you", hint)
    assert pulumi.interruptions() == 1
    assert stopping[-1] is True
    assert signal.getsignal(number) == before


def test_the_engine_has_a_group_of_its_own(pulumi, tmp_path):
    """So that a terminal's Ctrl-C reaches it once, through us: a second one means "at once" to it."""
    script = pulumi.folder / "pulumi.py"
    text = script.read_text()
    script.write_text(text.replace("sys.exit(todo", "print(os.getpgid(0) == os.getpid())\nsys.exit(todo"))
    pulumi.does("up", code=1)

    with pytest.raises(CoiledPulumiError, match="True"):
        run(["up"], folder=tmp_path, on_rows=lambda *_: None)


def test_a_run_in_another_thread_leaves_signals_alone(pulumi, tmp_path):
    pulumi.does("up", stream="same")
    results = []
    thread = threading.Thread(
        target=lambda: results.append(run(["up"], folder=tmp_path, on_rows=lambda *_: None))
    )
    thread.start()
    thread.join(30)

    assert [result.progress.counts() for result in results] == [{"same": 3}]


def test_a_query_gives_what_was_printed_or_raises(pulumi, tmp_path):
    pulumi.does("stack output", stdout="{}\n")
    assert query(["stack", "output", "--json"], folder=tmp_path) == "{}\n"

    pulumi.does("stack output", code=6, stderr="error: no stack named 'dev' found\n")
    with pytest.raises(NoSuchStackError, match="no stack named 'dev' found"):
        query(["stack", "output", "--json"], folder=tmp_path)


def test_no_engine_is_an_error_with_the_way_to_one(tmp_path):
    with pytest.raises(EngineError) as caught:
        require_engine({"PATH": str(tmp_path), "HOME": str(tmp_path)})

    assert caught.value.hint == "coiled-pulumi engine install"
    assert caught.value.exit_code == 1
