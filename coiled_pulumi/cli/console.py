"""The one object that writes: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from coiled_pulumi.errors import CancelledError, CoiledPulumiError, SpecErrors

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

#: Columns where there is no terminal; longer than any line of ours.
_WIDE = 1000


class Console:
    """Writes what a command has to say, as text or as JSON."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def data(self, value: Any) -> None:
        """Write JSON to stdout."""
        sys.stdout.write(json.dumps(value, indent=2) + "\n")

    def text(self, text: str) -> None:
        """Write text to stdout as it is."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def note(self, text: str) -> None:
        """Write a line for people to stderr."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def ask(self, question: str) -> str:
        """Ask on stderr and give the answer, without spaces around it; typer's prompt writes to stdout too.

        Raises:
            CancelledError: there is none: Ctrl-C, or the end of the input.
        """
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            self.note("")  # the question stands on an open line
            raise CancelledError("stopped by you")
        return line.strip()

    def error(self, error: CoiledPulumiError) -> None:
        """Write an error to stderr; lines that already name a file and a place stand as they are."""
        prefix = "" if isinstance(error, SpecErrors) else "error: "
        self.note(self._red(prefix) + str(error))

    def rich(self, *, stderr: bool = False) -> RichConsole:
        """Give rich's console, for tables and live views; it honours NO_COLOR and the terminal by itself."""
        from rich.console import Console as RichConsole

        # In a pipe nothing is cut or wrapped to the width of a terminal that is not there.
        piped = not (sys.stderr if stderr else sys.stdout).isatty()
        return RichConsole(stderr=stderr, highlight=False, soft_wrap=piped, width=_WIDE if piped else None)

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def _red(self, text: str) -> str:
        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return f"\x1b[1;31m{text}\x1b[0m" if text and colour else text
