"""The hosts process: `python -P -m coiled_pulumi.local.hosts`, started by the server; not meant to be called by hand.

Reads snapshots from stdin and writes events to stdout, JSON lines both; ends with stdin, or with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.local.hosts import isolated, namespaces, snapshot
from coiled_pulumi.local.hosts.loopback import LoopbackHosts
from coiled_pulumi.local.hosts.metadata import Metadata
from coiled_pulumi.local.hosts.supervisor import Hosts, Supervisor

#: Read at once, in bytes.
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the process is told at its start."""

    loopback: bool
    """Make no namespaces, even if that can be done."""
    boot: Sequence[str]
    """Command of an instance's first process; its folder is added."""


def main() -> None:
    """Serve until the end of stdin."""
    options = _options()
    os.umask(0o077)
    # Each connection that is relayed takes two.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    why = _enter(options)
    if namespaces.is_linux():
        namespaces.die_with_parent()
    asyncio.run(_serve(options, why))
    # What is left are connections of clients: nobody waits for them.
    os._exit(0)


def _options() -> Options:
    boot = [sys.executable, "-P", "-m", "coiled_pulumi.local.hosts.boot"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--loopback", action="store_true")
    parser.add_argument("--boot", type=json.loads, default=boot)
    return Options(**vars(parser.parse_args()))


def _enter(options: Options) -> str:
    """Come to where namespaces can be made; tell why there are none, or nothing."""
    if options.loopback:
        return "it was asked for"
    if not namespaces.is_linux():
        return f"{sys.platform} has no namespaces"
    if os.geteuid() == 0:
        return isolated.obstacle()
    # There is no way back from a user namespace that turns out to be of no use.
    if not (why := namespaces.in_child(_try_users)):
        namespaces.become_root_of_users()
    return f"we are not root, and in a user namespace: {why}" if why else ""


def _try_users() -> str:
    namespaces.become_root_of_users()
    return isolated.obstacle()


async def _serve(options: Options, why: str) -> None:
    hosts: Hosts = LoopbackHosts(options.boot) if why else isolated.IsolatedHosts(options.boot)
    supervisor = Supervisor(hosts, Metadata(), _tell)
    _tell({"event": "mode", "mode": hosts.mode, "why": why})
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, over.set)
    lines = _Lines(supervisor, over)
    loop.add_reader(0, lines.read)
    work = asyncio.create_task(supervisor.run())
    await over.wait()
    work.cancel()
    await supervisor.end()


class _Lines:
    """What comes in: of several lines that have come, only the last is looked at."""

    def __init__(self, supervisor: Supervisor, over: asyncio.Event) -> None:
        self._supervisor = supervisor
        self._over = over
        self._rest = bytearray()

    def read(self) -> None:
        piece = os.read(0, _PIECE)
        if not piece:
            asyncio.get_running_loop().remove_reader(0)
            self._over.set()
            return
        self._rest += piece
        if b"\n" in piece:
            lines, _, rest = bytes(self._rest).rpartition(b"\n")
            self._rest = bytearray(rest)
            if newest := lines.rpartition(b"\n")[2].strip():
                self._supervisor.take(snapshot.read(newest))


def _tell(event: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(event).encode() + b"\n")
    except BrokenPipeError:  # who started us is gone
        os._exit(1)


if __name__ == "__main__":
    main()
