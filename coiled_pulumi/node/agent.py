"""The agent of a machine: boots it in order, then keeps Dask going until the machine is done.

Exit code 0 means that the machine is done and systemd may power it off; anything else starts the agent anew, which
ends what was left over and begins at the beginning.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from coiled_pulumi.errors import CoiledPulumiError
from coiled_pulumi.node import environment, process, run_folder, spot
from coiled_pulumi.node.clients import Clients
from coiled_pulumi.node.identity import Identity, Machine, Metadata, MetadataError, read_identity
from coiled_pulumi.node.journal import Journal
from coiled_pulumi.node.logs import Stream
from coiled_pulumi.node.parameters import Parameters
from coiled_pulumi.node.paths import Paths, make_private
from coiled_pulumi.node.patience import waits
from coiled_pulumi.node.phases import Phases
from coiled_pulumi.node.redact import Redactor, secrets_of
from coiled_pulumi.node.supervisor import Leave, Rotated, Spot, Supervisor, Told

#: Seconds for the last lines to go out.
FLUSH: Final = 3.0
#: Seconds for which a scheduler tries to make its environment: a cluster without one only costs.
_ENVIRONMENT: Final = 3600.0


class _LeaveError(BaseException):
    """The machine is shut down while it boots."""


def main() -> int:
    """Run the agent of this machine until it is done; give its exit code."""
    agent = Agent(os.environ)
    try:
        return agent.run()
    except _LeaveError:
        return 0
    except CoiledPulumiError as error:
        agent.journal.tell(str(error))
        return 1
    except Exception:
        agent.journal.tell(f"the agent failed and starts anew:\n{traceback.format_exc()}")
        return 1
    finally:
        agent.close()


class Agent:
    """One machine's agent.

    Args:
        environ: the image's own variables, of the agent and of what it starts.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._paths = Paths.of(environ)
        self._stop = threading.Event()
        self._streams: list[Stream] = []
        self._supervisor: Supervisor | None = None
        self.journal = Journal(Redactor(), lambda line: print(line, flush=True))

    def run(self) -> int:
        """Boot in order, then supervise."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._on_signal)
        if process.end_left_over(run_folder.mark(self._paths)):
            self.journal.tell("ended a process of Dask that an agent before this one had left")
        identity = read_identity(self._paths.identity)
        metadata = Metadata(self._environ)
        machine = self._machine(metadata)
        clients = Clients(identity.region)
        phases = self._open(identity, machine, clients)
        phases.mark("booted", uptime=_uptime())

        base = f"/coiled-pulumi/{identity.workspace}/{identity.cluster}"
        parameters = Parameters(clients.of("ssm"), base, identity.role, time.sleep, self.journal.tell)
        told = parameters.config()
        self.journal.redactor.add(*secrets_of(told.get("environ") or {}), *clients.secrets())
        shutil.rmtree(self._paths.run, ignore_errors=True)
        make_private(self._paths.run)
        make_private(self._paths.scratch)
        launch = self._prepare(told, identity, phases)
        if launch is not None:
            phases.mark("environment")
        certificate = parameters.certificate()
        self._supervisor = supervisor = Supervisor(
            identity, machine, told, certificate, launch,
            paths=self._paths, environ=self._environ, journal=self.journal, phases=phases, clients=clients,
            notify=lambda text: self._stream(clients, identity, f"notifications/{identity.cluster}").write([text]),
        )  # fmt: skip
        process.Status(run_folder.status(self._paths), lambda said: supervisor.put(Told(said)))
        self._in_background(
            "certificate", parameters.watch, certificate, lambda new: supervisor.put(Rotated(new)),
            functools.partial(self._rest, clients),
        )  # fmt: skip
        if machine.spot:
            self._in_background(
                "spot", spot.watch, metadata, lambda said: supervisor.put(Spot(said)),
                lambda said: phases.mark("retiring", "rebalance recommendation", said), self._stop,
            )  # fmt: skip
        phases.mark("configured")
        return supervisor.run()

    def close(self) -> None:
        """End Dask if it still runs, and send what is left to say."""
        self._stop.set()
        if self._supervisor is not None:
            self._supervisor.close()
        deadline = time.monotonic() + FLUSH
        for stream in self._streams:
            stream.close(max(deadline - time.monotonic(), 0.1))

    def _machine(self, metadata: Metadata) -> Machine:
        for wait in waits(0.2, 5.0):
            try:
                return metadata.machine()
            except MetadataError as error:
                self.journal.tell(str(error))
            time.sleep(wait)
        raise AssertionError

    def _open(self, identity: Identity, machine: Machine, clients: Clients) -> Phases:
        own = self._stream(clients, identity, f"{identity.cluster}/{identity.role}/{machine.instance}")
        marks = self._stream(clients, identity, f"{identity.cluster}/phases")
        self.journal.open(own)
        about = {"instance": machine.instance, "role": identity.role, "group": identity.group}
        return Phases(about, self.journal.redactor.text, self.journal.write, marks.write)

    def _stream(self, clients: Clients, identity: Identity, name: str) -> Stream:
        stream = Stream(clients.of("logs"), identity.workspace, name)
        self._streams.append(stream)
        return stream

    def _prepare(self, told: dict[str, Any], identity: Identity, phases: Phases) -> environment.Launch | None:
        """Make the environment, again and again; None where a scheduler's cannot be had."""
        gpu = bool(told["groups"].get(identity.group, {}).get("gpu")) and identity.role == "worker"
        began, last = time.monotonic(), None
        for wait in waits(5.0, 60.0):
            try:
                return environment.prepare(
                    told.get("environment") or {}, self._paths, gpu=gpu, tell=self.journal.tell
                )
            except environment.InstallError as error:
                self.journal.tell(f"{error.what}\n{error.detail}")
                if (error.what, error.detail) != last:
                    last = error.what, error.detail
                    phases.mark("environment", error.what, error.detail)
            if identity.role == "scheduler" and time.monotonic() - began > _ENVIRONMENT:
                return None
            time.sleep(wait)
        raise AssertionError

    def _rest(self, clients: Clients, seconds: float) -> bool:
        """Wait a little, or for the end; the machine's credentials change every few hours."""
        self.journal.redactor.add(*clients.secrets())
        return self._stop.wait(seconds)

    def _in_background(self, name: str, what: Callable[..., None], *values: Any) -> None:
        def guarded() -> None:
            try:
                what(*values)
            except Exception:
                # Without certificates or notices the machine is blind: everything begins anew.
                self.journal.tell(f"{name} failed:\n{traceback.format_exc()}")
                if self._supervisor is not None:
                    self._supervisor.put(Leave(1))

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._supervisor is None:
            raise _LeaveError
        self._supervisor.put(Leave(0))


def _uptime() -> float:
    with contextlib.suppress(OSError, ValueError):
        return float(Path("/proc/uptime").read_text().split()[0])
    return 0.0
