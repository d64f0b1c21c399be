"""Keeps the process of Dask going, and ends the machine or the whole cluster when that is due.

Threads put events; one thread, the main one, takes them and acts. So nothing here needs a lock.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, Final

from coiled_pulumi.node import ending, run_folder
from coiled_pulumi.node.clients import Clients
from coiled_pulumi.node.environment import Launch, end_container, handed_on, process_environ
from coiled_pulumi.node.identity import Identity, Machine
from coiled_pulumi.node.journal import Journal
from coiled_pulumi.node.paths import Paths
from coiled_pulumi.node.patience import waits
from coiled_pulumi.node.phases import Phases
from coiled_pulumi.node.process import Process

#: Seconds that Dask gets to leave in order: a worker moves its data.
PATIENCE: Final = 20.0
#: Seconds that a worker gets that has lost its scheduler: nobody is there to take its data.
_ALONE: Final = 5.0
#: Seconds for which a worker stays away that its scheduler sent away, which mostly ends its machine right after.
AWAY: Final = 60.0
#: A worker that ends so often within so many seconds is told of.
OFTEN, WITHIN = 5, 300.0
#: Seconds in which a scheduler's word about its end may come after the end itself.
_LAST_WORD: Final = 0.5
#: Seconds without a scheduler where the configuration has no limit.
_LOST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Told:
    """Dask said something in the FIFO."""

    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exited:
    """The process that was started as the `number`th ended by itself or because we asked."""

    number: int
    code: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """There is another certificate."""

    certificate: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spot:
    """AWS takes the machine back in two minutes."""

    notice: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The agent has to end with this code."""

    code: int


Event = Told | Exited | Rotated | Spot | Leave


def _restarts() -> Iterator[float]:
    return waits(1.0, 60.0)


class Supervisor:
    """The process of Dask and the rules of its life.

    Args:
        identity: what user data says.
        machine: what EC2 says.
        told: the configuration.
        certificate: the certificate and what comes with it.
        launch: how Dask is started; None where that cannot be had, which ends the cluster.
        paths: the folders of this machine.
        environ: the image's own variables.
        journal: takes what is said.
        phases: takes marks.
        clients: of AWS.
        notify: takes a notification.
        restarts: gives the seconds after which a worker is started again that ended by itself.
    """

    def __init__(
        self, identity: Identity, machine: Machine, told: dict[str, Any], certificate: dict[str, Any],
        launch: Launch | None, *, paths: Paths, environ: Mapping[str, str], journal: Journal, phases: Phases,
        clients: Clients, notify: Callable[[str], None], restarts: Callable[[], Iterator[float]] = _restarts,
    ) -> None:  # fmt: skip
        self._identity, self._machine, self._told, self._certificate = identity, machine, told, certificate
        self._launch, self._paths, self._environ = launch, paths, environ
        self._journal, self._phases, self._clients, self._notify = journal, phases, clients, notify
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._process: Process | None = None
        self._number = 0
        self._ends: deque[float] = deque(maxlen=OFTEN + 1)
        self._restarts, self._waits = restarts, restarts()
        #: Times of `time.monotonic` at which Dask is started again, and at which the machine is done.
        self._again: float | None = None
        self._done: float | None = None
        #: Set when the machine is about to go: Dask is not started again.
        self._leaving = False
        self._dead_man: ending.DeadMan | None = None
        lost = self._timers.get("lost_scheduler")
        if identity.role == "scheduler" and lost:
            self._dead_man = ending.DeadMan(clients.of("autoscaling"), self._groups, lost, journal.tell)

    @property
    def _timers(self) -> dict[str, float | None]:
        return self._told["timers"]

    @property
    def _groups(self) -> list[str]:
        return list(self._certificate.get("groups") or ())

    def put(self, event: Event) -> None:
        """Hand in an event, from any thread or signal."""
        self._events.put(event)

    def run(self) -> int:
        """Act until the machine is done; give the agent's exit code."""
        if self._launch is None:
            return self._end_cluster("its environment could not be made", level="warning")
        self._take_certificate(self._certificate)
        self._start()
        while True:
            try:
                event = self._events.get(timeout=self._rest())
            except Empty:
                code = self._on_time()
            else:
                code = self._on(event)
            if code is not None:
                return code

    def close(self) -> None:
        """End Dask, whatever state it is in."""
        if self._dead_man is not None:
            self._dead_man.stop()
        self._stop()

    def _on(self, event: Event) -> int | None:
        match event:
            case Told(said):
                return self._on_word(said)
            case Exited(number, code):
                return self._on_exit(code) if number == self._number else None
            case Rotated(certificate):
                self._on_rotation(certificate)
            case Spot(notice):
                self._leaving, self._again = True, None
                self._phases.mark("retiring", "spot interruption", notice)
                if self._process is not None:
                    self._process.signal(signal.SIGTERM)
            case Leave(code):
                self._journal.tell("this machine is shut down" if code == 0 else "the agent starts anew")
                self._stop()
                if code == 0:
                    self._phases.mark("ended", "machine is shut down")
                return code
        return None

    def _on_word(self, said: Mapping[str, Any]) -> int | None:
        match said.get("event"):
            case "listening" | "joined":
                self._phases.mark("joined")
            case "alive" if self._dead_man is not None:
                self._dead_man.alive()
            case "end":
                reason, detail = str(said.get("reason") or "end"), said.get("detail")
                if self._identity.role == "scheduler":
                    return self._end_cluster(reason, detail and str(detail))
                return self._end_worker(reason, detail and str(detail))
        return None

    def _on_exit(self, code: int) -> int | None:
        process, self._process = self._process, None
        if self._leaving or process is None:
            self._journal.tell(f"Dask left with exit code {code}")
            return None
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if self._identity.role == "scheduler":
            # It may have said why.
            deadline = time.monotonic() + _LAST_WORD
            while (left := deadline - time.monotonic()) > 0:
                try:
                    event = self._events.get(timeout=left)
                except Empty:
                    break
                if isinstance(event, Told | Leave) and (done := self._on(event)) is not None:
                    return done
            return self._end_cluster("scheduler stopped", process.tail or how, level="warning")
        if code == 0:
            self._journal.tell(f"the scheduler sent this worker away; it offers itself again in {AWAY:.0f} s")
            self._phases.mark("retiring", "sent away by the scheduler")
            self._again = time.monotonic() + AWAY
            return None
        self._again_later(how, process.tail)
        return None

    def _again_later(self, how: str, detail: str) -> None:
        now = time.monotonic()
        if self._ends and now - self._ends[-1] > WITHIN:
            self._ends.clear()
            self._waits = self._restarts()
        self._ends.append(now)
        wait = next(self._waits)
        self._journal.tell(f"the worker stopped: {how}; it is started again in {wait:.0f} s")
        if len(self._ends) > OFTEN and now - self._ends[0] <= WITHIN:
            self._ends.clear()
            self._phases.mark("started", f"the worker keeps stopping: {how}; it is started again", detail)
        self._again = now + wait

    def _on_rotation(self, certificate: dict[str, Any]) -> None:
        moved = certificate.get("scheduler") != self._certificate.get("scheduler")
        self._take_certificate(certificate)
        if moved and not self._leaving:
            self._journal.tell("the scheduler is another one: the worker goes there")
            self._stop()
            self._done = None
            self._start()
            return
        self._journal.tell("there is another certificate: new connections use it")
        if self._process is not None:
            self._process.signal(signal.SIGHUP)

    def _take_certificate(self, certificate: dict[str, Any]) -> None:
        self._certificate = certificate
        secrets = (str(certificate[part]) for part in ("key", "token") if part in certificate)
        self._journal.redactor.add(*secrets)
        run_folder.write_certificate(self._paths, certificate)
        run_folder.write_settings(
            self._paths, self._identity, self._machine, self._told, certificate, self._environ
        )
        if self._dead_man is not None:
            self._dead_man.groups = self._groups

    def _start(self) -> None:
        assert self._launch is not None  # noqa: S101 for the type checker
        self._again = None
        self._number += 1
        number = self._number
        user = dict(self._told.get("environ") or {})
        more: dict[str, str] = {}
        if self._identity.role == "worker" and self._told["groups"].get(self._identity.group, {}).get("gpu"):
            more["CUDA_VISIBLE_DEVICES"] = self._environ.get("CUDA_VISIBLE_DEVICES", "0")
        user = more | user
        command = self._launch.argv(
            f"coiled_pulumi.node.{self._identity.role}", handed_on(self._launch, user)
        )
        try:
            if self._launch.container:
                end_container()
            self._process = Process(
                command, process_environ(self._launch, user, self._paths.run, dict(os.environb)),
                self._paths.scratch, run_folder.mark(self._paths), self._journal.follow(),
                lambda code: self.put(Exited(number, code)),
            )  # fmt: skip
        except OSError as error:
            # As when the variables are too large for the kernel.
            self._journal.tell(f"Dask cannot be started: {error}")
            self._phases.mark("started", "Dask cannot be started", str(error))
            if self._identity.role == "scheduler":
                self.put(
                    Told({"event": "end", "reason": "scheduler cannot be started", "detail": str(error)})
                )
            else:
                self._again_later(str(error), str(error))
            return
        self._phases.mark("started")

    def _stop(self, patience: float = PATIENCE) -> None:
        self._number += 1  # its end is no news
        process, self._process = self._process, None
        if process is not None:
            process.stop(patience)
        if process is not None and self._launch is not None and self._launch.container:
            end_container()

    def _rest(self) -> float | None:
        times = [at for at in (self._again, self._done) if at is not None]
        return max(min(times) - time.monotonic(), 0.0) if times else None

    def _on_time(self) -> int | None:
        now = time.monotonic()
        if self._done is not None and now >= self._done:
            self._journal.tell("nobody took this machine: it is done")
            return 0
        if self._again is not None and now >= self._again:
            self._start()
        return None

    def _end_worker(self, reason: str, detail: str | None) -> None:
        """End Dask and stay: if this machine powered off, its group would start another one that nobody needs."""
        self._journal.tell(f"this worker ended: {ending.explained(reason, self._timers)}")
        self._again = None
        self._stop(_ALONE)
        self._phases.mark("ended", reason, detail)
        self._done = time.monotonic() + 2 * (self._timers.get("lost_scheduler") or _LOST)

    def _end_cluster(self, reason: str, detail: str | None = None, *, level: ending.Level = "info") -> int:
        if self._dead_man is not None:
            self._dead_man.stop()
        cluster = self._identity.cluster
        what = f"cluster {cluster} ended itself: {ending.explained(reason, self._timers)}"
        self._journal.tell(what)
        left = ending.to_zero(self._clients.of("autoscaling"), self._groups, self._journal.tell)
        if left:
            level, what = "warning", f"{what}; AWS did not let it end {', '.join(left)}"
        what = self._journal.redactor.text(what)
        now = datetime.now(UTC)
        self._notify(
            ending.notification(self._identity.workspace, cluster, self._machine.instance, level, what, now)
        )
        self._stop()
        self._phases.mark("ended", reason, detail)
        return 0
