"""Waiting for workers, shown while it lasts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli import operate
from coiled_pulumi.cli.console import Console
from coiled_pulumi.cli.live import HEARTBEAT, Clock
from coiled_pulumi.errors import CancelledError, CoiledPulumiError

if TYPE_CHECKING:
    from coiled_pulumi.aws.capacity import Counted, TakeOnDemand, Workers
    from coiled_pulumi.ops.engine_run import Result
    from coiled_pulumi.ops.target import Place

Look = Callable[["Mapping[str, Workers]", "list[Counted | TakeOnDemand]"], None]
#: Columns of the bar of one cluster.
_BAR = 20


def finish(
    console: Console,
    target: Place,
    result: Result,
    *,
    wait: bool,
    verb: str = "up",
    more: Mapping[str, Any] | None = None,
) -> None:
    """Sum an `up` up, and wait for its workers.

    Args:
        console: where to.
        target: which stack.
        result: how the engine's run went.
        verb: what was done.
        more: further keys of the JSON.
        wait: whether workers are waited for; the key `workers` of the JSON is null if not.

    Raises:
        WorkersMissingError: not all are there, and no more are to come for now.
        CancelledError: Ctrl-C.
        CoiledPulumiError: AWS could not be asked.
    """
    from coiled_pulumi.ops import workers

    if not console.as_json:
        operate.show(console, verb, target, result)
    ended = wait_for(console, target.workspace, result) if wait else None
    name = target.cluster
    again = (
        f"coiled-pulumi cluster scale {name} {ended[name].wanted}"
        if ended and name in ended
        else "coiled-pulumi up"
    )
    workers.require(ended or {}, again=again)
    if console.as_json:
        told = None if ended is None else workers.as_data(ended)
        console.data(operate.as_data(verb, target.stack, result) | {"workers": told, **(more or {})})


def wait_for(console: Console, workspace: str, result: Result) -> dict[str, Workers]:
    """Wait for the workers of the clusters that a run made or kept; none where it has none.

    Raises:
        CancelledError: Ctrl-C.
        CoiledPulumiError: AWS could not be asked.
    """
    from coiled_pulumi.ops import workers

    region, groups = workers.groups(result.progress)
    if not groups:
        return {}
    try:
        with view(console) as on_look:
            return workers.wait(workspace, region, groups, ago=result.seconds, on_look=on_look)
    except KeyboardInterrupt:
        hint = "the workers go on starting; `coiled-pulumi notifications` tells what is in their way"
        raise CancelledError("stopped waiting for workers", hint) from None
    except CoiledPulumiError as error:
        what = f"all is made, but whether workers start cannot be seen: {error.what}"
        raise type(error)(what, error.hint or "with --no-wait nobody looks") from None


@contextlib.contextmanager
def view(console: Console, *, clock: Clock = time.monotonic) -> Iterator[Look]:
    """Show a wait on stderr until the block ends; gives the function that takes what was seen."""
    rich = console.rich(stderr=True)
    if not rich.is_terminal or console.as_json:
        yield _lines(console, clock)
        return
    from rich.live import Live

    began = clock()
    with Live(console=rich, refresh_per_second=8, transient=True) as live:

        def on_look(picture: Mapping[str, Workers], told: list[Any]) -> None:
            for order in told:
                if text := _note(order):
                    console.note(text)
            live.update(tree_of(picture, clock() - began))

        yield on_look


def tree_of(picture: Mapping[str, Workers], elapsed: float) -> Any:
    """Draw a bar per cluster, with what is in its way below it."""
    from rich.markup import escape
    from rich.tree import Tree

    root = Tree(f"[bold]workers[/] [dim]{elapsed:.0f} s[/]")
    for name in sorted(picture):
        one = picture[name]
        full = _BAR * one.in_service // one.wanted if one.wanted else _BAR
        colour = "green" if one.phase == "there" else "cyan"
        bar = f"[{colour}]{'━' * full}[/][dim]{'━' * (_BAR - full)}[/]"
        branch = root.add(f"{bar} {one.in_service}/{one.wanted} {name}")
        for reason in one.reasons() if one.missing else ():
            branch.add(f"[red]{reason.times} failed[/] {escape(reason.fault.what)}")
    return root


def _lines(console: Console, clock: Clock) -> Look:
    began = clock()
    last = [began]

    def on_look(picture: Mapping[str, Workers], told: list[Any]) -> None:
        now = clock()
        lines = [text for order in told if (text := _note(order) or _count(order))]
        if not lines and now - last[0] >= HEARTBEAT:
            waiting = [one for one in picture.values() if one.phase == "waiting"]
            lines = [
                f"  waiting for {one.missing} of {one.wanted} workers of {one.cluster}" for one in waiting
            ]
        for line in lines:
            console.note(f"{now - began:6.1f}s {line}")
            last[0] = now

    return on_look


def _note(order: Any) -> str:
    """Say that on-demand instances are taken; empty for anything else."""
    if not hasattr(order, "base"):
        return ""
    from coiled_pulumi.ops import workers

    return f"! {order.cluster}: {workers.said(order)}"


def _count(order: Any) -> str:
    return f"  {order.cluster}: {order.in_service} of {order.wanted} workers"
