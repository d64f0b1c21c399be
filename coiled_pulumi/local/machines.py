"""The machines behind instances: the hosts' process, what it is told and what it tells.

The API server says what there should be, whole, whenever it has changed; the hosts' process brings it about and
tells what ended by itself. It may die and is then started again: its machines died with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Final

from coiled_pulumi.errors import UsageError
from coiled_pulumi.local import picture, state

#: Credentials are renewed even when nobody calls; looked at this often, in seconds.
_LOOK_EVERY: Final = 60.0
#: A process that ends sooner than this after its start did not come up; after so many of them no other is started.
_BRIEF, _TRIES = 5.0, 5
#: How long the hosts may take to end by themselves, in seconds.
_PATIENCE: Final = 3.0
#: Of a console, in bytes: what AWS keeps.
CONSOLE: Final = 64 * 1024


class Machines:
    """Those instances that really run, up to a limit."""

    def __init__(self) -> None:
        self.limit = 0
        self._folder = Path()
        self._port = 0
        self._turn: AbstractContextManager[Any] = contextlib.nullcontext()
        self._powered_off: Callable[[str], None] = lambda _: None
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        #: In the order in which they got their place.
        self._placed: dict[str, None] = {}
        self._up: set[str] = set()
        self._versions = 0
        self._mode, self._why = "off", "switched off"

    def start(
        self,
        *,
        home: Path,
        port: int,
        limit: int,
        turn: AbstractContextManager[Any],
        powered_off: Callable[[str], None],
    ) -> None:
        """Start the hosts' process, and keep it fed; nothing happens when the limit is 0.

        Args:
            home: of the local AWS.
            port: of the API on 127.0.0.1.
            limit: how many instances may be real.
            turn: held while moto's state is read or changed.
            powered_off: told, within the turn, which machine ended by itself.
        """
        self.limit = limit
        self._folder = state.hosts_folder(home)
        self._port, self._turn, self._powered_off = port, turn, powered_off
        if limit <= 0:
            return
        self._mode, self._why = "starting", ""
        # One thread for as long as the server lives: the process ends with the thread that started it.
        self._thread = threading.Thread(target=self._run, daemon=True, name="hosts")
        self._thread.start()

    def changed(self) -> None:
        """Note that something may have changed; returns at once."""
        self._wake.set()

    def stop(self) -> None:
        """End the hosts' process and with it all machines."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE + 1.0)

    def status(self) -> dict[str, Any]:
        """Tell what runs; within the turn."""
        alive = list(picture.running())
        self._place(alive)
        return {
            "mode": self._mode,
            "why": self._why,
            "limit": self.limit,
            "running": len(self._up & self._placed.keys()),
            "starting": len(self._placed.keys() - self._up),
            "on_paper": len(alive) - len(self._placed),
            "instances": [self._told(instance) for instance in alive],
        }

    def die(self, instance: str) -> None:
        """Have a machine end at once, as by a fault of its hardware."""
        with contextlib.suppress(OSError):
            pipe = os.open(self._folder / instance / "init", os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(pipe, b"die machine\n")
            finally:
                os.close(pipe)

    def console(self, instance: str) -> str:
        """Give the end of what a machine wrote to its console."""
        try:
            with (self._folder / instance / "console.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - CONSOLE))
                return file.read(CONSOLE).decode("utf-8", "replace")
        except OSError:
            return ""

    def _told(self, instance: Any) -> dict[str, Any]:
        placed = instance.id in self._placed
        is_up = "up" if instance.id in self._up else "starting"
        return {
            "id": instance.id,
            "region": instance.ec2_backend.region_name,
            "type": instance.instance_type,
            "private": instance.private_ip,
            "public": instance.public_ip or "",
            "host": is_up if placed else "paper",
            "folder": str(self._folder / instance.id) if placed else "",
            "tags": picture.tags_of(instance),
        }

    # In the thread of the process.

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except Exception:
                traceback.print_exc()
            failures = failures + 1 if time.monotonic() - began < _BRIEF else 0
            if failures >= _TRIES:
                self._mode, self._why = "off", "the hosts' process ends at once, see the server's log"
                self._placed.clear()
                self.limit = 0
                return
            if not self._stopped.is_set():
                self._stopped.wait(0.1 * 2**failures)

    def _serve(self) -> None:
        """Live through one process, from its start to its end."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "coiled_pulumi.local.hosts"),
                *(["--loopback"] if os.environ.get(LOOPBACK) else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
        self._process = process
        reader = threading.Thread(target=self._listen, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            self._feed(process, reader)
        finally:
            self._end(process)
            reader.join(1.0)
            self._bury()

    def _feed(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        assert process.stdin is not None  # noqa: S101 it is a pipe
        last = ""
        while reader.is_alive() and not self._stopped.is_set():
            with self._turn:
                text = self._picture()
            if text != last:
                last = text
                self._versions += 1
                head = f'{{"version":{self._versions},"api":{self._port},'
                line = head + f'"home":{json.dumps(str(self._folder))},' + text[1:] + "\n"
                try:
                    process.stdin.write(line.encode())
                    process.stdin.flush()
                except BrokenPipeError:
                    return
            self._wake.wait(_LOOK_EVERY)
            self._wake.clear()

    def _picture(self) -> str:
        alive = list(picture.running())
        self._place(alive)
        return json.dumps(picture.snapshot([one for one in alive if one.id in self._placed]))

    def _place(self, alive: list[Any]) -> None:
        """Give places to instances in the order of their launch; one that has its place keeps it."""
        ids = [instance.id for instance in alive]
        self._placed = {name: None for name in self._placed if name in set(ids)}
        self._up &= self._placed.keys()
        for name in ids:
            if len(self._placed) < self.limit:
                self._placed.setdefault(name)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 it is a pipe
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _bury(self) -> None:
        """Tell AWS of the machines that died with the process."""
        if self._stopped.is_set():
            return
        with self._turn:
            for name in sorted(self._up):
                self._powered_off(name)
            self._up.clear()

    def _listen(self, pipe: IO[bytes]) -> None:
        """Take in what the process tells, until it ends."""
        with pipe:
            for line in pipe:
                try:
                    self._hear(json.loads(line))
                except Exception:
                    traceback.print_exc()
        self._wake.set()

    def _hear(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "mode", "mode": mode, **more}:
                self._mode, self._why = mode, str(more.get("why") or "")
            case {"event": "up", "instance": name}:
                with self._turn:
                    if name in self._placed:
                        self._up.add(name)
            case {"event": "exited", "instance": name}:
                with self._turn:
                    self._up.discard(name)
                    self._powered_off(name)
                self._wake.set()


#: The ones of this process.
MACHINES: Final = Machines()


def default_limit() -> int:
    """Tell how many hosts this machine has room for: by the variable, else by its free memory.

    Raises:
        UsageError: the variable holds something else than a number.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        if not (named.isascii() and named.isdigit()):
            raise UsageError(f"{VARIABLE} has to be a number, got '{named[:60]}'", f"{VARIABLE}=0")
        return int(named)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0  # no Linux, no hosts
    free = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), 0)
    return min(MOST, free * 1024 // EACH)


VARIABLE: Final = "COILED_PULUMI_LOCAL_HOSTS"
#: Set to anything: no namespaces are made, even where they could be.
LOOPBACK: Final = "COILED_PULUMI_LOCAL_LOOPBACK"
#: What one host with a Dask process takes, in bytes, and the most that there are.
EACH, MOST = 300_000_000, 64
