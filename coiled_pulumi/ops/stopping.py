"""Ends the engine's runs of another thread, as Ctrl-C ends those of the main one, which alone signals reach."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from coiled_pulumi.errors import CancelledError

_current: Final[ContextVar[Stop | None]] = ContextVar("stop", default=None)


class Stop:
    """Something to ask a thread with, that it end what it does with the engine.

    Args:
        deadline: by `time.monotonic`; from then on it counts as asked once.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._lock = threading.Lock()
        self._asked = self._running = 0
        self._deadline = deadline

    def ask(self) -> None:
        """Ask; a second time means "at once" to the engine, as a second Ctrl-C does."""
        with self._lock:
            self._asked += 1

    @property
    def asked(self) -> int:
        """How often it was asked."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return max(self._asked, int(late))

    @property
    def running(self) -> bool:
        """Whether an engine runs, which has to write its state before anybody goes on."""
        return self._running > 0

    @contextlib.contextmanager
    def run(self) -> Iterator[Stop]:
        """Surround a run of the engine.

        Raises:
            CancelledError: it was asked already; then nothing is begun.
        """
        with self._lock:
            if self.asked:
                raise CancelledError("stopped by you")
            self._running += 1
        try:
            yield self
        finally:
            with self._lock:
                self._running -= 1


@contextlib.contextmanager
def stoppable(stop: Stop) -> Iterator[Stop]:
    """Have the runs of the engine inside, in this thread, end when they are asked to."""
    token = _current.set(stop)
    try:
        yield stop
    finally:
        _current.reset(token)


def current() -> Stop:
    """Give what ends the runs of this thread; one that nobody asks where there is none."""
    return _current.get() or Stop()
