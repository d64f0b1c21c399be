"""The FIFO: it never waits, and keeps what matters."""

import json
import os

import pytest

from coiled_pulumi.node.status import Status


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "status")
    return tmp_path / "status"


@pytest.fixture
def status(fifo):
    status = Status(fifo)
    yield status
    status.close()


def _reader(fifo) -> int:
    return os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)


def _read(reader: int) -> list[str]:
    return [json.loads(line)["event"] for line in os.read(reader, 1 << 16).splitlines()]


def test_nobody_reads(fifo, status):
    status.send("listening")
    status.send("alive")
    status.send("end", reason="idle", detail="x")
    reader = _reader(fifo)
    assert status.flush()
    assert _read(reader) == ["listening", "end"]
    os.close(reader)


def test_a_line_has_all_of_it(fifo, status):
    reader = _reader(fifo)
    status.send("end", reason="idle", detail="x")
    assert os.read(reader, 1000) == b'{"event": "end", "reason": "idle", "detail": "x"}\n'
    os.close(reader)


def test_the_reader_goes_and_another_comes(fifo, status):
    reader = _reader(fifo)
    status.send("listening")
    os.close(reader)
    status.send("alive")
    status.send("end")
    reader = _reader(fifo)
    status.flush()
    assert _read(reader) == ["end"]
    os.close(reader)


def test_a_slow_reader_loses_no_end(fifo, status):
    reader = _reader(fifo)
    for _ in range(3000):
        status.send("alive")
    status.send("end")
    seen = _read(reader)
    while status.flush() is False:
        seen += _read(reader)
    assert (seen + _read(reader))[-1] == "end"
    os.close(reader)


def test_no_fifo_is_no_failure(tmp_path):
    Status(tmp_path / "nothing").send("end")
