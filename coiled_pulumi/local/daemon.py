"""Start, stop and look at the local AWS server: a process of its own, found again by its record.

Importing this module costs nothing: moto, werkzeug and boto3 are only loaded by the server and by `status`.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from coiled_pulumi.errors import EngineError, UsageError
from coiled_pulumi.local import calls, process, state
from coiled_pulumi.local.environment import applied, endpoint, environment, exports
from coiled_pulumi.local.state import Record

__all__ = ["Status", "applied", "down", "endpoint", "environment", "exports", "is_running", "status", "up"]

#: Loading moto takes a second or two; on a machine that is busy building an engine a good deal more.
START_LIMIT: Final = 120.0
#: How long the server may take to end by itself, in seconds.
STOP_LIMIT: Final = 5.0
#: How much of the server's log an error repeats, in lines.
_TAIL: Final = 15


@dataclass(frozen=True, slots=True)
class Status:
    """What `coiled-pulumi local status` shows."""

    state: Literal["running", "stopped", "stale"]
    """`stale`: there is a record, but its process is gone."""
    port: int = 0
    pid: int = 0
    uptime: float = 0.0
    """In seconds."""
    resources: Mapping[str, int] = field(default_factory=dict)
    """How many resources of ours exist, per kind."""
    calls: int = 0
    """API calls answered so far."""
    hosts: Mapping[str, Any] = field(default_factory=dict)
    """What really runs: mode, why, limit, running, starting, on_paper, and the instances."""


def up(*, home: Path, port: int = 0, hosts: int | None = None) -> Record:
    """Make sure that the local AWS runs; one that runs already is left as it is, whatever its port.

    Safe to call from several processes at once: they get the same server.

    Args:
        home: the folder of its state; see `state.default_home`.
        port: on 127.0.0.1; 0 takes a free one.
        hosts: how many instances really run at most, 0 for none; as many as there is memory for if not said.

    Raises:
        UsageError: the port can't be had.
        EngineError: moto is not installed, or the server ended while starting.

    """
    _require_moto()
    with _locked(home):
        record = state.load(home)
        if record is not None and is_running(record):
            return record
        # What an ended server left: its resources are gone, so the state that speaks of them goes too.
        _remove(home)
        state.prepare(home)
        _start(home, port, _limit() if hosts is None else hosts)
        record = state.load(home)
        if record is None:
            raise EngineError(f"the local AWS server wrote no record in {home}", _log_hint(home))
        return record


def down(*, home: Path, purge: bool = True) -> bool:
    """Stop the local AWS and forget what was in it; tell whether it was running.

    Args:
        home: the folder of its state.
        purge: also remove the folder; else log, calls and Pulumi's state stay until the next `up`.

    """
    if not home.is_dir():
        return False
    with _locked(home):
        record = state.load(home)
        running = record is not None and is_running(record)
        if record is not None and running:
            process.stop(record.pid, record.process_start, patience=STOP_LIMIT)
        state.state_file(home).unlink(missing_ok=True)
        if purge:
            _remove(home)
            state.lock_file(home).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something that is not ours is in it
                home.rmdir()
        return running


def status(home: Path) -> Status:
    """Look at the local AWS without changing anything; a running one is asked for its resources."""
    record = state.load(home)
    if record is None:
        return Status("stopped")
    if not is_running(record):
        return Status("stale", port=record.port, pid=record.pid)
    log = calls.read(state.calls_file(home))
    return Status(
        "running",
        port=record.port,
        pid=record.pid,
        uptime=max(0.0, time.time() - record.started_at),
        resources=_resources(record, log),
        calls=len(log),
        hosts=_hosts(record),
    )


def is_running(record: Record) -> bool:
    """Tell whether the server of a record is still there."""
    return record.process_start != "" and process.start_of(record.pid) == record.process_start


def _limit() -> int:
    from coiled_pulumi.local import machines

    return machines.default_limit()


def _hosts(record: Record) -> dict[str, Any]:
    from coiled_pulumi.local import control

    return control.ask(record, "hosts")


def _require_moto() -> None:
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(
            f"the local AWS needs {' and '.join(missing)}, which is not installed",
            "pip install 'coiled-pulumi[local]'",
        )


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the folder's lock; makes the folder when it is missing."""
    while True:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(state.lock_file(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # a `down` removed the folder in between
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # A `down` that held the lock before us removed the file: a lock on it keeps nobody out.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), state.lock_file(home).stat()):
                    yield
                    return
        finally:
            os.close(handle)


def _remove(home: Path) -> None:
    """Remove what we put into the folder, and nothing else: the user chose the folder."""
    shutil.rmtree(state.backend_folder(home), ignore_errors=True)
    shutil.rmtree(state.hosts_folder(home), ignore_errors=True)
    for file in (state.state_file(home), state.calls_file(home), state.log_file(home)):
        file.unlink(missing_ok=True)


def _start(home: Path, port: int, hosts: int) -> None:
    """Start the server and wait until it answers; it says so, or why not, over a pipe."""
    reader, writer = os.pipe()
    try:
        with state.log_file(home).open("ab") as log:
            state.log_file(home).chmod(0o600)
            starter = subprocess.Popen(
                # -P: what lies in the folder that we happen to be in is not imported.
                [
                    *(sys.executable, "-P", "-m", "coiled_pulumi.local.server"),
                    *(
                        "--home",
                        str(home),
                        "--port",
                        str(port),
                        "--ready",
                        str(writer),
                        "--hosts",
                        str(hosts),
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                cwd="/",
                env=_server_environment(),
            )
        os.close(writer)
        writer = -1
        starter.wait()  # it forks the server and leaves
        message = _await_message(reader, home)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if "error" in message:
        raise UsageError(message["error"], message.get("hint", ""))


def _await_message(reader: int, home: Path) -> dict[str, str]:
    """Read the server's one line; an end without one means that it died."""
    deadline = time.monotonic() + START_LIMIT
    text = b""
    while not text.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            raise EngineError(
                f"the local AWS server was not ready after {START_LIMIT:.0f} s", _log_hint(home)
            )
        piece = os.read(reader, 4096)
        if not piece:
            raise EngineError("the local AWS server ended while starting" + _log_tail(home), _log_hint(home))
        text += piece
    message: dict[str, str] = json.loads(text)
    return message


def _server_environment() -> dict[str, str]:
    """Leave out credentials and whatever else would steer moto: the server needs none of it."""
    steering = ("AWS_", "MOTO_", "PULUMI_", "TEST_SERVER_MODE", "TEST_PROXY_MODE", "S3_", "INITIAL_NO_AUTH")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


def _log_tail(home: Path) -> str:
    try:
        lines = state.log_file(home).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in lines[-_TAIL:])


def _log_hint(home: Path) -> str:
    return f"its log is {state.log_file(home)}"


def _resources(record: Record, log: list[calls.Call]) -> dict[str, int]:
    from coiled_pulumi.local import inventory

    regions = sorted({call.region for call in calls.mutating(log) if call.region})
    found = inventory.inventory(inventory.clients(record), regions)
    return dict(sorted(Counter({kind: len(ids) for kind, ids in found.items()}).items()))
