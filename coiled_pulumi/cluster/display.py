"""What a user sees while a cluster comes up: a table on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from coiled_pulumi.cluster.failure import listed
from coiled_pulumi.cluster.stages import STAGES, Snapshot

#: Where nothing changes for so long, a plain log says what it waits for. Seconds.
HEARTBEAT: Final = 10.0
#: Columns of the bar of one stage.
_BAR: Final = 24


class View(Protocol):
    """Something that shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show how it is now."""

    def end(self, text: str = "") -> None:
        """Show no more, and leave a line."""


def view(*, quiet: bool = False) -> View:
    """Give what fits where we run; nothing at all is shown where that is asked for."""
    if quiet:
        return Silence()
    if (display := _notebook()) is not None:
        return Notebook(display)
    from rich.console import Console

    console = Console(stderr=True)
    return (
        Terminal(console)
        if console.is_terminal
        else Lines(lambda text: print(text, file=sys.stderr, flush=True))
    )


class Silence:
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def end(self, text: str = "") -> None:
        """Leave nothing."""


class Lines:
    """A line for every change, and one now and then where nothing changes."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._last: tuple[object, ...] = ()
        self._at = clock()
        self._told: set[str] = set()

    def show(self, snapshot: Snapshot) -> None:
        """Write what is new."""
        for text in (*snapshot.notes, *listed(snapshot.reasons)):
            if text not in self._told:
                self._told.add(text)
                self._say(snapshot, f"! {text}")
        # What the engine has made changes many times a second.
        now = (snapshot.title, snapshot.scheduler, *snapshot.counts.values())
        if now != self._last or self._clock() - self._at >= HEARTBEAT:
            self._last = now
            self._say(snapshot, line(snapshot))

    def end(self, text: str = "") -> None:
        """Write the last line."""
        if text:
            self._write(text)

    def _say(self, snapshot: Snapshot, text: str) -> None:
        self._at = self._clock()
        self._write(f"{snapshot.seconds:6.1f}s {text}")


class Terminal:
    """A table that is drawn anew."""

    def __init__(self, console: Any) -> None:
        from rich.live import Live

        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it."""
        self._live.update(table(snapshot))

    def end(self, text: str = "") -> None:
        """Take the table away."""
        self._live.stop()
        if text:
            self._console.print(text, markup=False, highlight=False)


class Notebook:
    """A piece of HTML below the cell, which needs no widgets."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._shown = ""

    def show(self, snapshot: Snapshot) -> None:
        """Put it in the place of the one before."""
        self._put(as_html(snapshot))

    def end(self, text: str = "") -> None:
        """Leave a line, or what was shown last."""
        if text:
            self._put(f"<pre>{html.escape(text)}</pre>")

    def _put(self, made: str) -> None:
        if made == self._shown:
            return
        self._shown = made
        bundle = {"text/html": made, "text/plain": ""}
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def line(snapshot: Snapshot) -> str:
    """Say in one line how it is."""
    if snapshot.work is not None and not snapshot.wanted:
        done, begun = snapshot.work
        return f"{snapshot.title}: {done} of {begun} resources" if begun else f"{snapshot.title} ..."
    stages = ", ".join(f"{count} {name.lower()}" for name, count in snapshot.counts.items() if count)
    of = f"{snapshot.ready} of {snapshot.wanted} workers ready"
    more = f" ({stages})" if stages and snapshot.ready != snapshot.wanted else ""
    return f"{snapshot.title}: scheduler {snapshot.scheduler.lower()}, {of}{more}"


def table(snapshot: Snapshot) -> Any:
    """Draw a bar per stage, with what is in the way below."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble((snapshot.title, "bold"), (f"  {snapshot.seconds:.0f} s", "dim"))
    rows = Table.grid(padding=(0, 2))
    if snapshot.work is not None:
        done, begun = snapshot.work
        rows.add_row("Resources", _bar(done, begun), f"{done}/{begun}")
    rows.add_row("Scheduler", snapshot.scheduler, "")
    for name in STAGES:
        count = snapshot.counts.get(name, 0)
        rows.add_row(name, _bar(count, snapshot.wanted), str(count), style="" if count else "dim")
    notes = [Text.from_markup(f"[yellow]{escape(text)}[/]") for text in snapshot.notes[-3:]]
    reasons = [Text.from_markup(f"[red]{escape(text)}[/]") for text in listed(snapshot.reasons)]
    link = [Text(snapshot.dashboard, style="dim", overflow="fold")] if snapshot.dashboard else []
    return Group(head, rows, *notes, *reasons, *link)


def as_html(snapshot: Snapshot) -> str:
    """Give the same as HTML."""
    rows = [("Scheduler", html.escape(snapshot.scheduler))]
    if snapshot.work is not None:
        rows.insert(0, ("Resources", f"{snapshot.work[0]} of {snapshot.work[1]}"))
    rows += [(name, str(snapshot.counts.get(name, 0))) for name in STAGES]
    cells = "".join(
        f'<tr><td style="text-align: left;">{name}</td><td style="text-align: right;">{value}</td></tr>'
        for name, value in rows
    )
    told = "".join(
        f"<li>{html.escape(text)}</li>" for text in (*snapshot.notes[-3:], *listed(snapshot.reasons))
    )
    link = html.escape(snapshot.dashboard, quote=True)
    dashboard = f'<p>Dashboard: <a href="{link}" target="_blank">{link}</a></p>' if link else ""
    more = f"<ul>{told}</ul>" if told else ""
    title = f"<p><b>{html.escape(snapshot.title)}</b> {snapshot.seconds:.0f} s</p>"
    return f"<div>{title}<table>{cells}</table>{more}{dashboard}</div>"


def _bar(part: int, whole: int) -> str:
    full = _BAR * min(part, whole) // whole if whole else 0
    return "━" * full + "[dim]" + "━" * (_BAR - full) + "[/]"


def _notebook() -> Callable[..., Any] | None:
    """Give what shows something below the cell that runs; None where nobody runs cells."""
    loaded = sys.modules.get("IPython")
    with contextlib.suppress(AttributeError, ImportError):
        shell = loaded.get_ipython() if loaded else None
        if shell is not None and getattr(shell, "kernel", None) is not None:
            return sys.modules["IPython.display"].display
    return None
