"""The process of Dask never outlives the agent, and all that it says is heard. All of these are real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coiled_pulumi.node import process

_PATIENCE = 20


class _Run:
    """A process, what it said and its end."""

    def __init__(self, code: str, folder: Path) -> None:
        self.lines: list[str] = []
        self.codes: list[int] = []
        self.said, self.ended = threading.Event(), threading.Event()
        self.mark = folder / "mark"
        command = [sys.executable, "-c", code]
        self.process = process.Process(
            command, dict(os.environb) | {b"PYTHONUNBUFFERED": b"1"}, folder, self.mark, self._take, self._end
        )

    def _take(self, lines: list[str]) -> list[str]:
        self.lines += lines
        self.said.set()
        return [line.replace("secret", "[...]") for line in lines]

    def _end(self, code: int) -> None:
        self.codes.append(code)
        self.ended.set()


def test_both_outputs_come_by_lines_and_the_last_ones_are_kept_without_secrets(tmp_path):
    run = _Run(
        "import sys\nprint('secret')\nprint('x', file=sys.stderr)\nprint('10%\\r20%\\r')\nprint()\n"
        "sys.stdout.buffer.write(b'\\xff end')\nsys.exit(3)",
        tmp_path,
    )

    assert run.ended.wait(_PATIENCE)
    assert run.lines == ["secret", "x", "20%", "\ufffd end"]
    assert run.process.tail == "[...]\nx\n20%\n\ufffd end"
    assert run.codes == [3]
    assert not run.mark.exists()


def test_a_line_without_an_end_is_cut_between_words(tmp_path):
    run = _Run("print('word ' * 500_000, end='')", tmp_path)

    assert run.ended.wait(_PATIENCE)
    assert len(run.lines) >= 2
    assert "".join(run.lines) == "word " * 500_000
    assert all(line.strip().replace("word", "").strip() == "" for line in run.lines)


def test_what_it_started_goes_with_it_even_if_that_holds_the_output_open(tmp_path):
    run = _Run(
        "import subprocess, sys\nc = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(c.pid)",
        tmp_path,
    )

    assert run.ended.wait(_PATIENCE)
    _wait_for_end(int(run.lines[0]))


def test_one_that_does_not_leave_is_ended_after_a_while(tmp_path):
    run = _Run(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nsignal.pause()",
        tmp_path,
    )
    assert run.said.wait(_PATIENCE)
    run.process.stop(0.1)

    assert run.ended.wait(_PATIENCE)
    assert run.codes == [-signal.SIGKILL]


def test_one_that_leaves_in_order_is_let(tmp_path):
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('ready')\nsignal.pause()"
    run = _Run(code, tmp_path)
    assert run.said.wait(_PATIENCE)
    run.process.stop(_PATIENCE)

    assert run.codes == [7]


_AGENT = """
import os, signal, sys
from pathlib import Path
from coiled_pulumi.node.process import Process
folder = Path(sys.argv[1])
Process([sys.executable, "-c", "import os, signal; print(os.getpid()); signal.pause()"], dict(os.environb), folder,
        folder / "mark", lambda lines: print(lines[0], flush=True) or lines, print)
signal.pause()
"""


def test_it_does_not_outlive_an_agent_that_is_killed(tmp_path):
    environ = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", _AGENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environ
    ) as agent:
        pid = int(agent.stdout.readline())
        agent.kill()
    _wait_for_end(pid)


def test_what_an_agent_left_is_ended_by_the_next_one_and_nobody_else_is(tmp_path):
    mark = tmp_path / "mark"
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as left:
        started = Path(f"/proc/{left.pid}/stat").read_text().rpartition(")")[2].split()[19]
        mark.write_text(f"{left.pid} 1")
        assert not process.end_left_over(mark)
        assert left.poll() is None

        mark.write_text(f"{left.pid} {started}")
        assert process.end_left_over(mark)
        assert left.wait(_PATIENCE) == -signal.SIGKILL
    assert not process.end_left_over(mark)


def test_what_outlives_the_process_itself_is_ended_too(tmp_path):
    mark = tmp_path / "mark"
    code = "import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0).pid)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        child = int(leader.stdout.readline())
        leader.wait(_PATIENCE)
        mark.write_text(f"{leader.pid} 1")

        assert process.end_left_over(mark)
        _wait_for_end(child)


def test_words_in_the_fifo_are_heard_whoever_writes_and_rubbish_is_passed_over(tmp_path):
    heard, done = [], threading.Event()

    def take(said):
        heard.append(said)
        if len(heard) == 2:
            done.set()

    fifo = tmp_path / "status"
    status = process.Status(fifo, take)
    for text in ('{"event":"listening"}\nrubbish\n[1]\n', '{"event":', '"alive"}\n'):
        with fifo.open("w") as writer:
            writer.write(text)

    assert done.wait(_PATIENCE)
    assert heard == [{"event": "listening"}, {"event": "alive"}]
    assert fifo.stat().st_mode & 0o777 == 0o600
    status.close()


def _wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([handle], [], [], _PATIENCE)[0]:
            pytest.fail(f"{pid} is still there")
    finally:
        os.close(handle)
