"""Distributed's scheduler, nanny and worker with the guard, the dashboard's door and our rules of leaving."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from pathlib import Path
from typing import Any, Final

from distributed import Nanny, Scheduler, Worker
from distributed.core import Status

from coiled_pulumi.node import dask_run
from coiled_pulumi.node.dashboard import Door
from coiled_pulumi.node.dask_run import Run
from coiled_pulumi.node.guard import Doors, Guard, GuardedServer, Peer, Side, peer_of
from coiled_pulumi.node.security import NodeSecurity

#: What a client that sits there does, too: registering counts once, the rest not as activity.
_PASSIVE: Final = frozenset(
    {"identity", "subscribe_worker_status", "adaptive_target", "check_idle", "feed", "ncores", "versions"}
)
#: distributed's pseudo client for tasks that nobody waits for.
_NOBODY: Final = "fire-and-forget"
#: A worker's reasons to close that only say that the network was broken: another worker takes its place.
_BROKEN: Final = ("worker-handle-scheduler-connection-broken", "worker-heartbeat-missing")
#: Seconds that an idle connection to the dashboard is kept, and a slow request may take to say what it wants.
_WEB_PATIENCE: Final = 120.0

_log = logging.getLogger(__name__)


def _guard(side: Side, run: Run) -> Guard:
    return Guard(side, run.unit, run.vpc_cidrs)


class NodeScheduler(GuardedServer, Scheduler):
    """The scheduler of a cluster."""

    def __init__(self, run: Run, security: NodeSecurity, token: str) -> None:
        self.announced, self.guard = run.address, _guard("scheduler", run)
        self._web_context, self._token = security.web_context(), token
        self._idle_since: float | None = None
        self._touched, self._came = False, False
        host = run.host or "0.0.0.0"  # noqa: S104 who may connect is the guard's and the security groups' matter
        super().__init__(
            host=host,
            port=run.port,
            protocol="tls://",
            security=security,
            dashboard_address=f"{host}:{run.dashboard_port}",
        )
        self.id = f"Scheduler-{run.workspace}-{run.cluster}-{self.id.partition('-')[2]}"
        self.handlers = Doors(self.handlers, self.guard, self._is_registered, self._note)

    def start_http_server(
        self,
        routes: list,
        dashboard_address: str,
        default_port: int = 0,
        ssl_options: ssl.SSLContext | None = None,
    ) -> None:
        """Start the web server behind its door: before the event loop turns, so nothing was answered yet."""
        super().start_http_server(routes, dashboard_address, default_port, ssl_options or self._web_context)
        self.door = Door(self.http_server.request_callback, self._token)
        self.http_server.request_callback = self.door
        self.http_server.conn_params.header_timeout = _WEB_PATIENCE
        wanted = int(dashboard_address.rpartition(":")[2])
        if wanted not in (0, self.http_server.port):
            msg = f"port {wanted} of the dashboard is in use"
            raise OSError(msg)

    def _is_registered(self, host: str) -> bool:
        streams = (stream.comm for stream in self.stream_comms.values())
        return any(comm is not None and peer_of(comm).host == host for comm in streams)

    def _note(self, peer: Peer, door: str) -> None:
        if peer.role == "client" and door not in _PASSIVE:
            self._touched = True
            self._came |= door == "register-client"

    def was_busy(self) -> bool:
        """Whether there is something to do, or was since the last call."""
        idle_since, before = self.check_idle(), self._idle_since
        self._idle_since = idle_since
        touched, self._touched = self._touched, False
        return touched or idle_since is None or idle_since != before or self._is_asked()

    def _is_asked(self) -> bool:
        """Whether a client waits for an answer."""
        passive = _PASSIVE | {"register-client"}
        asked = [comm for comm, door in self._comms.items() if door is not None and door not in passive]
        return any(not comm.closed() and peer_of(comm).role == "client" for comm in asked)

    def count_clients(self) -> int:
        """Count the clients that are connected, or were since the last call; those of tasks do not count."""
        came, self._came = self._came, False
        streams = (stream.comm for key, stream in self.client_comms.items() if key != _NOBODY)
        there = sum(
            comm is not None and not comm.closed() and peer_of(comm).role == "client" for comm in streams
        )
        return there or int(came)

    async def leave(self) -> None:
        """Close without telling workers to close: what becomes of them is not this process's to say."""
        for stream in list(self.stream_comms.values()):
            stream.abort()
        await self.close(reason="sigterm")


class NodeWorker(GuardedServer, Worker):
    """A worker process below its nanny. Has no web server."""

    def __init__(self, *args: Any, folder: Path, **options: Any) -> None:
        run = dask_run.read(folder)
        self.announced, self.guard = run.address, _guard("worker", run)
        super().__init__(*args, **options)

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Start nothing: it would listen without a door, and the scheduler's pages show what there is."""

    async def start_unsafe(self) -> Any:
        """Start; signals for the whole machine are the nanny's to act on, else data would be lost."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.security.reload)
        return await super().start_unsafe()

    async def close(self, timeout: float = 30, *, reason: str = "worker-close", **options: Any) -> str | None:
        """Close; where only the network was broken, the nanny stays and starts another worker."""
        if reason in _BROKEN and self.status in (Status.running, Status.paused):
            options["nanny"] = False
        return await super().close(timeout, reason=reason, **options)


class NodeNanny(GuardedServer, Nanny):
    """The nanny of a machine's worker."""

    def __init__(self, run: Run, security: NodeSecurity) -> None:
        self.announced, self.guard = run.address, _guard("nanny", run)
        self.ended_by = ""
        self._reload_later = False
        super().__init__(
            scheduler_ip=run.scheduler,
            worker_class=NodeWorker,
            folder=run.folder,
            name=run.name,
            host=run.host or run.address,
            port=run.nanny_ports,
            worker_port=run.worker_ports,
            protocol="tls://",
            nthreads=run.nthreads,
            memory_limit="auto" if run.memory_limit is None else run.memory_limit,
            local_directory=run.local_directory,
            resources=dict(run.resources) or None,
            security=security,
            death_timeout=None,
        )
        # What the user's environment says counts more than distributed's defaults; PYTHONHASHSEED is among these.
        for environ in (self.env, self.pre_spawn_env):
            environ.update({name: os.environ[name] for name in environ if name in os.environ})

    async def instantiate(self) -> Status:
        """Start a worker process; certificates that were replaced meanwhile are passed on."""
        status = await super().instantiate()
        if self._reload_later and status == Status.running:
            self.reload()
        return status

    def reload(self) -> None:
        """Read the certificates again, here and in the worker."""
        self.security.reload()
        process = self.process
        # Earlier than this the worker has not set its handler yet, and the signal would kill it.
        self._reload_later = process is None or process.status != Status.running or process.pid is None
        if not self._reload_later:
            os.kill(process.pid, signal.SIGHUP)

    async def _unregister(self, timeout: float = 2) -> None:
        """Say that the worker is gone; where nobody hears it, the connection that broke has said so."""
        await super()._unregister(timeout)

    async def close(self, timeout: float = 5, reason: str = "nanny-close") -> str:
        """Close, and keep in mind why."""
        self.ended_by = self.ended_by or reason
        process = self.process
        if process is not None and process.status == Status.starting and process.process is not None:
            # Distributed waits until a worker is up before it has it close, and this one may never be.
            if self.status == Status.running:
                self.close_gracefully(reason=reason)
            await process.process.kill()
            await process.stopped.wait()
        return await super().close(timeout=timeout, reason=reason)
