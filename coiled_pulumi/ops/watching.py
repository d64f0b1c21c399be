"""How far a cluster has come: its groups and machines as AWS tells, and its phases as the machines tell."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from coiled_pulumi.aws import capacity, fleet, machines, node_logs, workers
from coiled_pulumi.aws.capacity import TakeOnDemand
from coiled_pulumi.aws.fleet import Fleet
from coiled_pulumi.aws.node_logs import Follower, Line, Mark
from coiled_pulumi.certificates import expires
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError
from coiled_pulumi.ops import run_record, sessions
from coiled_pulumi.ops.sessions import Session
from coiled_pulumi.ops.workers import said

__all__ = ["Fleet", "Follower", "Line", "Look", "Mark", "Reason", "Status", "grow", "look", "status", "watch"]

#: Between two looks once all machines run, in seconds.
_INTERVAL: Final = 1.0
#: Looks that may fail one after the other, and how often the scheduler's machine is looked at.
_FAILURES, _SELDOM = 5, 5
#: How far back phases count before a run began, in seconds: clocks differ.
_EARLIER: Final = 120.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why workers are missing, and how many launches ended so."""

    times: int
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A cluster at one moment.

    Attributes:
        fleets: its groups by label, those that exist.
        marks: phases that were not told before.
        reasons: why workers are missing, the most frequent first.
        stuck: labels of groups that get no more machines for now.
        notes: what was done about it.
        scheduler: state of the scheduler's machine as AWS calls it; empty while nobody knows.
    """

    fleets: Mapping[str, Fleet]
    marks: tuple[Mark, ...] = ()
    reasons: tuple[Reason, ...] = ()
    stuck: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    scheduler: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A cluster for people to look at.

    Attributes:
        state: `up`, or `ended` for one whose scheduler's machine is gone.
        scheduler: state of its machine, empty where AWS has forgotten it.
        reachable: whether something listens where clients go.
        phases: the last one of each machine that is there.
        expires: when the client's certificate does.
        launched: when the scheduler's machine was; None where AWS has forgotten it.
    """

    session: Session
    state: str
    scheduler: str
    reachable: bool
    fleets: Mapping[str, Fleet]
    phases: Mapping[str, str] = field(default_factory=dict)
    expires: datetime | None = None
    launched: datetime | None = None


class _OverError(Exception):
    """Nobody looks any more."""


def watch(
    session: Session, on_look: Callable[[Look], None], over: threading.Event, *, ago: float = 0.0
) -> None:
    """Look at a cluster about once a second until it is over.

    Spot groups that may take on-demand machines get them where there is no capacity; see `aws.workers.wait`.

    Args:
        session: the cluster.
        on_look: told each time, in this thread.
        over: set by who has seen enough.
        ago: how long ago the run began that made or changed it, in seconds.

    Raises:
        CoiledPulumiError: AWS could not be asked, again and again.
    """
    watcher = _Watcher(session, on_look, over, ago)
    with contextlib.suppress(_OverError):
        while not over.is_set():
            watcher.wait()
            over.wait(_INTERVAL)


class _Watcher:
    def __init__(
        self, session: Session, on_look: Callable[[Look], None], over: threading.Event, ago: float
    ) -> None:
        self._session, self._on_look, self._over = session, on_look, over
        self._began = time.monotonic() - ago
        since = int((time.time() - ago - _EARLIER) * 1000)
        self._phases = node_logs.phases(session.workspace, session.name, session.region, since=max(since, 0))
        self._looks = self._failures = 0
        self._stuck: set[str] = set()
        self._scheduler = ""

    def wait(self) -> None:
        groups = {label: (group.name, group.least) for label, group in self._session.groups.items()}
        try:
            ended = workers.wait(
                groups,
                region=self._session.region,
                on_look=self._looked,
                ago=time.monotonic() - self._began,
                pause=self._pause,
            )
        except CredentialsError:
            raise
        except CoiledPulumiError:
            self._failures += 1
            if self._failures >= _FAILURES:
                raise
            return
        self._stuck = {label for label, one in ended.items() if one.phase in ("failed", "late")}
        self._tell(ended, [])

    def _pause(self, seconds: float) -> None:
        self._over.wait(seconds)

    def _looked(self, picture: Mapping[str, capacity.Workers], told: list[Any]) -> None:
        self._stuck -= {label for label, one in picture.items() if not one.missing}
        self._tell(picture, [one for one in told if isinstance(one, TakeOnDemand)])

    def _tell(self, picture: Mapping[str, capacity.Workers], orders: list[TakeOnDemand]) -> None:
        if self._over.is_set():
            raise _OverError
        session = self._session
        if self._looks % _SELDOM == 0 and session.scheduler_id:
            state = machines.state_of(session.scheduler_id, session.region)
            # One that was just made may be unknown for a moment; one that was known is gone.
            self._scheduler = state or ("terminated" if self._scheduler else "")
        self._looks += 1
        for order in orders:
            run_record.note(
                session.workspace, session.region, "scaling", "warning", said(order),
                cluster=session.name, resource=order.group,
            )  # fmt: skip
        made = Look(
            fleets=look(session),
            marks=self._marks(),
            reasons=_reasons(picture),
            stuck=frozenset(self._stuck),
            notes=tuple(said(order) for order in orders),
            scheduler=self._scheduler,
        )
        self._failures = 0
        self._on_look(made)

    def _marks(self) -> tuple[Mark, ...]:
        # They are for people to look at: that nobody may read them, or not now, is no reason to end.
        with contextlib.suppress(CoiledPulumiError):
            return tuple(filter(None, (node_logs.mark(line.text) for line in self._phases.read())))
        return ()


def look(session: Session) -> dict[str, Fleet]:
    """Give the groups of a cluster by label, those that exist.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    found = fleet.look([group.name for group in session.groups.values()], session.region)
    return {label: found[group.name] for label, group in session.groups.items() if group.name in found}


def grow(session: Session, label: str, size: int) -> None:
    """Have a group of a cluster bring itself to a size."""
    fleet.resize(session.groups[label].name, size, session.region)


def shrink(
    session: Session,
    label: str,
    instances: tuple[str, ...],
    *,
    fewer: int = 0,
    known: Collection[str] = (),
) -> None:
    """End machines of a group, and take back the wish for others that have not come yet.

    Args:
        session: the cluster.
        label: of the group.
        instances: ids of machines to end; the group does not replace them.
        fewer: how many that are not there are wanted no more. None that is there is ended for them.
        known: ids of the machines that were there when this was decided. Of `instances` some may have ended by
            themselves since; what the group has started in their place ends, and none of these.

    Raises:
        CoiledPulumiError: AWS refused.
    """
    name = session.groups[label].name
    if fewer:
        _want_fewer(name, fewer, session.region)
    missing = len(fleet.release(name, instances, session.region)) if instances else 0
    if missing and (there := fleet.look([name], session.region).get(name)) is not None:
        others = [one for one in there.staying if one not in {*known, *instances}][:missing]
        ended = len(others) - len(fleet.release(name, others, session.region))
        _want_fewer(name, missing - ended, session.region)


def _want_fewer(name: str, fewer: int, region: str) -> None:
    """Lower the wish, but not below what is there: whom a group ends for that, it chooses itself."""
    there = fleet.look([name], region).get(name)
    if there is not None and (size := max(there.desired - fewer, len(there.staying))) < there.desired:
        fleet.resize(name, size, region)


def logs(session: Session, *, role: str = "", since: int = 0) -> list[Line]:
    """Give what a cluster's machines have written, those that are gone too, in order of time.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    follower = node_logs.logs(session.workspace, session.name, session.region, role=role, since=since)
    return [line for line in follower.read() if node_logs.is_log(line)]


def last_words(
    session: Session, *, role: str = "scheduler", instance: str = "", lines: int = 20
) -> list[str]:
    """Give the last lines of a machine's log, the scheduler's if not named; none where they cannot be had."""
    with contextlib.suppress(CoiledPulumiError):
        return node_logs.tail(
            session.workspace,
            session.name,
            role,
            instance or session.scheduler_id,
            session.region,
            lines=lines,
        )
    return []


def status(session: Session) -> Status:
    """Look at a cluster once.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    machine = machines.of(filter(None, [session.scheduler_id]), session.region).get(session.scheduler_id)
    state = machine.state if machine else ""
    fleets = look(session)
    there = {session.scheduler_id, *(name for one in fleets.values() for name in one.staying)}
    follower = node_logs.phases(session.workspace, session.name, session.region)
    phases: dict[str, str] = {}
    with contextlib.suppress(CoiledPulumiError):
        for line in follower.read():
            if (mark := node_logs.mark(line.text)) and mark.instance in there:
                phases[mark.instance] = mark.phase
    return Status(
        session=session,
        state="ended" if sessions.is_gone(state) else "up",
        scheduler=state,
        reachable=not sessions.is_gone(state) and _listens(session.address, sessions.SCHEDULER_PORT),
        fleets=fleets,
        phases=phases,
        expires=expires(session.security.cert),
        launched=machine.launched if machine else None,
    )


def as_data(status: Status) -> dict[str, Any]:
    """Give a status as plain values, without secrets but for the link to the dashboard, which its token opens."""
    session = status.session
    return {
        "name": session.name,
        "workspace": session.workspace,
        "from": "file" if session.declared else "start",
        "state": status.state,
        "region": session.region,
        "zone": session.zone,
        "scheduler": {
            "id": session.scheduler_id,
            "state": status.scheduler,
            "address": session.scheduler,
            "reachable": status.reachable,
            "phase": status.phases.get(session.scheduler_id, ""),
        },
        "dashboard": session.dashboard,
        "groups": {
            label: {
                "name": group.name,
                "least": group.least,
                "most": group.most,
                "runtime": group.runtime,
                "desired": status.fleets[label].desired if label in status.fleets else 0,
                "machines": {
                    one.id: {"state": one.state, "phase": status.phases.get(one.id, "")}
                    for one in (status.fleets[label].members if label in status.fleets else ())
                },
            }
            for label, group in session.groups.items()
        },
        "certificates": {
            "rotation": session.rotation,
            "expires": status.expires.isoformat() if status.expires else None,
        },
    }


def _listens(address: str, port: int, *, patience: float = 2.0) -> bool:
    try:
        with socket.create_connection((address, port), patience):
            return True
    except OSError:
        return False


def _reasons(picture: Mapping[str, capacity.Workers]) -> tuple[Reason, ...]:
    found = [reason for one in picture.values() if one.missing for reason in one.reasons()]
    ordered = sorted(found, key=lambda one: -one.times)
    return tuple(Reason(one.times, one.fault.what, one.fault.hint) for one in ordered)
