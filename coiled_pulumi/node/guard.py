"""Who may do what, by certificate: distributed itself takes any leaf of the cluster's authority for any role.

Two lines. **Admission** is decided when the TLS handshake is done and before a byte of Dask's protocol is read, since
reading already unpickles: by cluster, role and address. **Doors** are the operations that an admitted peer asks for
in its messages; what it does over a stream after registering follows from having been let in by that door.

A worker's code is the users' own and may do what they do, so a worker's leaf opens clients' doors too, but only from
where a worker is registered, and nothing from outside the network. Doors keep roles apart; they are no wall against
a peer that was admitted and sends crafted pickles.
"""

from __future__ import annotations

import asyncio
import contextvars
import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from distributed.comm import Comm, CommClosedError, get_address_host
from distributed.comm.core import Listener
from distributed.core import Server, Status

from coiled_pulumi.values import ORGANIZATION

Side = Literal["scheduler", "worker", "nanny"]
#: What only workers and nannies ask a scheduler for.
WORKER_DOORS: Final = frozenset({"register-worker", "register_nanny", "heartbeat_worker", "unregister"})
#: What they may ask for before one is registered.
EARLY_DOORS: Final = WORKER_DOORS | {"identity", "log_event"}
#: Seconds that a peer has for the handshakes of TLS and Dask.
HANDSHAKE: Final = 30.0
#: Refusals are logged once per peer, and that for so many peers.
_MANY: Final = 1000

_log = logging.getLogger(__name__)
#: The connection whose messages the running task reads.
_reading: contextvars.ContextVar[Comm] = contextvars.ContextVar("reading")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end.

    Attributes:
        role: the common name of its certificate.
        cluster: the organizational unit of its certificate, `WORKSPACE/CLUSTER`.
        organization: the organization of its certificate.
        host: the address that it comes from.
        here: our own address on this connection.
    """

    role: str
    cluster: str
    organization: str
    host: str
    here: str

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        ends = [ipaddress.ip_address(end) for end in (self.host, self.here)]
        return ends[0] == ends[1] or all(end.is_loopback for end in ends)

    def is_inside(self, cidrs: Iterable[str]) -> bool:
        """Whether it comes from one of these blocks."""
        return any(ipaddress.ip_address(self.host) in ipaddress.ip_network(cidr) for cidr in cidrs)


def peer_of(comm: Comm) -> Peer:
    """Read the certificate and the addresses of a connection."""
    subject = (comm.extra_info.get("peercert") or {}).get("subject", ())
    names: dict[str, list[str]] = {}
    for name, value in (pair for part in subject for pair in part):
        names.setdefault(name, []).append(value)

    def only(name: str) -> str:
        values = names.get(name, [])
        return values[0] if len(values) == 1 else ""

    return Peer(
        role=only("commonName"),
        cluster=only("organizationalUnitName"),
        organization=only("organizationName"),
        host=get_address_host(comm.peer_address),
        here=get_address_host(comm.local_address),
    )


def refused_admission(peer: Peer, side: Side, cluster: str, cidrs: Iterable[str]) -> str | None:
    """Say why a peer may not connect at all."""
    if (peer.organization, peer.cluster) != (ORGANIZATION, cluster):
        return "its certificate is of another cluster"
    match peer.role, side:
        case "client", "scheduler" | "worker":
            return None
        case "worker", "scheduler" | "worker":
            return None if peer.is_inside(cidrs) else "a worker's certificate from outside the network"
        case ("worker", "nanny") | ("scheduler", "scheduler"):
            return None if peer.is_local else f"a {peer.role}'s certificate from another machine"
        case "scheduler", "worker" | "nanny":
            return None if peer.is_inside(cidrs) else "the scheduler's certificate from outside the network"
    return "its certificate's role has no business here"


def refused_door(peer: Peer, door: str, *, registered: Callable[[], bool]) -> str | None:
    """Say why an admitted peer may not ask a scheduler for something.

    Args:
        peer: who asks.
        door: the operation.
        registered: tells whether a worker is registered now that connects from the same address.
    """
    match peer.role:
        case "client" if door in WORKER_DOORS:
            return f"{door} is for workers"
        case "worker" if door not in EARLY_DOORS and not registered():
            return f"{door} by a worker's certificate from where no worker is registered"
    return None


class Guard:
    """The rules at one server."""

    def __init__(self, side: Side, cluster: str, cidrs: Iterable[str]) -> None:
        self._side, self._cluster, self._cidrs = side, cluster, tuple(cidrs)
        self._told: set[tuple[str, str, str]] = set()

    def stand_at(self, listener: Listener) -> None:
        """Have a listener that has just begun ask before it reads; call before the event loop turns."""
        greet, shake_hands = listener.on_connection, listener._prepare_stream

        async def on_connection(comm: Comm, *args: Any, **kwargs: Any) -> None:
            peer = peer_of(comm)
            if why := refused_admission(peer, self._side, self._cluster, self._cidrs):
                self.refuse(comm, peer, why)
                raise CommClosedError(why)
            try:
                await asyncio.wait_for(greet(comm, *args, **kwargs), HANDSHAKE)
            except TimeoutError as error:
                comm.abort()
                raise CommClosedError("it said nothing") from error

        async def prepare_stream(stream: Any, address: str) -> Any:
            alarm = asyncio.get_running_loop().call_later(HANDSHAKE, stream.close)
            try:
                return await shake_hands(stream, address)
            finally:
                alarm.cancel()

        listener.on_connection, listener._prepare_stream = on_connection, prepare_stream

    def refuse(self, comm: Comm, peer: Peer, why: str) -> None:
        """Close a connection without an answer."""
        told = (peer.host, peer.role, why)
        if told not in self._told and len(self._told) < _MANY:
            self._told.add(told)
            _log.warning("refused %s (certificate %s of %s): %s", peer.host, peer.role, peer.cluster, why)
        comm.abort()


class Doors(dict[str, Callable]):
    """A server's handlers, of which the peer that is being read may not use all."""

    def __init__(
        self,
        handlers: Mapping[str, Callable],
        guard: Guard,
        registered: Callable[[str], bool],
        seen: Callable[[Peer, str], None],
    ) -> None:
        super().__init__(handlers)
        self._guard, self._registered, self._seen = guard, registered, seen

    def __getitem__(self, door: str) -> Callable:
        handler = super().__getitem__(door)
        comm = _reading.get(None)
        if comm is None:  # not a message: our own code looks something up
            return handler
        peer = peer_of(comm)
        if why := refused_door(peer, door, registered=lambda: self._registered(peer.host)):
            self._guard.refuse(comm, peer, why)
            return _nothing
        self._seen(peer, door)
        return handler


def _nothing(comm: Comm, **_: Any) -> Status:  # noqa: ARG001 by this name it takes whatever the message holds
    return Status.dont_reply


class GuardedServer(Server):
    """Mixed into a server, in front of its class: sets `guard` before it listens."""

    guard: Guard
    announced: str

    async def listen(self, port_or_addr: Any = None, allow_offload: bool = True, **kwargs: Any) -> None:  # noqa: FBT001, FBT002
        """Listen, with the guard in place before the first connection is accepted."""
        kwargs["default_host"] = self.announced
        await super().listen(port_or_addr, allow_offload, **kwargs)
        self.guard.stand_at(self.listeners[-1])

    async def _handle_comm(self, comm: Comm) -> None:
        _reading.set(comm)
        await super()._handle_comm(comm)
