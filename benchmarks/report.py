"""The table for people and the JSON beside it."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.results import Finding, Pair, Phases, Single, Size, plain
from coiled_pulumi.engine import locate, versions
from coiled_pulumi.ops.timeline import PHASES

_PAIRS = """
| step | A | B | A, s | B, s | A/B | min | max | target | met | |
|---|---|---|---|---|---|---|---|---|---|---|
"""
_SINGLES = """
| command | median, s | min, s | max, s | target, s | met | |
|---|---|---|---|---|---|---|
"""
_SIZES = """
| state | bytes | resources | of them AWS's | bytes per resource |
|---|---|---|---|---|
"""
_PHASES = """
| boot of | workers | {phases} |
|---|---|{lines}|
""".format(
    phases=" | ".join(f"{phase}, s" for phase in (*PHASES, "total")),
    lines="|".join(["---"] * (len(PHASES) + 1)),
)
_HOW = """
Times are of whole processes, by the wall clock, from before the process starts until it has ended.
The two sides of a row take turns in one run (A B, B A, A B ...), after a warm-up of both that is not counted.
A, s and B, s are medians; A/B is the median of the rounds' ratios, min and max are of these.
Per round, stacks go up once, up again three times and down once; commands run four times, clusters once, and
lines are shipped twice.
Stacks are brought up by bare `pulumi up --skip-preview` on a local AWS that was started for the run.
Its answers take milliseconds; the AWS provider's fixed waits (5 s for an instance profile, 10 s for an
instance) are the real ones.
Bytes are those of the checkpoint file in a file backend, uncompressed.

Of clusters whose machines really run, times are taken within the process, from the constructor or the call that
scales until the result or the last worker is there; imports come before, deleting after.
The bare processes are `dask scheduler` and `dask worker` over TLS, all started at once on the same machine; the
engine alone starts the same cluster on a local AWS whose machines are on paper.
A worker of ours is a machine that boots first: an agent, a network of its own and the process of Dask.
Phases of a boot are median / max over the workers of all rounds, from what AWS and the machines told; AWS tells
whole seconds of a launch, so the first phase is up to one second too long.
Lines are timed from the start of the process that prints them until the last can be read in CloudWatch. Their floor
is a reader of the same pipe that drops them, and then PutLogEvents alone, in as few calls as AWS's limits allow.

    python -m benchmarks --rounds {rounds} --write docs/benchmarks.md
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the numbers were measured on; neither its name nor its paths."""

    cpu: str
    cores: int
    memory_gib: float
    load: float
    """Load average of the minute before the run."""
    python: str
    pulumi: str
    sdk: str
    aws_plugin: str


def machine() -> Machine:
    """Look at this machine."""
    engine = locate.find()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo")),
        cores=os.cpu_count() or 0,
        memory_gib=round(pages / 2**30, 1),
        load=round(os.getloadavg()[0], 1),
        python=platform.python_version(),
        pulumi=engine.version if engine else "none",
        sdk=metadata.version("pulumi"),
        aws_plugin=versions.PLUGIN_VERSION,
    )


def cpu_model(file: Path) -> str:
    """Read the processor's name, where the kernel tells it."""
    text = file.read_text() if file.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def today() -> str:
    """Give the date of the run."""
    return datetime.now(UTC).date().isoformat()


def as_json(findings: list[Finding], where: Machine, *, date: str, rounds: int) -> str:
    """Make the JSON: every sample, and what was made of them."""
    record = {
        "version": 1,
        "date": date,
        "rounds": rounds,
        "machine": asdict(where),
        "findings": [plain(finding) for finding in findings],
    }
    return json.dumps(record, indent=1) + "\n"


def as_markdown(findings: list[Finding], where: Machine, *, date: str, rounds: int) -> str:
    """Make the page."""
    text = (
        f"# Benchmarks\n\n{date}, {rounds} rounds. "
        f"{where.cores} cores of {where.cpu}, {where.memory_gib} GiB of memory, "
        f"load {where.load} before the run.\n"
        f"Python {where.python}, Pulumi {where.pulumi} with SDK {where.sdk}, AWS plugin {where.aws_plugin}.\n"
    )
    tables = (
        (_PAIRS, Pair, _pair),
        (_SINGLES, Single, _single),
        (_SIZES, Size, _size),
        (_PHASES, Phases, _phases),
    )
    for head, kind, row in tables:
        rows = [row(finding) for finding in findings if isinstance(finding, kind)]
        if rows:
            text += head + "".join(rows)
    return text + "\n## How it was measured\n" + _HOW.format(rounds=rounds)


def _pair(pair: Pair) -> str:
    seconds = [statistics.median(samples) for samples in (pair.subject_seconds, pair.base_seconds)]
    ratios = [statistics.median(pair.ratios), min(pair.ratios), max(pair.ratios)]
    target = "" if pair.limit is None else f"<= {pair.limit:.2f}"
    cells = [pair.name, pair.subject, pair.base, *(f"{value:.2f}" for value in seconds)]
    return _row(*cells, *(f"{ratio:.3f}" for ratio in ratios), target, _met(pair.met), pair.note)


def _single(single: Single) -> str:
    seconds = [statistics.median(single.seconds), min(single.seconds), max(single.seconds)]
    target = "" if single.limit is None else f"<= {single.limit:.1f}"
    return _row(single.name, *(f"{value:.2f}" for value in seconds), target, _met(single.met), single.note)


def _size(size: Size) -> str:
    counts = (size.size, size.resources, size.aws_resources, size.size // size.resources)
    return _row(size.name, *(f"{count:,}" for count in counts))


def _phases(phases: Phases) -> str:
    cells = [
        f"{statistics.median(seconds):.2f} / {max(seconds):.2f}" if seconds else ""
        for seconds in (phases.seconds[phase] for phase in (*PHASES, "total"))
    ]
    return _row(phases.name, f"{phases.workers:,}", *cells)


def _met(met: bool | None) -> str:  # noqa: FBT001 it is the thing to be shown
    return {True: "yes", False: "**no**", None: ""}[met]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"
