"""Makes what runs equal to what the newest snapshot says, again and again; says what became of it."""

from __future__ import annotations

import asyncio
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any, Final, Protocol

from coiled_pulumi.local.hosts import addresses, firewall, relay
from coiled_pulumi.local.hosts.disk import Disk
from coiled_pulumi.local.hosts.machine import Machine
from coiled_pulumi.local.hosts.snapshot import Instance, Snapshot

#: Snapshots that follow one another this closely, in seconds, count as one.
_SETTLE: Final = 0.02
#: How long an instance has to end by itself, in seconds; AWS gives minutes.
_PATIENCE: Final = 3.0
#: What could not be done is tried again after this, in seconds.
_AGAIN: Final = 1.0


class Hosts(Protocol):
    """One of the two ways to run instances."""

    mode: str

    def connect(self, snapshot: Snapshot, new: Iterable[Instance]) -> None:
        """Make the networks of new instances."""

    def enforce(self, snapshot: Snapshot) -> None:
        """Let the rules of a snapshot hold."""

    def listen_for_metadata(self, instance: Instance) -> socket.socket:
        """Make the socket at which an instance asks for its metadata."""

    def metadata(self, instance: Instance) -> Mapping[str, object]:
        """Give what an instance is told."""

    def start(self, instance: Instance, disk: Disk, metadata: socket.socket) -> Machine:
        """Start an instance that is connected."""

    def disconnect(self, instance: str) -> None:
        """Take an ended instance off the network."""

    def to_instance(self, instance: Instance, port: int) -> relay.Connect:
        """Give what connects a client on the machine to a port of an instance."""


class MetadataService(Protocol):
    """Answers instances' questions about themselves."""

    def update(self, instances: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what there is to say."""

    async def serve(self, listener: socket.socket, instance: str) -> asyncio.Server:
        """Answer an instance."""


@dataclass(slots=True)
class _Host:
    """An instance that runs, or that is about to have ended."""

    instance: Instance
    disk: Disk
    machine: Machine
    metadata: asyncio.Server
    stopping: bool = False


class Supervisor:
    """Runs the instances of the newest snapshot."""

    def __init__(
        self, hosts: Hosts, metadata: MetadataService, tell: Callable[[dict[str, Any]], None]
    ) -> None:
        """Run nothing yet.

        Args:
            hosts: how.
            metadata: answers instances.
            tell: is given each event.
        """
        self._hosts = hosts
        self._metadata = metadata
        self._tell = tell
        self._newest: Snapshot | None = None
        self._changed = asyncio.Event()
        self._running: dict[str, _Host] = {}
        #: Ended by themselves: off, until the API has taken note.
        self._off: set[str] = set()
        self._relays: dict[tuple[str, int], relay.Relay] = {}
        self._refused: set[tuple[str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, snapshot: Snapshot) -> None:
        """Have this snapshot become true; the ones before count no more."""
        self._newest = snapshot
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_SETTLE)
            self._changed.clear()
            if self._newest is None:
                continue
            try:
                await self._reconcile(self._newest)
            except Exception:  # whatever it is, what runs goes on, and the rules that hold stay
                traceback.print_exc()
                asyncio.get_running_loop().call_later(_AGAIN, self._changed.set)

    async def end(self) -> None:
        """End everything at once; what runs in instances is given no time."""
        for one in self._relays.values():
            one.close()
        for host in self._running.values():
            host.stopping = True
            host.machine.kill()
        for host in list(self._running.values()):
            await host.machine.ended()
            host.machine.kill()  # what it left

    async def _reconcile(self, snapshot: Snapshot) -> None:
        self._off &= snapshot.instances.keys()
        for key, host in self._running.items():
            if key not in snapshot.instances and not host.stopping:
                host.stopping = True
                self._spawn(self._stop(host))
            elif key in snapshot.instances:
                host.instance = snapshot.instances[key]
        wanted = snapshot.instances.keys() - self._running.keys() - self._off
        new = [snapshot.instances[key] for key in sorted(wanted)]
        self._hosts.connect(snapshot, new)
        try:
            self._hosts.enforce(self._effective(snapshot))
            told = {**{key: host.instance for key, host in self._running.items()}, **snapshot.instances}
            self._metadata.update({key: self._hosts.metadata(one) for key, one in told.items()})
            for one in new:
                await self._start(snapshot, one)
        finally:
            for key in wanted - self._running.keys():  # did not come to be
                self._hosts.disconnect(key)
        self._relay(snapshot)

    def _effective(self, snapshot: Snapshot) -> Snapshot:
        """Give the snapshot with those that are still ending, and without those that are off.

        One that ends may say goodbye on the network; its address may have gone to a new one by then.
        """
        present = {key: one for key, one in snapshot.instances.items() if key not in self._off}
        taken = {(one.vpc, one.private) for one in present.values()} | {(o.public,) for o in present.values()}
        for key, host in self._running.items():
            one = host.instance
            if key not in present and not {(one.vpc, one.private), (one.public or "",)} & taken:
                present[key] = one
        return replace(snapshot, instances=present)

    async def _start(self, snapshot: Snapshot, instance: Instance) -> None:
        address = IPv4Address(instance.private)
        disk = Disk(snapshot.home / instance.id, f"ip-{str(address).replace('.', '-')}", str(address))
        disk.lay_out()
        listener = self._hosts.listen_for_metadata(instance)
        metadata = await self._metadata.serve(listener, instance.id)
        try:
            machine = self._hosts.start(instance, disk, listener)
        except BaseException:
            metadata.close()
            raise
        self._running[instance.id] = host = _Host(instance, disk, machine, metadata)
        self._spawn(self._watch(host))
        self._tell({"event": "up", "instance": instance.id})
        await asyncio.sleep(0)  # of many that start, those that run already get their turn

    async def _stop(self, host: _Host) -> None:
        host.machine.ask()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await host.machine.ended()
        host.machine.kill()

    async def _watch(self, host: _Host) -> None:
        """Wait for an instance's end, and put away what it leaves."""
        code = await host.machine.ended()
        key = host.instance.id
        host.machine.kill()  # what its first process left, where that can be
        host.metadata.close()
        self._hosts.disconnect(key)
        host.disk.clear()
        del self._running[key]
        if not host.stopping:
            self._off.add(key)
            self._tell({"event": "exited", "instance": key, "code": code})
        self._changed.set()

    def _relay(self, snapshot: Snapshot) -> None:
        """Listen for exactly what is open to the machine; connections that there are stay."""
        wanted = {
            (instance.public, port): instance
            for key, instance in snapshot.instances.items()
            # Nothing but loopback addresses: another one may be a neighbour's.
            if key in self._running and instance.public and addresses.is_machine(instance.public)
            for port in firewall.opened(snapshot, instance)
        }
        for place in self._relays.keys() - wanted.keys():
            self._relays.pop(place).close()
        self._refused &= wanted.keys()
        for (address, port), instance in wanted.items():
            if (address, port) not in self._relays:
                self._listen(address, port, self._hosts.to_instance(instance, port))

    def _listen(self, address: str, port: int, connect: relay.Connect) -> None:
        try:
            listener = relay.listen(address, port)
        except OSError as error:
            if (address, port) not in self._refused:
                self._refused.add((address, port))
                print(f"{address}:{port} can't be reached from this machine: {error}", file=sys.stderr)
            return
        self._refused.discard((address, port))
        self._relays[address, port] = relay.Relay(listener, connect)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
