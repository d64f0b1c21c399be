"""One installer at a time per folder.

The lock is the kernel's (`flock`), so it ends with the process that holds it: there is no stale lock to clean
up. The process id in the file is only for the message.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coiled_pulumi.errors import EngineError


@contextmanager
def exclusive(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path`; where another process has it, say so once and wait for it.

    Raises:
        EngineError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as err:
        hint = "set XDG_CACHE_HOME to a folder that you may write"
        raise EngineError(f"cannot write {path}: {err.strerror}", hint) from err
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            report(f"another install is running (process {holder}), waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        # The file stays: removing it would let a third process lock another file of the same name.
        os.close(handle)
