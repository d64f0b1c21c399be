"""Clusters whose machines really run, on this machine: against the engine and bare processes of Dask."""

from __future__ import annotations

import itertools
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.results import Finding, Pair, Phases, in_turns
from benchmarks.sandbox import Sandbox, cli, run, sandbox
from benchmarks.shipping import shipping
from coiled_pulumi.ops.timeline import PHASES

#: A cluster may take this much more than the engine and bare processes one after the other.
FIRST = 1.5
#: More workers may take this much more than as many bare processes: each is a machine that boots first.
SCALE = 2.0
COUNT = 4
FEW, MANY = 5, 40
#: Bytes of a machine with a worker, and of two local AWSs and an engine besides.
EACH, BESIDES = 250_000_000, 2_000_000_000
#: Machines of the cluster before may still be on their way out.
_SPARE = 10
_MEMORY = Path("/proc/meminfo")
_ROOT = Path(__file__).resolve().parents[1]
_WORKSPACE = """\
name: bench
network: {cidr: 10.80.0.0/16}
ingress: [{ports: [22, 8786, 8787], cidr: 127.0.0.1/32}]
"""


def clusters(rounds: int, most: int = MANY) -> list[Finding]:
    """Start clusters and scale them in turns with their floors, and ship logs.

    Args:
        rounds: of everything.
        most: how many workers to scale to, if there is memory for them.
    """
    many = affordable(most, _MEMORY.read_text())
    if many < most:
        print(f"memory is short: scaling to {many} workers, not to {most}", file=sys.stderr)
    with sandbox(hosts=many + _SPARE) as living, sandbox() as paper:
        for aws in (living, paper):
            _bring_up(aws)
        return [
            *_first(rounds, living, paper),
            *_scale(rounds, living, many),
            *shipping(paper, rounds),
        ]


def affordable(wanted: int, meminfo: str) -> int:
    """Tell how many workers there is memory for, of those that are wanted.

    Raises:
        RuntimeError: for too few to measure anything.
    """
    available = next(
        int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:")
    )
    room = (available * 1024 - BESIDES) // EACH - 1  # one is the scheduler
    if min(room, wanted) <= FEW:
        msg = f"scaling takes more than {FEW} workers, and there is memory for {max(room, 0)}"
        raise RuntimeError(msg)
    return min(room, wanted)


def phases(name: str, boots: Iterable[dict[str, Any]]) -> Phases:
    """Put together how long each phase took, from the rows of `cluster status --timeline --json`."""
    boots = list(boots)
    took = {phase: tuple(one["took"][phase] for one in boots if phase in one["took"]) for phase in PHASES}
    return Phases(name, took | {"total": tuple(one["total"] for one in boots)})


def _first(rounds: int, living: Sandbox, paper: Sandbox) -> list[Finding]:
    boots: list[list[dict[str, Any]]] = []
    parts: list[tuple[float, float]] = []

    def ours() -> float:
        told = _timed(living, "first_result", COUNT)
        boots.append(told["boots"])
        return told["seconds"]

    def floor() -> float:
        parts.append(
            (_timed(paper, "engine", COUNT)["seconds"], _timed(paper, "bare_first_result", COUNT)["seconds"])
        )
        return sum(parts[-1])

    subject, base = in_turns(rounds, ours, floor)
    engine, bare = (statistics.median(part) for part in zip(*parts[1:], strict=True))
    title = f"Cluster({COUNT}) to the first result"
    return [
        Pair(
            title,
            "coiled-pulumi",
            "engine alone, then bare processes",
            subject,
            base,
            FIRST,
            f"B is {engine:.1f} s of the engine and {bare:.1f} s of processes",
        ),
        phases(title, itertools.chain(*boots[1:])),
    ]


def _scale(rounds: int, living: Sandbox, many: int) -> list[Finding]:
    boots: list[list[dict[str, Any]]] = []

    def ours() -> float:
        told = _timed(living, "scale", FEW, many)
        boots.append(told["boots"])
        return told["seconds"]

    subject, base = in_turns(rounds, ours, lambda: _timed(living, "bare_scale", many - FEW)["seconds"])
    title = f"{FEW} to {many} workers"
    more = many - FEW
    note = f"{more / statistics.median(subject):.1f} workers/s against {more / statistics.median(base):.1f}"
    return [
        Pair(title, "coiled-pulumi", f"{more} bare processes", subject, base, SCALE, note),
        phases(title, itertools.chain(*boots[1:])),
    ]


def _bring_up(aws: Sandbox) -> None:
    file = aws.folder / "bench.yaml"
    file.write_text(_WORKSPACE)
    run([cli(), "up", "--file", str(file), "--yes"], env=_environment(aws))


def _timed(aws: Sandbox, what: str, *numbers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.timed", what, *map(str, numbers)]
    return json.loads(run(command, env=_environment(aws), folder=_ROOT).output.splitlines()[-1])


def _environment(aws: Sandbox) -> dict[str, str]:
    ours = {
        name: value for name, value in aws.env.items() if not name.startswith(("DASK_", "COILED_PULUMI_ME"))
    }
    return ours | {"XDG_STATE_HOME": str(aws.folder / "state"), "COILED_PULUMI_WORKSPACE": "bench"}
