"""The view of an operation while it runs: a tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from coiled_pulumi.cli.console import Console

if TYPE_CHECKING:
    from coiled_pulumi.ops.events import Progress, Row

OnRows = Callable[["Progress", "list[Row]"], None]
#: Seconds from any fixed point.
Clock = Callable[[], float]
#: Of an operation: it is done now, is only planned, or finds what somebody else did (a refresh).
Tense = Literal["done", "planned", "found"]

#: Where nothing ends for so long, a plain log says what it waits for. Seconds.
HEARTBEAT = 10.0
#: More running resources than this are counted, not listed, so that the tree fits a screen.
MAX_RUNNING = 8

SIGNS = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "±",
    "create-replacement": "+",
    "delete-replaced": "-",
    "import": "=",
    "refresh": "?",
}
_DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "create-replacement": "created as replacement",
    "delete-replaced": "deleted after replacement",
}
_FOUND = {"update": "changed outside of Pulumi", "delete": "gone"}
#: What stands for work that other rows do, or for looking.
_NO_WORK = frozenset({"replace", "refresh"})
_STOPPING = "stopping: the engine ends what it has begun; Ctrl-C again stops at once"


@contextlib.contextmanager
def view(
    console: Console, title: str, *, tense: Tense = "done", clock: Clock = time.monotonic
) -> Iterator[OnRows]:
    """Show an operation on stderr until the block ends; gives the function that takes its events."""
    rich = console.rich(stderr=True)
    if rich.is_terminal and not console.as_json:
        yield from _tree(rich, title, clock)
    else:
        yield _lines(console, title, tense, clock)


def is_physical(row: Row) -> bool:
    """Tell what exists in AWS from what only groups it in Pulumi."""
    return not row.type.startswith(("coiled:", "pulumi:pulumi:", "pulumi:providers:"))


def short_type(token: str) -> str:
    """Give the end of a type token: `Vpc` of `aws:ec2/vpc:Vpc`."""
    return token.rsplit(":", 1)[-1]


def _lines(console: Console, title: str, tense: Tense, clock: Clock) -> OnRows:
    console.note(f"{title} ...")
    began = clock()
    last = [began]
    told: list[str] = []

    def on_rows(progress: Progress, rows: list[Row]) -> None:
        now = clock()
        if progress.stopping and not told:
            told.append(_STOPPING)
            console.note(f"{now - began:6.1f}s   {_STOPPING}")
        for row in rows:
            if line := _line(row, tense):
                console.note(f"{now - began:6.1f}s {line}")
                last[0] = now
        if now - last[0] >= HEARTBEAT:
            running = [r.name for r in progress.rows.values() if r.state == "running" and is_physical(r)]
            if running:
                more = f" and {len(running) - 3} more" if len(running) > 3 else ""
                console.note(f"{now - began:6.1f}s   waiting for {', '.join(running[:3])}{more}")
            last[0] = now

    return on_rows


def _line(row: Row, tense: Tense) -> str:
    """Say what became of a resource; empty where nothing has, as in a preview: its table is still to come."""
    if row.state == "running" or row.op not in SIGNS or not is_physical(row):
        return ""
    what = f"{SIGNS[row.op]} {short_type(row.type)} {row.name}"
    if row.state == "failed":
        return f"{what} failed"
    if tense == "planned" or row.op in _NO_WORK:
        return ""
    words = _FOUND if tense == "found" else _DONE
    return f"{what} {words.get(row.op, row.op)}"


def _tree(rich: Any, title: str, clock: Clock) -> Iterator[OnRows]:
    from rich.live import Live

    began = clock()
    with Live(console=rich, refresh_per_second=8, transient=True) as live:

        def on_rows(progress: Progress, rows: list[Row]) -> None:
            del rows  # the tree is drawn from the whole picture
            live.update(tree_of(progress, title, clock() - began))

        yield on_rows


def tree_of(progress: Progress, title: str, elapsed: float) -> Any:
    """Draw the components with what is done in each, and what runs or failed right now."""
    from rich.tree import Tree

    children: dict[str, list[Row]] = defaultdict(list)
    for row in progress.rows.values():
        children[row.parent].append(row)
    stopping = f"\n[yellow]{_STOPPING}[/]" if progress.stopping else ""
    root = Tree(f"[bold]{title}[/] [dim]{elapsed:.0f} s[/]{stopping}")
    for row in progress.rows.values():
        if row.type.startswith("coiled:") and row.type != "coiled:index:Workspace":
            _branch(root, row, children[row.urn], elapsed)
    return root


def _branch(root: Any, component: Row, rows: list[Row], elapsed: float) -> None:
    done = sum(row.state == "done" for row in rows)
    colour = "green" if rows and done == len(rows) else "cyan"
    branch = root.add(
        f"[{colour}]{short_type(component.type)}[/] {component.name} [dim]{done}/{len(rows)}[/]"
    )
    running = [row for row in rows if row.state == "running"]
    for row in rows:
        if row.state == "failed":
            branch.add(f"[red]failed[/] {short_type(row.type)} {row.name}")
    for row in running[:MAX_RUNNING]:
        sign = SIGNS.get(row.op, " ")
        branch.add(f"{sign} {short_type(row.type)} {row.name} [dim]{max(elapsed - row.started, 0):.0f} s[/]")
    if len(running) > MAX_RUNNING:
        branch.add(f"[dim]and {len(running) - MAX_RUNNING} more[/]")
