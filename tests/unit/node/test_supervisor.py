"""What becomes of a machine whose Dask ends, loses its scheduler, or gets another certificate.

Dask is a small program here, which is really run; what it is told and what it says is the same.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from coiled_pulumi.node.clients import Clients
from coiled_pulumi.node.environment import Launch
from coiled_pulumi.node.identity import Identity, Machine
from coiled_pulumi.node.journal import Journal
from coiled_pulumi.node.paths import Paths, make_private
from coiled_pulumi.node.phases import Phases
from coiled_pulumi.node.redact import Redactor
from coiled_pulumi.node.supervisor import Event, Leave, Rotated, Spot, Supervisor, Told

_PATIENCE = 20
_SLEEPS = "import signal; print('ready'); signal.pause()"
_HEARS = """
import os, signal, sys
from pathlib import Path
run = Path(os.environ["COILED_PULUMI_RUN"])
def hang_up(*_):
    print("key", (run / "key.pem").read_text())
signal.signal(signal.SIGHUP, hang_up)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", (run / "run.json").read_text())
while True:
    signal.pause()
"""


class Node:
    """A machine with its supervisor in a thread that stands for the main one."""

    def __init__(self, root, code: str, role="worker", **told) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.marks: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self.notes: list[dict] = []
        paths = Paths(root)
        make_private(paths.run)
        make_private(paths.scratch)
        journal = Journal(Redactor(), lambda _line: None)
        journal.write = lambda lines: [self.lines.put(line) for line in lines]  # the network's side of it
        phases = Phases({}, str, lambda lines: [self.marks.put(json.loads(line)) for line in lines])
        group = {"nthreads": None, "memory_limit": None, "gpu": 1, "resources": {}}
        self.supervisor = Supervisor(
            Identity("ws", "c", role, "workers", "us-east-1"),
            Machine("i-1", "10.0.0.9", ("10.0.0.0/16",), spot=True),
            {"timers": {"lost_scheduler": None}, "environ": {}, "groups": {"workers": group}} | told,
            self.certificate("1"), Launch((sys.executable, "-c", code)),
            paths=paths, environ={"COILED_PULUMI_CPUS": "3", "COILED_PULUMI_MEMORY": "1000"}, journal=journal,
            phases=phases, clients=Clients("us-east-1"), notify=lambda text: self.notes.append(json.loads(text)),
            restarts=lambda: iter([0.01] * 100),
        )  # fmt: skip
        self.codes: list[int] = []
        self.thread = threading.Thread(target=lambda: self.codes.append(self.supervisor.run()))
        self.thread.start()

    @staticmethod
    def certificate(key: str, scheduler: str = "10.0.0.5") -> dict:
        return {"version": 1, "ca": "ca", "cert": "cert", "key": f"new-key-{key}", "scheduler": scheduler}

    def put(self, event: Event) -> None:
        self.supervisor.put(event)

    def line(self, start: str) -> str:
        while not (line := self.lines.get(timeout=_PATIENCE)).startswith(start):
            pass
        return line

    def mark(self, phase: str, reason: str | None = None) -> dict:
        while True:
            mark = self.marks.get(timeout=_PATIENCE)
            if mark["phase"] == phase and (reason is None or reason in (mark["reason"] or "")):
                return mark

    def end(self) -> int:
        self.thread.join(_PATIENCE)
        return self.codes[0]


@pytest.fixture
def node(tmp_path) -> Iterator[Callable[..., Node]]:
    made = []

    def make(*values, **told) -> Node:
        made.append(Node(tmp_path, *values, **told))
        return made[-1]

    yield make
    for one in made:
        one.put(Leave(1))
        one.end()
        one.supervisor.close()


def test_another_certificate_is_written_before_the_process_is_told(node, tmp_path):
    one = node(_HEARS)
    one.line("ready")
    one.put(Rotated(one.certificate("2")))

    assert one.line("key") == "key [...]"
    key = tmp_path / "run/coiled-pulumi/key.pem"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("new-key-2", 0o600)


def test_a_worker_goes_to_another_scheduler(node):
    one = node(_HEARS)
    first = json.loads(one.line("ready").removeprefix("ready "))
    one.put(Rotated(one.certificate("1", "10.0.0.6")))
    second = json.loads(one.line("ready").removeprefix("ready "))

    assert (first["scheduler"], second["scheduler"]) == ("tls://10.0.0.5:8786", "tls://10.0.0.6:8786")
    assert {key: first[key] for key in ("name", "nthreads", "memory_limit", "gpu", "vpc_cidrs")} == {
        "name": "i-1", "nthreads": 3, "memory_limit": 950, "gpu": 1, "vpc_cidrs": ["10.0.0.0/16"],
    }  # fmt: skip


def test_a_worker_that_keeps_stopping_is_started_again_and_told_of(node):
    mark = node("print('why'); raise SystemExit(3)").mark("started", "keeps stopping")

    assert mark["reason"] == "the worker keeps stopping: exit code 3; it is started again"
    assert mark["detail"] == "why"


def test_a_worker_that_was_sent_away_does_not_come_back_at_once(node):
    one = node("pass")

    assert one.mark("retiring")["reason"] == "sent away by the scheduler"
    one.put(Leave(0))
    assert one.end() == 0


def test_a_machine_that_aws_takes_back_does_not_start_dask_again(node):
    one = node(_HEARS)
    one.line("ready")
    one.put(Spot('{"action": "terminate"}'))

    assert one.line("coiled-pulumi: Dask left") == "coiled-pulumi: Dask left with exit code 0"
    assert one.mark("retiring")["detail"] == '{"action": "terminate"}'


def test_a_gpu_is_the_first_one_unless_the_user_says_which(node):
    shows = "import os, signal; print('gpu', os.environ['CUDA_VISIBLE_DEVICES'], flush=True); signal.pause()"

    assert node(shows).line("gpu") == "gpu 0"
    assert node(shows, environ={"CUDA_VISIBLE_DEVICES": "7"}).line("gpu") == "gpu 7"


def test_a_scheduler_that_ends_ends_the_cluster_and_says_why(node):
    one = node("print('port in use'); raise SystemExit(1)", "scheduler")

    assert one.end() == 0
    mark = one.mark("ended")
    assert (mark["reason"], mark["detail"]) == ("scheduler stopped", "port in use")
    [note] = one.notes
    assert (note["level"], note["what"]) == ("warning", "cluster c ended itself: scheduler stopped")


def test_what_a_scheduler_said_last_is_the_reason_even_if_it_is_read_late(node):
    one = node("pass", "scheduler")
    one.put(Told({"event": "end", "reason": "shutdown", "detail": None}))

    assert one.end() == 0
    assert one.mark("ended")["reason"] == "shutdown"


def test_variables_that_the_kernel_does_not_take_are_told(node):
    one = node(_SLEEPS, environ={"LARGE": "x" * 200_000})

    assert "Argument list too long" in one.mark("started", "cannot be started")["detail"]


def test_the_agents_own_variables_are_not_changed(node):
    before = dict(os.environ)
    node(_HEARS, environ={"A": "b"}).line("ready")

    assert dict(os.environ) == before
