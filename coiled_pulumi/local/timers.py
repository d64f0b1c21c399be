"""What AWS does by itself at a given time: scheduled actions, and the ends that were announced."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Final

#: The wall clock may be set; it is looked at at least this often, in seconds.
_LOOK_EVERY: Final = 30.0


class Timers:
    """Actions and the times at which they are due, in seconds since the epoch; each has a key of its own."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._queue: list[tuple[float, int, Hashable]] = []
        self._actions: dict[Hashable, tuple[int, Callable[[], None]]] = {}
        self._numbers = itertools.count()

    def at(self, due: float, key: Hashable, action: Callable[[], None]) -> None:
        """Plan an action; one that was planned by the same key before is forgotten."""
        with self._condition:
            number = next(self._numbers)
            self._actions[key] = (number, action)
            heapq.heappush(self._queue, (due, number, key))
            self._condition.notify()

    def forget(self, key: Hashable) -> None:
        """Take an action back, if it is still planned."""
        with self._condition:
            self._actions.pop(key, None)

    def run(self, turn: AbstractContextManager[Any], after: Callable[[], None]) -> None:
        """Carry out what is due, for ever.

        Args:
            turn: held around each action, as around each call of the API.
            after: called behind each action.
        """
        while True:
            key = self._next()
            with turn:
                # Looked up within the turn: a call that was answered meanwhile may have taken it back.
                action = self._take(key)
                if action is not None:
                    try:
                        action()
                    except Exception:
                        traceback.print_exc()
            after()

    def _next(self) -> tuple[int, Hashable]:
        """Wait until something is due."""
        with self._condition:
            while True:
                while self._queue and self._actions.get(self._queue[0][2], (-1,))[0] != self._queue[0][1]:
                    heapq.heappop(self._queue)
                left = self._queue[0][0] - time.time() if self._queue else _LOOK_EVERY
                if left <= 0:
                    _, number, key = heapq.heappop(self._queue)
                    return number, key
                self._condition.wait(min(left, _LOOK_EVERY))

    def _take(self, due: tuple[int, Hashable]) -> Callable[[], None] | None:
        number, key = due
        with self._condition:
            planned, action = self._actions.get(key, (-1, None))
            if planned != number:
                return None
            del self._actions[key]
            return action


#: The one of this process.
TIMERS: Final = Timers()
