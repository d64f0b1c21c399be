"""`coiled-pulumi cluster status --timeline`: how each machine of a cluster came up, as a chart of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli.console import Console
from coiled_pulumi.values import WORKERS

if TYPE_CHECKING:
    from coiled_pulumi.ops.sessions import Session
    from coiled_pulumi.ops.timeline import Boot

#: Columns of the bar of the slowest machine; each phase is drawn by its first letter.
_BAR = 40
#: The machines of a cluster are launched together, and clocks differ. Seconds.
_EARLIER = 120.0


def show(console: Console, session: Session) -> None:
    """Print the boots of the machines of a cluster, the slowest last.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    from coiled_pulumi.aws import machines, node_logs
    from coiled_pulumi.ops import timeline

    known = machines.of_cluster(session.workspace, session.name, session.region)
    scheduler = known.get(session.scheduler_id)
    # Earlier clusters of that name have written into the same stream.
    since = scheduler.launched.timestamp() - _EARLIER if scheduler else 0.0
    follower = node_logs.phases(session.workspace, session.name, session.region, since=int(since * 1000))
    marks = [mark for line in follower.read() if (mark := node_logs.mark(line.text))]
    unknown = {mark.instance for mark in marks} - known.keys()
    known |= machines.of(unknown, session.region)
    found = timeline.boots(marks, {name: one.launched.timestamp() for name, one in known.items()})
    heard = {one.instance for one in found}
    silent = sorted(
        name for name, one in known.items() if name not in heard and one.state in ("pending", "running")
    )
    told = timeline.summary(found)
    if console.as_json:
        rows = [_row(one) for one in found]
        console.data({
            "version": 1, "workspace": session.workspace, "cluster": session.name, "machines": rows,
            "silent": silent, "summary": told,
        })  # fmt: skip
        return
    for line in chart(found):
        console.text(line)
    console.text(_summary(told, len(silent)))


def chart(found: list[Boot]) -> Iterator[str]:
    """Draw the boots: durations in seconds, and a bar in which each phase has its first letter."""
    from coiled_pulumi.ops.timeline import PHASES

    if not found:
        return
    names = [_name(one) for one in found]
    wide = max(len("machine"), *map(len, names))
    ids = max(len("instance"), *(len(one.instance) for one in found))
    longest = max(one.total for one in found) or 1.0
    heads = "".join(f"{phase:>12}" for phase in PHASES)
    yield f"{'machine':{wide}}  {'instance':{ids}}{heads}{'total':>9}"
    for name, one in zip(names, found, strict=True):
        numbers = "".join(
            f"{one.took[phase]:>12.1f}" if phase in one.took else f"{'-':>12}" for phase in PHASES
        )
        failed = f"  {one.failed}" if one.failed else ""
        yield f"{name:{wide}}  {one.instance:{ids}}{numbers}{one.total:>9.1f}  {_bar(one, longest)}{failed}"


def _bar(one: Boot, longest: float) -> str:
    from coiled_pulumi.ops.timeline import PHASES

    bar, seconds = "", 0.0
    for phase in PHASES:
        seconds += one.took.get(phase, 0.0)
        # Ends where the phase does, so that bars of all machines can be compared.
        bar += phase[0] * (round(_BAR * seconds / longest) - len(bar))
    return bar


def _name(one: Boot) -> str:
    return one.role if one.group in ("", WORKERS) else f"{one.role} {one.group}"


def _row(one: Boot) -> dict[str, Any]:
    return {
        "instance": one.instance,
        "role": one.role,
        "group": one.group or None,
        "launched": round(one.begins, 3),
        "took": {phase: round(seconds, 3) for phase, seconds in one.took.items()},
        "total": round(one.total, 3),
        "up": one.is_up,
        "failed": one.failed or None,
    }


def _summary(told: dict[str, Any], silent: int) -> str:
    said = (
        f"{told['joined']} of {told['workers'] + silent} workers joined"
        if told["workers"] or silent
        else "no workers"
    )
    if told["median"] is not None:
        said += f"; seconds from launch: median {told['median']:.1f}, max {told['max']:.1f}"
    return said + (f"; {silent} more machines have told nothing yet" if silent else "")
