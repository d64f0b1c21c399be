from __future__ import annotations

import dataclasses
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coiled_pulumi.errors import EngineError, UsageError
from coiled_pulumi.local import daemon, process, state


def test_one_life(home: Path) -> None:
    record = daemon.up(home=home)
    assert daemon.up(home=home) == record
    assert daemon.status(home).state == "running"
    assert daemon.down(home=home) is True
    assert process.start_of(record.pid) == ""
    assert not home.exists()
    assert daemon.status(home).state == "stopped"
    assert daemon.down(home=home) is False


def test_two_at_once_get_one_server(home: Path) -> None:
    barrier = threading.Barrier(3)

    def start() -> state.Record:
        barrier.wait()
        return daemon.up(home=home)

    with ThreadPoolExecutor(3) as pool:
        records = [task.result() for task in [pool.submit(start) for _ in range(3)]]
    assert len({record.pid for record in records}) == 1


def test_record_of_a_killed_server_is_replaced(home: Path) -> None:
    first = daemon.up(home=home)
    process.stop(first.pid, first.process_start, patience=5)
    state.save(home, first)
    assert daemon.status(home).state == "stale"
    second = daemon.up(home=home)
    assert (second.pid, second.access_key_id) != (first.pid, first.access_key_id)


def test_another_process_with_the_pid_is_left_alone(home: Path) -> None:
    state.prepare(home)
    mine = state.Record(os.getpid(), "1", 1, "a", "b", "c", 0.0, "0")
    state.save(home, mine)
    assert daemon.status(home).state == "stale"
    assert daemon.down(home=home) is False
    assert not home.exists()


def test_files_of_the_user_in_the_folder_stay(home: Path) -> None:
    state.prepare(home)
    (home / "notes.txt").write_text("mine")
    daemon.down(home=home)
    assert [path.name for path in home.iterdir()] == ["notes.txt"]


def test_backend_stays_when_asked_to(home: Path) -> None:
    daemon.up(home=home)
    daemon.down(home=home, purge=False)
    assert state.backend_folder(home).is_dir()
    assert state.load(home) is None


def test_taken_port_is_a_usage_error(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 can't be had"):
            daemon.up(home=home, port=port)
    assert daemon.status(home).state == "stopped"


def test_server_that_dies_at_start_shows_its_last_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(home / "shadow"))
    shadow = home / "shadow" / "werkzeug"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").write_text("raise SystemError('broken on purpose')")
    with pytest.raises(EngineError, match="broken on purpose"):
        daemon.up(home=home)


def test_server_ends_by_itself_on_sigterm(home: Path) -> None:
    record = daemon.up(home=home)
    handle = os.pidfd_open(record.pid)
    os.kill(record.pid, signal.SIGTERM)
    process.stop(record.pid, record.process_start, patience=5)
    os.close(handle)
    assert "Traceback" not in state.log_file(home).read_text()


def test_process_with_another_start_is_not_stopped() -> None:
    process.stop(os.getpid(), "another start", patience=1)
    assert process.start_of(os.getpid()) != ""


def test_status_counts_what_is_ours(home: Path) -> None:
    from coiled_pulumi.local import inventory

    record = daemon.up(home=home)
    tags = [{"Key": "coiled-pulumi:workspace", "Value": "w"}]
    specification = [{"ResourceType": "vpc", "Tags": tags}]
    inventory.clients(record)("ec2", "us-east-1").create_vpc(
        CidrBlock="10.0.0.0/16", TagSpecifications=specification
    )
    status = daemon.status(home)
    assert (dict(status.resources), status.calls, status.port) == ({"vpc": 1}, 1, record.port)
    assert dataclasses.asdict(status)["state"] == "running"
