"""Instances in namespaces of their own: what the supervisor needs of them, where the kernel allows it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from coiled_pulumi.local.hosts import addresses, firewall, namespaces, relay
from coiled_pulumi.local.hosts.disk import Disk
from coiled_pulumi.local.hosts.machine import Machine, environment
from coiled_pulumi.local.hosts.snapshot import Instance, Snapshot
from coiled_pulumi.local.hosts.wiring import METADATA, Wiring, WiringError, load_rules

#: For a namespace, a few mounts and the start of Python, in seconds.
_TRIAL_LIMIT: Final = 30.0


class IsolatedHosts:
    """Instances that have a network, a file system and processes for themselves."""

    mode: Final = "namespaces"

    def __init__(self, boot: Sequence[str]) -> None:
        """Make the internet; needs a running loop.

        Args:
            boot: command of an instance's first process, without its folder.
        """
        self._boot = boot
        self._wiring = Wiring()
        self._outside = relay.Outside(self._wiring.internet)
        self._api = 0
        self._api_relay = relay.Relay(
            self._wiring.internet.listen(addresses.API, 80), relay.to_machine(lambda: self._api)
        )

    def connect(self, snapshot: Snapshot, new: Iterable[Instance]) -> None:
        """Make the networks of new instances."""
        self._api = snapshot.api
        by_vpc: dict[str, dict[str, str]] = defaultdict(dict)
        for one in new:
            by_vpc[one.vpc][one.id] = one.private
        for vpc, instances in by_vpc.items():
            self._wiring.connect(vpc, instances)

    def enforce(self, snapshot: Snapshot) -> None:
        """Let the rules and public addresses of a snapshot hold."""
        for vpc, router in list(self._wiring.routers.items()):
            if not router.interfaces and vpc not in snapshot.vpcs:
                self._wiring.remove_router(vpc)
                continue
            rules = firewall.render(snapshot, router.interfaces, router.address)
            self._wiring.enforce(vpc, rules, firewall.routed(snapshot, vpc))

    def listen_for_metadata(self, instance: Instance) -> socket.socket:
        """Make the socket at which an instance asks for its metadata."""
        return self._wiring.network(instance.id).listen(METADATA, 80)

    def metadata(self, instance: Instance) -> Mapping[str, object]:
        """Give what an instance is told."""
        return instance.told

    def start(self, instance: Instance, disk: Disk, metadata: socket.socket) -> Machine:  # noqa: ARG002
        """Start the first process of an instance that is connected."""
        environ = environment(instance, disk, api=f"http://{addresses.API}", home="/root")
        disk.describe(instance.user_data, environ, self.mode)
        return _Running(
            namespaces.start(
                [*self._boot, str(disk.folder)],
                environ=environ,
                network=self._wiring.network(instance.id),
                hostname=disk.hostname,
                prepare=disk.enter,
                output=disk.output,
            )
        )

    def disconnect(self, instance: str) -> None:
        """Take an ended instance off the network."""
        self._wiring.disconnect(instance)

    def to_instance(self, instance: Instance, port: int) -> relay.Connect:
        """Give what connects a client on the machine to a port of an instance's public address."""
        return self._outside.to(addresses.inside(instance.public or ""), port)


class _Running:
    """An instance's first process; the others end with it."""

    def __init__(self, process: namespaces.Process) -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(process.handle, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.handle)
        self._ended.set_result(self._process.reap())

    async def ended(self) -> int:
        return await asyncio.shield(self._ended)

    def ask(self) -> None:
        if not self._ended.done():
            self._process.send(signal.SIGTERM)

    def kill(self) -> None:
        if not self._ended.done():
            self._process.send(signal.SIGKILL)


def obstacle() -> str:
    """Tell why instances can't have namespaces here, by making some; empty if they can."""
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            return f"there is no program '{program}' on PATH"
    folder = Path(tempfile.mkdtemp(prefix="coiled-pulumi-trial-"))
    network = None
    try:
        network = namespaces.Network()
        nothing = Snapshot(0, 0, folder, {}, {}, {}, {})
        load_rules(network, firewall.render(nothing, {}, addresses.router(0)))
        network.run(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
        return _try_process(Disk(folder, "trial", "127.0.0.1"), network)
    except (OSError, WiringError) as error:
        return str(error)
    finally:
        if network is not None:
            network.close()
        shutil.rmtree(folder, ignore_errors=True)


def _try_process(disk: Disk, network: namespaces.Network) -> str:
    disk.lay_out()
    process = namespaces.start(
        ["/opt/coiled-pulumi/bin/python", "-P", "-c", "import coiled_pulumi.local.hosts"],
        environ={"PATH": "/usr/bin:/bin"},
        network=network,
        hostname=disk.hostname,
        prepare=disk.enter,
        output=disk.output,
    )
    if not process.wait(_TRIAL_LIMIT):
        process.send(signal.SIGKILL)
    code = process.reap()
    said = disk.output.read_text(errors="replace").strip()
    return "" if code == 0 else said.splitlines()[-1] if said else f"a process there ended with {code}"
