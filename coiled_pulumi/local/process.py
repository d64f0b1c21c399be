"""Facts about processes by their id: when one started, and whether it has ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

#: Where the kernel can't tell us of an end, we look this often, in seconds.
_LOOK_EVERY = 0.02


def start_of(pid: int) -> str:
    """Tell when a process started, in the kernel's words; empty when there is no such live process.

    Only good for comparing: two answers for one pid differ when the pid was given to another process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _start_by_ps(pid)
    # The name, field 2, may hold spaces and brackets: count from the last one. Fields 3 and 22 of proc(5).
    fields = stat[stat.rindex(")") + 2 :].split()
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else start


def stop(pid: int, start: str, *, patience: float) -> None:
    """End a process: ask, wait for `patience` seconds, then kill; return when it is gone.

    Nothing happens when the pid meanwhile belongs to another process.
    """
    for sign, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        try:
            handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        except ProcessLookupError:
            return
        try:
            # Looked at after the handle is open: from here on the handle can't come to mean another process.
            if start_of(pid) != start:
                return
            _send(pid, handle, sign)
            if _ended(pid, start, handle=handle, seconds=wait):
                return
        finally:
            if handle >= 0:
                os.close(handle)


def _send(pid: int, handle: int, sign: signal.Signals) -> None:
    try:
        if handle >= 0:
            signal.pidfd_send_signal(handle, sign)
        else:
            os.kill(pid, sign)
    except ProcessLookupError:
        pass


def _ended(pid: int, start: str, *, handle: int, seconds: float) -> bool:
    if handle >= 0:
        return bool(select.select([handle], [], [], seconds)[0])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if start_of(pid) != start:
            return True
        time.sleep(_LOOK_EVERY)
    return False


def _start_by_ps(pid: int) -> str:
    """Ask ps, on systems without /proc."""
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
