"""Cables between namespaces: instances to their VPC's router, routers to the internet.

An instance has a single address and sends everything to its router (as with Calico), so that no packet from one to
another gets around the router's rules, also within a subnet. The router knows a route per instance; the internet one
per public address. All that is public (240.0.0.0/8) and nobody's is the internet's own: there the relay speaks for
clients on the machine, and what comes to such an address unasked is refused. Nothing leads to the machine.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coiled_pulumi.local.hosts import addresses, firewall
from coiled_pulumi.local.hosts.namespaces import Network

#: What every instance's router is for it; seen on its own cable only.
_GATEWAY: Final = "169.254.1.1"
#: The metadata service.
METADATA: Final = "169.254.169.254"
#: `ip` and `nft` take milliseconds; on a machine that is stuck we rather fail, in seconds.
_PATIENCE: Final = 60.0


class WiringError(Exception):
    """The kernel did not do what we asked of it; says what it said."""


@dataclass(slots=True)
class Router:
    """The router of a VPC."""

    network: Network
    address: str
    """Its own, towards the internet."""
    uplink: str
    """The internet's interface to it."""
    rules: str = ""
    """What nftables was told last."""
    routed: frozenset[str] = frozenset()
    """Public addresses that the internet sends to it."""
    interfaces: dict[str, str] = field(default_factory=dict)
    """Its interface to each instance."""


class Wiring:
    """All networks and what connects them."""

    def __init__(self) -> None:
        self.internet = _make(_forward)
        lines = [
            "link set lo up",
            f"addr add {addresses.API}/32 dev lo",
            # In the main table, where a route to an instance's address goes first.
            f"route add local {addresses.OUTSIDE} dev lo table main",
        ]
        _ip(self.internet, lines)
        self.routers: dict[str, Router] = {}
        self._instances: dict[str, Network] = {}
        self._numbers = itertools.count()

    def network(self, instance: str) -> Network:
        """Give the network of an instance that is connected."""
        return self._instances[instance]

    def connect(self, vpc: str, instances: Mapping[str, str]) -> None:
        """Make the networks of new instances of a VPC, and cables to its router, which is made if need be.

        Args:
            vpc: where they are.
            instances: each one's private address.
        """
        router = self.routers.get(vpc) or self._add_router(vpc)
        try:
            self._connect(router, instances)
        except BaseException:
            for key in instances:
                self.disconnect(key)
            raise

    def _connect(self, router: Router, instances: Mapping[str, str]) -> None:
        lines = []
        for key, address in instances.items():
            network = self._instances[key] = _make()
            name = router.interfaces[key] = f"host{next(self._numbers)}"
            lines += [
                f"link add name {name} type veth peer name eth0 netns {_path(network)}",
                f"addr add {_GATEWAY}/32 dev {name}",
                f"link set {name} up",
                f"route replace {address}/32 dev {name}",
            ]
        _ip(router.network, lines, shown=[self._instances[key] for key in instances])
        for key, address in instances.items():
            lines = [
                "link set lo up",
                f"addr add {METADATA}/32 dev lo",
                f"addr add {address}/32 dev eth0",
                "link set eth0 up",
                f"route add {_GATEWAY}/32 dev eth0",
                f"route add default via {_GATEWAY} dev eth0 src {address}",
            ]
            _ip(self._instances[key], lines)

    def _add_router(self, vpc: str) -> Router:
        number = next(self._numbers)
        router = Router(_make(), addresses.router(number % addresses.MAX_ROUTERS), f"vpc{number}")
        lines = [
            "link set lo up",
            f"link add name {firewall.WAN} type veth peer name {router.uplink} netns {_path(self.internet)}",
            f"addr add {router.address}/32 dev {firewall.WAN}",
            f"link set {firewall.WAN} up",
            f"route add default via {addresses.API} dev {firewall.WAN} onlink",
        ]
        _ip(router.network, lines, shown=[self.internet])
        _ip(
            self.internet,
            [f"link set {router.uplink} up", f"route add {router.address}/32 dev {router.uplink}"],
        )
        self.routers[vpc] = router
        return router

    def disconnect(self, instance: str) -> None:
        """Take away what `connect` made for an instance."""
        for router in self.routers.values():
            if (name := router.interfaces.pop(instance, None)) is not None:
                with suppress(WiringError):  # went with the last process there
                    _ip(router.network, [f"link del {name}"])
        if (network := self._instances.pop(instance, None)) is not None:
            network.close()

    def remove_router(self, vpc: str) -> None:
        """Take away the router of a VPC that has no instances left."""
        router = self.routers.pop(vpc)
        with suppress(WiringError):
            _ip(self.internet, [f"link del {router.uplink}"])
        router.network.close()

    def enforce(self, vpc: str, rules: str, routed: Iterable[str]) -> None:
        """Let a VPC's router have a ruleset, and the internet send it some public addresses."""
        router = self.routers[vpc]
        if router.rules != rules:
            load_rules(router.network, rules)
            if not router.rules:  # without rules it would let everything through
                router.network.run(_forward)
            router.rules = rules
        wanted = frozenset(routed)
        lines = [
            *(f"route del {one}/32 via {router.address}" for one in sorted(router.routed - wanted)),
            *(
                f"route replace {one}/32 via {router.address} dev {router.uplink} onlink"
                for one in sorted(wanted - router.routed)
            ),
        ]
        router.routed = wanted
        # Another VPC's router may have taken the address over already: then there is nothing to take away.
        _ip(self.internet, lines, force=True)


def load_rules(network: Network, text: str) -> None:
    """Give text to nftables in a namespace; all of it holds, or none.

    Raises:
        WiringError: it did not like it.
    """
    _run(network, ["nft", "-f", "-"], text)


def _make(*settings: Callable[[], None]) -> Network:
    """Make a network, before there is an interface in it."""
    network = Network()
    try:
        network.run(_without_ipv6)
        for setting in settings:
            network.run(setting)
    except BaseException:
        network.close()
        raise
    return network


def _forward() -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _without_ipv6() -> None:
    """Give interfaces to come no address of IPv6: rules are about IPv4 alone."""
    with suppress(FileNotFoundError):  # the kernel has none
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")


def _path(network: Network) -> str:
    return f"/proc/self/fd/{network.handle}"


def _ip(
    network: Network, lines: Sequence[str], *, shown: Sequence[Network] = (), force: bool = False
) -> None:
    """Run commands of `ip` in a namespace, by one process; `shown` are others that they name by `_path`."""
    if lines:
        command = ["ip", *(["-force"] if force else []), "-batch", "-"]
        _run(network, command, "\n".join(lines) + "\n", shown, force=force)


def _run(
    network: Network, command: list[str], text: str, shown: Sequence[Network] = (), *, force: bool = False
) -> None:
    done = network.run(
        lambda: subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            pass_fds=[one.handle for one in shown],
            check=False,
        )
    )
    if done.returncode and not force:
        raise WiringError(f"{command[0]} said: {done.stderr.strip()}")
