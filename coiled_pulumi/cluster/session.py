"""A cluster as an object: `with Cluster(n_workers=20) as cluster: client = cluster.get_client()`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

import dask.config
from dask.utils import parse_timedelta
from distributed.core import Status, rpc
from distributed.objects import SchedulerInfo
from distributed.security import Security
from distributed.utils import NoOpAwaitable
from tornado.ioloop import IOLoop, PeriodicCallback

from coiled_pulumi.cluster import arguments, closing, display
from coiled_pulumi.cluster.arguments import UNSET, Arguments
from coiled_pulumi.cluster.credentials import client_security
from coiled_pulumi.cluster.looking import Looking
from coiled_pulumi.cluster.start import TICK, Start
from coiled_pulumi.cluster.threads import in_thread
from coiled_pulumi.errors import CoiledPulumiError, NoSuchStackError, UsageError
from coiled_pulumi.ops import sessions, watching
from coiled_pulumi.ops.sessions import Session

#: Between two questions of who is not told by the scheduler, in seconds.
_ASK: Final = 1.0


class Cluster(Looking):
    """A Dask cluster on the network of a workspace, which has to be up.

    A name that is up already is attached to: its size stays, and closing leaves it up. Any other is started, and
    deleted when it is closed, when the program ends, or on Ctrl-C.

    Args:
        name: of the cluster; by default the user's name and eight random digits.
        workspace: its name; by default `coiled-pulumi.workspace` of Dask's configuration, the variable
            COILED_PULUMI_WORKSPACE, or the only one on the backend.
        n_workers: a number, or the two bounds of a cluster that scales by its load.
        worker_cpu: vCPUs of a worker, a number or two bounds.
        worker_memory: memory of a worker as "16 GiB", or two bounds.
        worker_types: instance types of workers in order of preference; not together with cpu and memory.
        worker_gpu: GPUs of a worker, 0 or 1.
        worker_disk_size: GiB of a worker's disk.
        scheduler_cpu: as for workers.
        scheduler_memory: as for workers.
        scheduler_types: as for workers.
        scheduler_disk_size: as for workers.
        worker_groups: further groups of workers, as {"gpu": {"n_workers": 2, "gpu": 1}}.
        spot_policy: `on-demand`, `spot` or `spot_with_fallback`.
        region: another one than the workspace's.
        zone: availability zone.
        backend_options: any of them by name, ours or Coiled's.
        environ: variables of scheduler and workers.
        dask_config: Dask's own configuration on the machines.
        tags: of everything that is made for the cluster.
        container: image to run Dask in.
        packages: Python packages to install, as pip's requirements.
        python: version of Python for them, as "3.12".
        idle_timeout: how long nothing may be computed before the cluster ends itself; by default 20 minutes.
        no_client_timeout: how long it goes on without a client; by default 2 minutes, or `idle_timeout` if that is
            given. None for no such end.
        cluster_timeout: how long it may live at most.
        shutdown_on_close: whether closing deletes it; by default if it was not up before.
        wait_for_workers: True for all, False for none, a number or a fraction of them.
        timeout: how long is waited for all of this, in seconds or as "20 minutes".
        must_exist: whether to attach, and start nothing.
        quiet: show nothing.
        asynchronous: for use within an event loop, with `async with` or `await`.
        loop: the event loop.

    Raises:
        ClusterCreationError: it did not come up, or not enough workers did; what was made is deleted again.
        UsageError: an argument makes no sense.
        CoiledPulumiError: there is no such workspace, no engine, or nobody may do this.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        workspace: str | None = None,
        n_workers: Any = None,
        worker_cpu: Any = None,
        worker_memory: Any = None,
        worker_types: Any = None,
        worker_gpu: Any = None,
        worker_disk_size: int | None = None,
        scheduler_cpu: Any = None,
        scheduler_memory: Any = None,
        scheduler_types: Any = None,
        scheduler_disk_size: int | None = None,
        worker_groups: Mapping[str, Mapping[str, Any]] | None = None,
        spot_policy: str | None = None,
        region: str | None = None,
        zone: str | None = None,
        backend_options: Mapping[str, Any] | None = None,
        environ: Mapping[str, Any] | None = None,
        dask_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        container: str | None = None,
        packages: Iterable[str] | None = None,
        python: str | None = None,
        idle_timeout: Any = None,
        no_client_timeout: Any = UNSET,
        cluster_timeout: Any = None,
        shutdown_on_close: bool | None = None,
        wait_for_workers: bool | int | float = 0.3,
        timeout: Any = 1200,
        must_exist: bool = False,
        quiet: bool = False,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
    ) -> None:
        given = locals()
        self._given = Arguments(**{key: given[key] for key in arguments.NAMES})
        self._wanted = self._given.wanted()
        self._timeout = parse_timedelta(timeout, "s")
        self._wait_for = wait_for_workers
        arguments.awaited(wait_for_workers, _least(n_workers, worker_groups))
        self._workspace = workspace or ""
        self._must_exist = must_exist
        self._owned = False
        self._session: Session | None = None
        self._fleets: dict[str, watching.Fleet] = {}
        self._starting: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.security: Security | None = None
        self.process = os.getpid()
        if loop is None and asynchronous:
            loop = IOLoop.current()
        super().__init__(asynchronous=asynchronous, loop=loop, quiet=quiet, name=name or sessions.new_name())
        self._start_of = Start(self.name, self._tell)
        closing.remember(self)
        if not self.called_from_running_loop:
            self._loop_runner.start()
            try:
                self.sync(self._begin)
            except BaseException:
                self._give_up()
                raise
            self._warn()

    @classmethod
    def from_name(cls, name: str, **options: Any) -> Cluster:
        """Attach to a cluster that is up; closing it leaves it up unless `shutdown_on_close` says otherwise."""
        return cls(name, must_exist=True, **options)

    # Starting

    def __await__(self) -> Any:
        async def begun() -> Cluster:
            first = self._starting is None
            await self._begin()
            if first:
                self._warn()
            return self

        return begun().__await__()

    async def _begin(self) -> None:
        """Start once, however often it is asked for."""
        if self.status in (Status.closing, Status.closed) and self._ending is not None:
            raise UsageError(f"cluster {self.name} is closed")
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())
        await self._starting

    async def _start(self) -> None:
        self.status = Status.starting
        shown = asyncio.ensure_future(self._show())
        try:
            await self._come_up()
        except BaseException:
            await self._undo()
            raise
        finally:
            shown.cancel()
            await asyncio.wait([shown])

    async def _come_up(self) -> None:
        start = self._start_of
        try:
            async with asyncio.timeout(self._timeout):
                session = await self._found_or_made(start)
                start.look_on(session)
                self._meet(session)
                await start.reach(session, self._connection())
                self.scheduler_comm = rpc(session.scheduler, connection_args=self._connection())
                await (super()._start() if self._owned else self._listen())
                await start.workers(session, self._awaited, lambda: self.observed)
        except TimeoutError:
            raise await start.late(self._timeout, self.observed) from None
        await start.look_away()
        await self.look_again()
        if reasons := start.stages.reasons:
            self._tell(f"not all workers came: {reasons[0].what}")
        if self._owned and (pair := arguments.bounds(self._given.n_workers)):
            self.adapt(minimum=pair[0], maximum=pair[1])

    async def _found_or_made(self, start: Start) -> Session:
        await start.locate(self._workspace or _configured("workspace"), _configured("backend"))
        found = await start.find()
        if found is None and self._must_exist:
            found = await in_thread(lambda: sessions.attach(start.place, self.name))
        if found is None:
            self._owned = True
            return await start.make(self._wanted)
        return found

    def _warn(self) -> None:
        """Say that a size that was asked for is not had; to who asked, and not to the loop's thread."""
        if self._session is not None and not self._owned and (sizes := self._given.sizes):
            said = f"cluster {self.name} is up already, and keeps its size: {' and '.join(sizes)} changes nothing"
            warnings.warn(f"{said}; cluster.scale(n) does", stacklevel=3)

    async def _listen(self) -> None:
        """Be told of workers as distributed's own `_start` has it, but by asking.

        A scheduler tells one cluster object alone, the one that asked last: who attaches takes nothing from the owner.
        """
        await self._ask()
        asking = PeriodicCallback(self._ask, _ASK * 1000)
        self.periodic_callbacks["scheduler-info"] = asking
        asking.start()
        self.status = Status.running

    async def _ask(self) -> None:
        with contextlib.suppress(OSError):  # the next time, then
            self.scheduler_info = SchedulerInfo(await self._scheduler().identity())

    async def look_again(self) -> None:
        """Look at what workers there are."""
        if not self._owned:
            await self._ask()
        await super().look_again()

    def _awaited(self, total: int) -> int:
        if isinstance(self._wait_for, int) and not isinstance(self._wait_for, bool):
            return min(self._wait_for, total)
        return arguments.awaited(self._wait_for, total)

    def _meet(self, session: Session) -> None:
        self._session, self.security = session, client_security(session.security)

    def _connection(self) -> dict[str, Any]:
        return self.security.get_connection_args("client") if self.security else {}

    async def _show(self) -> None:
        view, start, loop = display.view(quiet=self.quiet), self._start_of, asyncio.get_running_loop()
        start.begins = lambda: loop.call_soon_threadsafe(view.show, start.snapshot(self.observed))
        try:
            while True:
                view.show(start.snapshot(self.observed))
                await asyncio.sleep(TICK)
        finally:
            start.begins = lambda: None
            up = self.status == Status.running
            view.end(f"cluster {self.name} is up: {self.dashboard_link}" if up else "")

    async def _undo(self) -> None:
        """Leave nothing of what did not come up."""
        start = self._start_of
        await start.look_away()
        await self._disconnect()
        self.status = Status.closing
        if start.made and self._given.shutdown_on_close is not False:
            try:
                await self._delete()
            except CoiledPulumiError as error:
                self._tell(f"what was made of it stays: {error.what}; coiled-pulumi cluster stop {self.name}")
        closing.forget(self)
        self.status = Status.closed

    def _give_up(self) -> None:
        """After a start that failed, or Ctrl-C in it: wait until it has cleaned up, and stop the loop."""

        async def ended() -> None:
            if self._starting is not None:
                await asyncio.wait([self._starting])
                self._starting.cancelled() or self._starting.exception()

        try:
            self.sync(ended)
        finally:
            self.status = Status.closed
            self._loop_runner.stop()

    # Ending

    @property
    def lives_on(self) -> bool:
        """Whether closing leaves it up."""
        asked = self._given.shutdown_on_close
        return not self._owned if asked is None else not asked

    def close(self, timeout: float | None = None, *, force_shutdown: bool = False) -> Any:
        """Close it, and delete it if closing does; waits until that is done.

        Args:
            timeout: how long to wait at most, in seconds.
            force_shutdown: delete it in any case.
        """
        if self.status == Status.closed:
            return NoOpAwaitable() if self.asynchronous else None
        made = self.sync(self._close, force_shutdown=force_shutdown, callback_timeout=timeout)
        if not self.asynchronous:
            self._loop_runner.stop()
        return made

    def shutdown(self) -> Any:
        """Close it and delete it, also one that was attached to."""
        return self.close(force_shutdown=True)

    async def _close(self, *, force_shutdown: bool = False) -> None:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(force=force_shutdown))
        await self._ending

    async def _end(self, *, force: bool) -> None:
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self.status == Status.closed:
            return
        deletes = (force or not self.lives_on) and self._session is not None
        try:
            await self._disconnect()
            self.status = Status.closing
            if deletes:
                await self._delete()
        finally:
            closing.forget(self)
            self.status = Status.closed

    async def _disconnect(self) -> None:
        await super()._close()

    async def _delete(self) -> None:
        with contextlib.suppress(NoSuchStackError):
            await self._start_of.delete()

    def delete(self) -> None:
        """Delete it in this thread, at the end of the interpreter."""
        start = self._start_of
        if start.place is None or self.status == Status.closed:
            return
        with contextlib.suppress(NoSuchStackError):
            start.delete_now()
        self.status = Status.closed

    # Certificates

    def rotate(self) -> Any:
        """Give scheduler, workers and clients new certificates; nothing is interrupted."""
        return self.sync(self._rotate)

    async def _rotate(self) -> None:
        start = self._start_of
        session = await in_thread(
            lambda: sessions.rotate(start.place, self.name, perform=start.perform, tell=self._tell)
        )
        self._meet(session)
        # The connection that stands stays as it is; this is for those that come.
        before, self.scheduler_comm = (
            self._scheduler(),
            rpc(session.scheduler, connection_args=self._connection()),
        )
        await before.close_rpc()


def _least(n_workers: Any, groups: Mapping[str, Any] | None) -> int:
    """Tell how many workers there are to be at least, as far as that is said; what is not is judged elsewhere."""
    if groups or n_workers is None:
        return 1_000_000
    pair = n_workers if isinstance(n_workers, tuple | list) and n_workers else [n_workers]
    return pair[0] if isinstance(pair[0], int) else 1_000_000


def _configured(key: str) -> str:
    return str(dask.config.get(f"coiled-pulumi.{key}", None) or "")
