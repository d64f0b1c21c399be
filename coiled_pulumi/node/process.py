"""The process of Dask: started so that it never outlives the agent, read, told to leave, and heard."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

#: prctl(2): the kernel sends this signal to the child when the thread ends that started it.
_PR_SET_PDEATHSIG: Final = 1
#: Without the interpreter's lock being given up in between: only this thread is there after a fork.
_LIBC: Final = ctypes.PyDLL(None)
#: Bytes of a line without an end, after which it is cut.
_LONGEST_LINE: Final = 1_000_000
#: Lines that say why a process ended.
_TAIL: Final = 30
#: Seconds for what the group of a killed process may take to go.
_KILLED: Final = 5.0

Sink = Callable[[list[str]], list[str]]


class Process:
    """A running process of Dask, and the group of those that it started.

    It dies with the thread that makes this object, which has to be the main one.

    Args:
        command: what to run.
        environ: its whole environment, in bytes.
        folder: where it works.
        mark: a file that names the process for the next agent, should this one be killed.
        sink: takes its lines, which may hold secrets, and gives what may be seen of them.
        ended: called with the exit code once all output was read.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[bytes, bytes], folder: Path, mark: Path, sink: Sink,
        ended: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._sink, self._ended, self._mark = sink, ended, mark
        self._tail: deque[str] = deque(maxlen=_TAIL)
        parent = os.getpid()

        def bind() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it was gone before
                os._exit(1)

        self._child = subprocess.Popen(  # the function calls the kernel twice and nothing else
            command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=bind, bufsize=0,
        )  # fmt: skip
        self._gone = threading.Event()
        mark.write_text(f"{self._child.pid} {_started(self._child.pid)}")
        reader = threading.Thread(target=self._read, name="output", daemon=True)
        reader.start()
        threading.Thread(target=self._wait, args=[reader], name="end of Dask", daemon=True).start()

    @property
    def tail(self) -> str:
        """Its last lines, without secrets."""
        return "\n".join(self._tail)

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to the process itself, not to its children."""
        if not self._gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child.pid, sign)

    def stop(self, patience: float) -> None:
        """Ask it to leave, wait, then kill it and all that it started."""
        self.signal(signal.SIGTERM)
        if not self._gone.wait(patience):
            _kill_group(self._child.pid)
            self._gone.wait(_KILLED)

    def _wait(self, reader: threading.Thread) -> None:
        pid = self._child.pid
        # As long as nobody took its exit code, its number belongs to no other process.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # What it started may hold the pipe open, and without it serves nobody.
        _kill_group(pid)
        reader.join(_KILLED)
        code = self._child.wait()
        self._mark.unlink(missing_ok=True)
        self._gone.set()
        self._ended(code)

    def _read(self) -> None:
        stdout = self._child.stdout
        assert stdout is not None  # noqa: S101 for the type checker
        rest = b""
        with stdout:
            while chunk := os.read(stdout.fileno(), 1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                self._take(lines)
                if len(rest) > _LONGEST_LINE:
                    # Where there is a space, so that no word is cut in two and seen in halves.
                    at = max(rest.rfind(b" ", _LONGEST_LINE // 2), 0) or len(rest)
                    self._take([rest[:at]])
                    rest = rest[at:]
        self._take([rest])

    def _take(self, lines: list[bytes]) -> None:
        # A terminal would show what stands behind the last return: progress bars write over themselves.
        texts = [line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace") for line in lines]
        if texts := [text for text in texts if text]:
            self._tail.extend(self._sink(texts)[-_TAIL:])


def end_left_over(mark: Path) -> bool:
    """End what an agent before this one left running; tell whether there was anything.

    The process itself dies with its agent; what it started may take longer.
    """
    try:
        text, _, started = mark.read_text().partition(" ")
        leader = int(text)
    except (OSError, ValueError):
        return False
    mark.unlink(missing_ok=True)
    if _started(leader) not in ("", started):  # its number went to somebody else, so nothing of it is left
        return False
    left = [int(each.name) for each in Path("/proc").glob("[0-9]*") if _session(each) == leader]
    for pid in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(left)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _started(pid: int) -> str:
    """Tell when a process started, in the kernel's ticks; empty when it is not there. A number may come twice."""
    fields = _stat(Path(f"/proc/{pid}"))
    return fields[19] if fields else ""


def _session(folder: Path) -> int:
    fields = _stat(folder)
    return int(fields[3]) if fields else 0


def _stat(folder: Path) -> list[str]:
    """Read the fields of a process from its state on, as proc(5) has them; none when it is gone."""
    try:
        stat = (folder / "stat").read_text(errors="replace")
    except OSError:
        return []
    # Its name may hold spaces and brackets: count from the last one.
    return stat[stat.rindex(")") + 2 :].split()


class Status:
    """The FIFO in which Dask says what happens to it, one JSON object a line; what is none is passed over."""

    def __init__(self, file: Path, heard: Callable[[dict[str, Any]], None]) -> None:
        self._heard = heard
        file.unlink(missing_ok=True)
        os.mkfifo(file, 0o600)
        # Open for writing too, so that it has no end while nobody else writes.
        self._fifo = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear nothing more."""
        os.write(self._fifo, b"\n\0\n")
        self._thread.join(_KILLED)
        os.close(self._fifo)

    def _read(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._fifo, 1 << 16)).split(b"\n")
            for line in lines:
                if line == b"\0":
                    return
                with contextlib.suppress(ValueError):
                    said = json.loads(line)
                    if isinstance(said, dict):
                        self._heard(said)
