"""What a process of Dask tells its agent: JSON lines into a FIFO, never waiting for a reader."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from collections import deque
from pathlib import Path
from typing import Literal

Event = Literal["listening", "joined", "alive", "end"]
#: Seconds between two signs of life, and between two attempts to get rid of what could not be written.
BEAT, AGAIN = 10.0, 1.0

_log = logging.getLogger(__name__)


class Status:
    """The FIFO's writing end. What matters is kept until an agent reads; a sign of life is not."""

    def __init__(self, fifo: Path) -> None:
        self._fifo = fifo
        self._descriptor: int | None = None
        self._waiting: deque[bytes] = deque()
        self._complained = False

    def send(self, event: Event, *, reason: str | None = None, detail: str | None = None) -> None:
        """Tell something, at once or as soon as somebody reads."""
        line = json.dumps({"event": event, "reason": reason, "detail": detail}).encode() + b"\n"
        if event == "alive":
            if self.flush():
                self._write(line)
            return
        self._waiting.append(line)
        self.flush()

    def flush(self) -> bool:
        """Write what waits; whether nothing waits any more."""
        while self._waiting and self._write(self._waiting[0]):
            self._waiting.popleft()
        return not self._waiting

    def _write(self, line: bytes) -> bool:
        # A line is shorter than PIPE_BUF (4096): it is written as a whole or not at all.
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(self._descriptor, line)
        except OSError as error:
            if error.errno != errno.EAGAIN:  # full: the agent is slow, not gone
                self.close()
            if error.errno not in (errno.EAGAIN, errno.ENXIO, errno.EPIPE) and not self._complained:
                self._complained = True
                _log.warning("no status for the agent: %s", error)
            return False
        return True

    def close(self) -> None:
        """Give the FIFO back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def beat(self) -> None:
        """Give signs of life for as long as the event loop turns."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if loop.time() >= due:
                self.send("alive")
                due = loop.time() + BEAT
            self.flush()
            await asyncio.sleep(AGAIN)
