"""The one way out for what the machine says: without secrets, to the instance's stream in CloudWatch."""

from __future__ import annotations

import threading
from collections.abc import Callable

from coiled_pulumi.node.logs import Stream
from coiled_pulumi.node.redact import Redactor


class Journal:
    """Takes the lines of Dask and of the agent, and keeps them until it is known who this machine is."""

    def __init__(self, redactor: Redactor, show: Callable[[str], None]) -> None:
        self.redactor = redactor
        self._show = show
        self._early: list[str] = []
        self._stream: Stream | None = None
        self._lock = threading.Lock()

    def open(self, stream: Stream) -> None:
        """Send everything there from now on."""
        with self._lock:
            stream.write(self._early)
            self._early, self._stream = [], stream

    def write(self, lines: list[str]) -> None:
        """Take lines that hold no secrets."""
        with self._lock:
            if self._stream is None:
                self._early.extend(lines)
            else:
                self._stream.write(lines)

    def tell(self, text: str) -> None:
        """Say something of the agent's own; it is shown on the machine too."""
        lines = [f"coiled-pulumi: {line}" for line in self.redactor.text(text).splitlines()]
        for line in lines:
            self._show(line)
        self.write(lines)

    def follow(self) -> Callable[[list[str]], list[str]]:
        """Give what takes the lines of one process, and returns what may be seen of them."""
        redact = self.redactor.follow()

        def take(lines: list[str]) -> list[str]:
            seen = redact(lines)
            self.write(seen)
            return seen

        return take
