"""The marks of a boot: which step this machine has reached, when, and how long that took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final, Literal

Phase = Literal["booted", "environment", "configured", "started", "joined", "retiring", "ended"]
#: Longest detail, in characters; the end of a text says more than its beginning.
MAX_DETAIL: Final = 8000


class Phases:
    """Makes the marks and hands them on; never waits.

    Args:
        about: what every mark says: instance, role, group.
        redact: takes secrets out of reasons and details.
        write: take one line each.
        clock: gives the time in seconds.
    """

    def __init__(
        self, about: dict[str, str], redact: Callable[[str], str],
        *write: Callable[[list[str]], None], clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._about, self._redact, self._write, self._clock = about, redact, write, clock
        self._last: float | None = None

    def mark(self, phase: Phase, reason: str | None = None, detail: str | None = None, **more: float) -> None:
        """Tell that a phase was reached, or with a reason that it was not or why."""
        at = self._clock()
        took = None if self._last is None else round(max(at - self._last, 0.0), 3)
        self._last = at
        detail = None if detail is None else self._redact(detail)[-MAX_DETAIL:]
        reason = None if reason is None else self._redact(reason)
        mark = {
            "phase": phase,
            **self._about,
            "at": at,
            "took": took,
            "reason": reason,
            "detail": detail,
            **more,
        }
        for write in self._write:
            write([json.dumps(mark)])
