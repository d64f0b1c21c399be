from __future__ import annotations

import signal

import pytest

from benchmarks import report
from benchmarks.bare_dask import bare_dask
from benchmarks.dask_clusters import BESIDES, EACH, affordable, phases
from benchmarks.results import Phases, missed
from benchmarks.shipping import batches
from coiled_pulumi.node import logs

WHERE = report.Machine("Some CPU", 2, 8.0, 0.1, "3.11.7", "3.259.0", "3.272.0", "7.21.0")


def meminfo(machines: int) -> str:
    free = (BESIDES + EACH * machines) // 1024 + 1
    return f"MemTotal:  99 kB\nMemAvailable:  {free} kB\nBuffers:  1 kB\n"


@pytest.mark.parametrize(("machines", "workers"), [(100, 40), (41, 40), (40, 39), (7, 6)])
def test_it_scales_to_what_there_is_memory_for(machines, workers):
    assert affordable(40, meminfo(machines)) == workers


@pytest.mark.parametrize(("wanted", "machines"), [(40, 6), (40, 0), (5, 100)])
def test_too_few_workers_are_no_measurement(wanted, machines):
    with pytest.raises(RuntimeError, match="takes more than 5 workers"):
        affordable(wanted, meminfo(machines))


def test_phases_are_of_all_workers_by_phase():
    rows = [
        {"took": {"booted": 1.0, "environment": 0.5, "configured": 0.1, "started": 0.0, "joined": 2.0}, "total": 3.6},
        {"took": {"booted": 2.0, "environment": 0.5, "configured": 0.1, "started": 0.0, "joined": 4.0}, "total": 6.6},
    ]  # fmt: skip
    made = phases("5 to 7 workers", rows)
    assert (made.workers, made.seconds["joined"]) == (2, (2.0, 4.0))
    page = report.as_markdown([made], WHERE, date="2026-01-02", rounds=1)
    assert (
        "| 5 to 7 workers | 2 | 1.50 / 2.00 | 0.50 / 0.50 | 0.10 / 0.10 | 0.00 / 0.00 | 3.00 / 4.00 |" in page
    )
    assert '"kind": "phases"' in report.as_json([made], WHERE, date="2026-01-02", rounds=1)


def test_phases_have_no_target():
    assert missed([Phases("boot", {"total": (9.0,)})]) == []


def test_calls_are_as_full_as_cloudwatch_takes_them():
    sizes = [len(batch) for batch in batches([f"line {number}" for number in range(logs.BATCH_EVENTS + 1)])]
    assert sizes == [logs.BATCH_EVENTS, 1]
    assert len(batches(["x" * 100_000] * 11)) == 2


def test_bare_processes_end_with_the_block():
    with bare_dask() as bare:
        bare.scheduler()
        bare.workers(2)
    assert [process.returncode for process in bare.processes] == [-signal.SIGKILL] * 3
