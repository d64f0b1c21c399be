"""Instances without namespaces: processes of the machine, each with a loopback address of its own.

For machines that let us make no namespaces. Security groups hold nobody back then, but that only what they open has a
listener at an instance's public address; and what user data names by an absolute path is the business of who runs it:
see `COILED_PULUMI_ROOT`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from coiled_pulumi.local.hosts import addresses, namespaces, relay
from coiled_pulumi.local.hosts.disk import Disk
from coiled_pulumi.local.hosts.machine import Machine, environment
from coiled_pulumi.local.hosts.snapshot import Instance, Snapshot

#: Where the kernel can't tell us of an end, we look this often, in seconds.
_LOOK_EVERY: Final = 0.05


class LoopbackHosts:
    """Instances that share the machine's network, files and processes."""

    mode: Final = "loopback"

    def __init__(self, boot: Sequence[str]) -> None:
        """Prepare nothing.

        Args:
            boot: command of an instance's first process, without its folder.
        """
        self._boot = boot
        self._running: set[int] = set()
        if namespaces.is_linux():
            namespaces.adopt_orphans()
        self._api = 0

    def connect(self, snapshot: Snapshot, new: Iterable[Instance]) -> None:  # noqa: ARG002
        """Take note of where the API is."""
        self._api = snapshot.api

    def enforce(self, snapshot: Snapshot) -> None:
        """Hold nobody back: there is no place between two processes of the machine."""

    def listen_for_metadata(self, instance: Instance) -> socket.socket:
        """Make the socket at which an instance asks for its metadata."""
        return relay.listen(addresses.loopback(instance.private), 0)

    def metadata(self, instance: Instance) -> Mapping[str, object]:
        """Give what an instance is told: its own address is the one that it can listen on."""
        told = instance.told
        address = {"meta-data/local-ipv4": addresses.loopback(instance.private)}
        return {**told, "metadata": {**told["metadata"], **address}}

    def start(self, instance: Instance, disk: Disk, metadata: socket.socket) -> Machine:
        """Start the first process of an instance."""
        host, port = metadata.getsockname()
        environ = environment(
            instance, disk, api=f"http://127.0.0.1:{self._api}", home=str(disk.inside("/root"))
        ) | {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{host}:{port}",
            "COILED_PULUMI_ROOT": str(disk.root),
            "COILED_PULUMI_STAND_INS": str(addresses.STAND_INS),
        }
        disk.describe(instance.user_data, environ, self.mode)
        with disk.output.open("ab") as output:
            started = subprocess.Popen(
                [*self._boot, str(disk.folder)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                preexec_fn=_end_with_us if namespaces.is_linux() else None,
            )
        return _Running(started, self._running)

    def disconnect(self, instance: str) -> None:
        """Do nothing: nothing was connected."""

    def to_instance(self, instance: Instance, port: int) -> relay.Connect:
        """Give what connects a client to a port of an instance."""
        return relay.to_machine(lambda: port, addresses.loopback(instance.private))


def _end_with_us() -> None:
    # Asked, not killed: nobody else would end what it has started.
    namespaces.die_with_parent(signal.SIGTERM)


class _Running:
    """An instance's first process, and its descendants."""

    def __init__(self, started: subprocess.Popen[bytes], running: set[int]) -> None:
        self._started = started
        #: The first processes of all instances.
        self._running = running
        running.add(started.pid)
        self._ended = asyncio.create_task(self._wait())

    async def _wait(self) -> int:
        while (code := self._started.poll()) is None:
            await asyncio.sleep(_LOOK_EVERY)
        self._running.discard(self._started.pid)
        return code

    async def ended(self) -> int:
        return await asyncio.shield(self._ended)

    def ask(self) -> None:
        self._started.terminate()

    def kill(self) -> None:
        """End it and all that descends from it, or, when it has ended, what it left."""
        if not self._ended.done():
            descendants = _descendants(self._started.pid)
            self._started.kill()
            for pid in descendants:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        # Whose parents have ended are children of ours, and belong to no instance any more.
        while orphans := _children(os.getpid()) - self._running:
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _descendants(pid: int) -> set[int]:
    """Give all processes that descend from one, as far as the kernel tells."""
    children = _children(pid)
    return children.union(*(_descendants(child) for child in children))


def _children(pid: int) -> set[int]:
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
