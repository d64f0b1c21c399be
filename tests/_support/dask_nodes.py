"""Schedulers and workers as processes of their own on loopback addresses, and what they tell their agent."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from distributed import Client

from _support.certificates import CLUSTER, WORKSPACE, Authority

#: Seconds that nothing here takes, on the slowest machine.
LONG = 40.0
TOKEN = "t0ken-of-the-dashboard"  # noqa: S105 what these tests show or do not
#: Loopback connections come from 127.0.0.1 wherever they go; this block has it, and leaves 127.0.0.9 outside.
INSIDE = ["127.0.0.0/29"]
OUTSIDE = "127.0.0.9"


class Node:
    """One process, its run folder, and the agent's end of the FIFO."""

    def __init__(
        self, authority: Authority, folder: Path, role: str, *, environ: dict | None = None, **said: Any
    ):
        self.folder, self.role = folder, role
        folder.mkdir()
        authority.leaf(role, folder=folder)
        (folder / "token").write_text(TOKEN)
        settings = {
            "role": role,
            "name": folder.name,
            "address": "127.0.0.1" if role == "scheduler" else "127.0.0.2",
            "host": "127.0.0.1" if role == "scheduler" else "127.0.0.2",
            "workspace": WORKSPACE,
            "cluster": CLUSTER,
            "vpc_cidrs": INSIDE,
            "timers": {"idle": None, "no_client": None, "lost_scheduler": 300, "lifetime": None},
            "nthreads": 2,
            "memory_limit": "1 GiB",
            "local_directory": str(folder / "scratch"),
            "resources": {},
            "gpu": 0,
            "dask": {},
            **dict.fromkeys(("port", "dashboard_port", "worker_ports", "nanny_ports"), 0),
        }
        (folder / "run.json").write_text(json.dumps(settings | said))
        os.mkfifo(folder / "status")
        self._fifo = os.open(folder / "status", os.O_RDONLY | os.O_NONBLOCK)
        self._text, self.events = b"", []
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"coiled_pulumi.node.{role}"],
                env=os.environ | {"COILED_PULUMI_RUN": str(folder)} | (environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait(self, event: str) -> dict[str, Any]:
        """Wait for an event of the process, past or to come."""
        deadline = time.monotonic() + LONG
        while not (found := self._told(event)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {event}, but {self.events}\n{self.log}"
            # A FIFO that nobody writes to is always ready: the process is what there is to wait for then.
            if select.select([self._fifo], [], [], left)[0] and not self._read():
                gone = self.process.poll()
                assert gone is None, f"no {event} before the end with {gone}\n{self.log}"
                select.select([], [], [], 0.05)
        return found[0]

    def told(self, event: str) -> list[dict[str, Any]]:
        """Give the events of a kind that were told until now."""
        self._read()
        return self._told(event)

    def _told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def _read(self) -> bool:
        try:
            some = os.read(self._fifo, 1 << 16)
        except BlockingIOError:
            return True
        *lines, self._text = (self._text + some).split(b"\n")
        self.events += map(json.loads, lines)
        return bool(some)

    @property
    def address(self) -> str:
        """Where a scheduler listens, or a worker that joined."""
        return self.wait("listening" if self.role == "scheduler" else "joined")["detail"]

    def send(self, sign: int) -> None:
        self.process.send_signal(sign)

    def end(self) -> int:
        """Give the exit code of a process that was told to end."""
        return self.process.wait(LONG)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LONG)
        os.close(self._fifo)


def eventually(what: Any) -> Any:
    """Give what a function gives as soon as that is something."""
    deadline = time.monotonic() + LONG
    while not (found := what()):
        assert time.monotonic() < deadline, f"never: {what}"
        select.select([], [], [], 0.05)
    return found


def free_address() -> str:
    """Give an address for a scheduler that is yet to start."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"tls://127.0.0.1:{server.getsockname()[1]}"


def connected(scheduler: Node, authority: Authority, role: str = "client") -> Client:
    return Client(
        scheduler.address, security=authority.leaf(role).security(), timeout="20s", set_as_default=False
    )
