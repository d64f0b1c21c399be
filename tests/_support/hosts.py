"""A hosts process for tests, and a first process of instances that does what the test says."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: The longest that anything here may take, in seconds.
LIMIT = 30.0
#: Runs the Python that comes in at FOLDER/ask, and answers with what it calls `answer`; ends when asked to.
BOOT = """\
import json, os, signal, socket, sys, threading, traceback
folder = sys.argv[1]
signal.signal(signal.SIGTERM, lambda *_: known.get("stubborn") or os._exit(0))
server = socket.socket(socket.AF_UNIX)
if os.path.exists(folder + "/ask"):
    os.unlink(folder + "/ask")
os.chdir(folder)  # the name of such a socket may not be long
server.bind("ask")
server.listen(64)
known = {}
def serve(one):
    with one, one.makefile("rw") as talk:
        scope = {"known": known}
        try:
            exec(json.loads(talk.readline()), scope)
            said = {"answer": scope.get("answer")}
        except BaseException as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        talk.write(json.dumps(said) + "\\n")
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
#: Tells each client on a port what its address looks like, then sends back what it sends.
LISTEN = """\
import socket, threading
def echo(one):
    with one:
        one.sendall((one.getpeername()[0] + "\\n").encode())
        while piece := one.recv(1 << 18):
            one.sendall(piece)
def serve(listener):
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
for port in {ports}:
    listener = known[port] = socket.create_server(("0.0.0.0", port))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
"""
#: Connects, and gives what `LISTEN` says there, or the error's name.
CONNECT = """\
import socket
try:
    with socket.create_connection(("{address}", {port}), timeout={limit}) as one:
        answer = one.makefile().readline().strip()
except OSError as error:
    answer = type(error).__name__
"""


class RefusedError(Exception):
    """What was to run in an instance failed."""


class Hosts:
    """A running hosts process and the picture that it was given last."""

    def __init__(self, home: Path, *options: str) -> None:
        command = [sys.executable, "-P", "-m", "coiled_pulumi.local.hosts"]
        boot = json.dumps([sys.executable, "-P", "-c", BOOT])
        self.process = subprocess.Popen(
            [*command, "--boot", boot, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.home = home
        self.picture: dict[str, Any] = {"version": 1, "api": 1, "home": str(home)}
        self.picture |= {"vpcs": {}, "subnets": {}, "groups": {}, "instances": {}}
        self._read = b""
        self.events: list[dict[str, Any]] = []
        self.mode = self.event("mode")

    def apply(self) -> None:
        """Send the picture as it is now."""
        self.process.stdin.write(json.dumps(self.picture).encode() + b"\n")
        self.process.stdin.flush()

    def up(self) -> None:
        """Send it, and wait until all instances run."""
        self.apply()
        for key in self.picture["instances"]:
            self.event("up", key)

    def event(self, kind: str, instance: str | None = None) -> dict[str, Any]:
        """Wait for an event; the others stay for later."""
        deadline = time.monotonic() + LIMIT
        while True:
            for event in self.events:
                if event["event"] == kind and event.get("instance") == instance:
                    self.events.remove(event)
                    return event
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind} of {instance}: {self.events}"
            assert select.select([self.process.stdout], [], [], left)[0], f"no {kind} of {instance}"
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            assert piece, "the hosts process has ended"
            *lines, self._read = (self._read + piece).split(b"\n")
            self.events += map(json.loads, lines)

    def folder(self, instance: str) -> Path:
        return self.home / instance

    def run(self, instance: str, code: str) -> Any:
        """Run Python in an instance; give what it calls `answer`."""
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(LIMIT)
            handle = os.open(self.folder(instance), os.O_PATH)
            try:
                eventually(lambda: connected(one, f"/proc/self/fd/{handle}/ask"))
            finally:
                os.close(handle)
            with one.makefile("rw") as talk:
                talk.write(json.dumps(code) + "\n")
                talk.flush()
                said = json.loads(talk.readline())
        if "error" in said:
            raise RefusedError(said["error"])
        return said["answer"]

    def listen(self, instance: str, *ports: int) -> None:
        self.run(instance, LISTEN.replace("{ports}", repr(ports)))

    def connect(self, instance: str, address: str, port: int, limit: float = 5.0) -> str:
        return self.run(instance, CONNECT.format(address=address, port=port, limit=limit))

    def close(self) -> int:
        """Let it end as it does when the server ends."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(LIMIT)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.close()


@contextlib.contextmanager
def hosts(home: Path, *options: str) -> Iterator[Hosts]:
    """Run a hosts process as long as the block takes."""
    running = Hosts(home, *options)
    try:
        yield running
    finally:
        running.close()


def connected(one: socket.socket, path: str) -> bool:
    try:
        one.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def eventually(holds: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Wait until something holds; give it."""
    deadline = time.monotonic() + limit
    while not (found := holds()):
        assert time.monotonic() < deadline, "it never came to be"
        select.select([], [], [], 0.01)
    return found


def rule(
    protocol: str = "-1", first: int | None = None, last: int | None = None, **peer: str
) -> dict[str, Any]:
    """Make a rule of a picture; `cidr` or `group` is the peer."""
    return {"protocol": protocol, "from": first, "to": last, "cidr": None, "group": None} | peer


def processes(marker: str) -> list[int]:
    """Give every process that has a text in its command line, but us."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found
