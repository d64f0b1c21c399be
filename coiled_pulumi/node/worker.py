"""A worker's process: `python -m coiled_pulumi.node.worker`, everything else from the run folder.

It is the nanny; the worker itself is its child. The nanny outlives breaks of the network: distributed gives a silent
connection up after `distributed.comm.timeouts.tcp` (30 s), shorter breaks cost nothing, and after longer ones another
worker process takes the place of the one that the scheduler gave up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from coiled_pulumi.node import dask_run
from coiled_pulumi.node.status import Status
from coiled_pulumi.node.timers import WorkerClock

if TYPE_CHECKING:
    from coiled_pulumi.node.dask_run import Run
    from coiled_pulumi.node.security import NodeSecurity
    from coiled_pulumi.node.servers import NodeNanny

#: Seconds for data to move elsewhere: a spot instance has 120 from the notice on.
_RETIRING: Final = 100.0
#: Seconds in which a worker closes that has nothing left to do but to end its tasks.
_CLOSING: Final = 15.0
#: Seconds in which a scheduler answers that can be asked to take over.
_ANSWER: Final = 5.0
#: Seconds between two lines about a scheduler that is not there.
_LINES: Final = 30.0
#: Reasons of a nanny to close that are failures, not somebody's wish.
_FAILURES: Final = ("nanny-start-failed", "nanny-instantiate-failed", "nanny-unregister-failed")

# Not by __name__, which is __main__ here.
_log = logging.getLogger("coiled_pulumi.node.worker")


def main() -> int:
    """Work until SIGTERM, or until the scheduler sends the worker away."""
    return asyncio.run(_serve(dask_run.begin()))


async def _serve(run: Run) -> int:
    from coiled_pulumi.node.security import NodeSecurity

    loop = asyncio.get_running_loop()
    life = _Life(run, NodeSecurity(run.folder))
    working = loop.create_task(life.work())

    def terminate() -> None:
        # A second one does not wait for anything; the worker process ends with its parent.
        loop.add_signal_handler(signal.SIGTERM, os._exit, 128 + signal.SIGTERM)
        working.cancel()

    loop.add_signal_handler(signal.SIGTERM, terminate)
    loop.add_signal_handler(signal.SIGHUP, life.reload)
    company = [loop.create_task(life.status.beat())]
    try:
        return await working
    except asyncio.CancelledError:
        await life.leave()
        return 0
    finally:
        for task in [*company, *life.watching]:
            task.cancel()
        life.status.close()


class _Life:
    """What is done in order: wait for the scheduler, work, leave."""

    def __init__(self, run: Run, security: NodeSecurity) -> None:
        self._run, self._security = run, security
        self._nanny: NodeNanny | None = None
        self.status = Status(run.folder / "status")
        self.watching: list[asyncio.Task] = []

    def reload(self) -> None:
        """Read the certificates again."""
        if self._nanny is not None:
            self._nanny.reload()
        else:
            self._security.reload()

    async def work(self) -> int:
        """Work until the nanny ends by itself; give the exit code."""
        from coiled_pulumi.node.servers import NodeNanny

        await self._reach()
        self.watching.append(asyncio.get_running_loop().create_task(self._watch()))
        while True:
            nanny = self._nanny = NodeNanny(self._run, self._security)
            try:
                await nanny
                break
            except RuntimeError:
                if await self._answers():
                    raise
                await self._reach()
        self.status.send("joined", detail=nanny.worker_address)
        await nanny.finished()
        _log.info("the nanny ended: %s", nanny.ended_by)
        return 1 if nanny.ended_by in _FAILURES else 0

    async def leave(self) -> None:
        """Have the scheduler move what only this worker holds, then close."""
        nanny = self._nanny
        if nanny is None:
            return
        if nanny.worker_address and await self._answers():
            _log.info("leaving: data moves to other workers")
            try:
                if await self._ask(
                    "retire_workers", _RETIRING, workers=[nanny.worker_address], close_workers=True
                ):
                    _log.info("data moved")
                    # The scheduler has the worker close, and the worker its nanny: another close at the same time
                    # would be in their way.
                    await asyncio.wait_for(nanny.finished(), _CLOSING)
                else:
                    _log.warning("nobody could take the data")
            except (OSError, TimeoutError) as error:
                _log.warning("not everything was done in order: %r", error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(nanny.close(reason="sigterm"), _CLOSING)

    async def _reach(self) -> None:
        """Wait for the scheduler, without end and without noise."""
        from distributed.comm import connect

        loop = asyncio.get_running_loop()
        told = loop.time()
        while True:
            try:
                options = self._security.get_connection_args("worker")
                comm = await connect(self._run.scheduler, timeout=_LINES, **options)
            except OSError as error:
                if loop.time() - told >= _LINES:
                    told = loop.time()
                    _log.info("waiting for the scheduler at %s: %s", self._run.scheduler, error)
                await asyncio.sleep(1)
            else:
                comm.abort()
                return

    async def _answers(self, patience: float = _ANSWER) -> bool:
        try:
            await self._ask("identity", patience, n_workers=0)
        except (OSError, TimeoutError):
            return False
        return True

    async def _ask(self, what: str, patience: float, **details: Any) -> Any:
        """Ask the scheduler over a connection of its own, which nothing that happens to the nanny breaks."""
        from distributed.core import rpc

        remote = rpc(self._run.scheduler, connection_args=self._security.get_connection_args("worker"))
        try:
            return await asyncio.wait_for(getattr(remote, what)(**details), patience)
        finally:
            await remote.close_rpc()

    async def _watch(self) -> None:
        """Ask the scheduler now and then, by connections of our own: restarts of the worker hide nothing."""
        loop = asyncio.get_running_loop()
        clock = WorkerClock(self._run.limits, loop.time())
        while True:
            await asyncio.sleep(clock.interval)
            if await self._answers(clock.patience):
                clock.answered(loop.time())
            elif end := clock.unanswered(loop.time()):
                _log.warning("the scheduler is lost: %s", end.detail)
                self.status.send("end", reason=end.reason, detail=end.detail)


if __name__ == "__main__":
    sys.exit(main())
