"""The scheduler's process: `python -m coiled_pulumi.node.scheduler`, everything else from the run folder."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from coiled_pulumi.node import dask_run
from coiled_pulumi.node.status import Status
from coiled_pulumi.node.timers import SchedulerClock

if TYPE_CHECKING:
    from coiled_pulumi.node.dask_run import Run
    from coiled_pulumi.node.servers import NodeScheduler

#: Seconds that closing may take.
_CLOSING: Final = 10.0

# Not by __name__, which is __main__ here.
_log = logging.getLogger("coiled_pulumi.node.scheduler")


def main() -> int:
    """Serve until SIGTERM, or until a client shuts the cluster down."""
    asyncio.run(_serve(dask_run.begin()))
    return 0


async def _serve(run: Run) -> None:
    # Dask's configuration has to stand before these are imported.
    from coiled_pulumi.node.security import NodeSecurity
    from coiled_pulumi.node.servers import NodeScheduler

    loop = asyncio.get_running_loop()
    clock, status = SchedulerClock(run.limits, loop.time()), Status(run.folder / "status")
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Before the files are read, so that no renewal is missed; it acts when the loop turns, and there is one by then.
    loop.add_signal_handler(signal.SIGHUP, lambda: _reload(run, scheduler))
    scheduler = NodeScheduler(run, NodeSecurity(run.folder), _token(run))
    await scheduler
    # Only the lifetime counts from before: on a machine that just booted, starting takes its time.
    clock.observe(loop.time(), busy=True, clients=1)
    status.send("listening", detail=scheduler.address)
    company = [loop.create_task(status.beat()), loop.create_task(_watch(scheduler, clock, status))]
    finished, stopped = loop.create_task(scheduler.finished()), loop.create_task(stop.wait())
    await asyncio.wait([finished, stopped], return_when=asyncio.FIRST_COMPLETED)
    loop.add_signal_handler(signal.SIGTERM, os._exit, 128 + signal.SIGTERM)
    for task in company:
        task.cancel()
    if stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(scheduler.leave(), _CLOSING)
    else:
        status.send("end", reason="shutdown", detail="a client shut the cluster down")
    stopped.cancel()
    status.close()


def _token(run: Run) -> str:
    return (run.folder / "token").read_text().strip()


def _reload(run: Run, scheduler: NodeScheduler) -> None:
    scheduler.security.reload()
    try:
        scheduler.door.renew(_token(run))
    except (OSError, ValueError) as error:
        _log.error("the dashboard's token can't be read, the old one stays: %s", error)


async def _watch(scheduler: NodeScheduler, clock: SchedulerClock, status: Status) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(clock.interval)
        end = clock.observe(loop.time(), busy=scheduler.was_busy(), clients=scheduler.count_clients())
        if end:
            _log.info("the cluster has to end: %s (%s)", end.reason, end.detail)
            status.send("end", reason=end.reason, detail=end.detail)


if __name__ == "__main__":
    sys.exit(main())
