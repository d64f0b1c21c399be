"""The init of an instance: runs its user data, keeps its units running, and ends when the machine powers off.

`python -P -m coiled_pulumi.local.hosts.boot FOLDER`, with FOLDER/instance.json made before. Process 1 of the
instance where it has namespaces of its own. What systemd does otherwise is left out on purpose: there are no
dependencies, no timers, no users; a service is its main process and what that started.

Small, because there is one per instance: it loads neither a YAML parser nor anything that speaks to AWS.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from coiled_pulumi.local.hosts import units

#: How long to wait before the console is looked at again, in seconds.
_LOOK_EVERY: Final = 5.0
#: Of the console, in bytes: how long it may become, and what then stays of its end.
_CONSOLE, _CONSOLE_KEPT = 8 << 20, 1 << 20
_PDEATHSIG, _SUBREAPER = 1, 36
#: What a service may be ended by without having failed.
_ORDERLY: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE})
_POWER: Final = frozenset({"poweroff", "poweroff-force", "poweroff-immediate", "exit", "halt"})
_SHIMS: Final = {
    "systemctl": """\
verb= now= names=
for word; do
    case $word in
        --now) now=1 ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else names="$names $word"; fi ;;
    esac
done
case $verb in
    enable | disable)
        [ -n "$now" ] || exit 0
        [ "$verb" = enable ] && verb=start || verb=stop
        ;;
    is-active)
        for name in $names; do
            case $name in *.*) ;; *) name=$name.service ;; esac
            cat "$folder/units/$name" 2>/dev/null || { echo inactive; exit 3; }
        done
        exit 0
        ;;
    poweroff | halt) names=machine ;;
    start | stop | restart | try-restart) ;;
    reboot) echo "the local AWS can't reboot" >&2; exit 1 ;;
    *) exit 0 ;;
esac
for name in $names; do echo "$verb $name" >"$folder/init"; done
""",
    "poweroff": 'echo "poweroff machine" >"$folder/init"\n',
    "halt": 'echo "poweroff machine" >"$folder/init"\n',
    "shutdown": 'case " $* " in *" -r "*) exit 1 ;; esac\necho "poweroff machine" >"$folder/init"\n',
    "dnf": 'echo "the local AWS installs nothing: dnf $*"\n',
    "reboot": 'echo "the local AWS can\'t reboot" >&2\nexit 1\n',
}
#: What would change the whole machine, where an instance has nothing of its own.
_LEFT_OUT: Final = (
    *("apt-get", "hostnamectl", "ip6tables", "iptables", "modprobe", "mount", "nft", "sysctl", "umount"),
    *("useradd", "usermod", "yum"),
)


@dataclass(slots=True)
class Service:
    """A unit that was started.

    Attributes:
        unit: what its file says.
        pid: of its main process; 0 while none runs.
        starts: when it was started last, for the limit on restarts; by the monotonic clock.
        due: when it is started again; None when it is not.
        stopping: whether it was told to end.
    """

    unit: units.Unit
    pid: int = 0
    starts: list[float] = field(default_factory=list)
    due: float | None = None
    stopping: bool = False


class Init:
    """One machine from boot to power-off."""

    def __init__(self, folder: Path, instance: dict[str, Any]) -> None:
        self._folder = folder
        self._root = Path("/") if instance["mode"] == "namespaces" else folder / "root"
        self._root.mkdir(parents=True, exist_ok=True)
        self._services: dict[str, Service] = {}
        self._user_data = 0
        self._ends = False
        self._environ: dict[str, str] = dict(instance.get("environ") or {})
        self._make_shims()
        self._orders = self._make_pipe()
        console = os.open(folder / "console.log", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for target in (1, 2):
            os.dup2(console, target)
        self._console = console
        self._text: str = instance.get("user_data") or ""

    def run(self) -> None:
        """Boot, then do what process 1 does, until the machine is to go off."""
        woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._ask_to_end)
        signal.signal(signal.SIGINT, self._ask_to_end)
        if self._text.startswith(("#cloud-config", "#!")):
            self._start_user_data()
        while not self._ends:
            due = [service.due for service in self._services.values() if service.due is not None]
            wait = min([_LOOK_EVERY, *(max(0.0, at - time.monotonic()) for at in due)])
            ready, _, _ = select.select([woken, self._orders], [], [], wait)
            if woken in ready:
                os.read(woken, 4096)
            if self._orders in ready:
                self._obey(os.read(self._orders, 65536).decode("utf-8", "replace"))
            self._reap()
            self._start_due()
            self._trim_console()
        self._stop_all()

    def _ask_to_end(self, *_: object) -> None:
        self._ends = True

    # Commands, as the shims write them.

    def _obey(self, text: str) -> None:
        for line in text.splitlines():
            verb, _, name = line.partition(" ")
            if verb in ("poweroff", "halt"):
                self._say("powers off: it was told to")
                self._ends = True
            elif verb == "die":
                self._die()
            elif verb in ("stop", "restart", "try-restart"):
                self._stop(self._services.get(units.full_name(name)), again=verb == "restart")
            if verb == "start" or (verb == "restart" and units.full_name(name) not in self._services):
                self._start(units.full_name(name))

    def _start(self, name: str) -> None:
        known = self._services.get(name)
        if known is not None and (known.pid or known.due is not None):
            return
        file = units.place(self._root, name)
        if file is None:
            self._say(f"there is no unit {name}")
            return
        try:
            unit = units.read(name, file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._say(f"{name} can't be started: {error}")
            return
        self._services[name] = service = Service(unit)
        self._launch(service)

    def _launch(self, service: Service) -> None:
        unit, now = service.unit, time.monotonic()
        service.due = None
        service.starts = [at for at in service.starts if now - at < unit.interval]
        if len(service.starts) >= unit.burst:
            self._say(f"{unit.name}: start request repeated too quickly")
            self._failed(service)
            return
        service.starts.append(now)
        environ = self._environ | unit.environment
        words = unit.words(environ)
        service.pid = self._spawn((self._inside(words[0]), *words[1:]), environ, folder=unit.folder)
        self._note(service, "active")
        self._say(f"started {unit.name}")

    def _stop(self, service: Service | None, *, again: bool) -> None:
        if service is None:
            return
        service.stopping, service.due = True, None
        self._kill([service], service.unit.stop_seconds)
        if again:
            service.stopping = False
            service.starts.clear()
            self._launch(service)

    # Ends of processes.

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self._user_data:
            self._user_data = 0
            self._say(f"user data ended with {code}")
        service = next((one for one in self._services.values() if one.pid == pid), None)
        if service is None:  # somebody's orphan
            return
        service.pid = 0
        _signal_group(pid, signal.SIGKILL)  # what the main process left
        good = code == 0 or -code in _ORDERLY
        self._note(service, "inactive" if good or service.stopping else "failed")
        if service.stopping:
            return
        self._say(f"{service.unit.name} ended with {code}")
        if service.unit.restarts(good=good):
            service.due = time.monotonic() + service.unit.restart_seconds
        elif good:
            self._act(service.unit.on_success, service.unit.name)
        else:
            self._failed(service)

    def _failed(self, service: Service) -> None:
        self._note(service, "failed")
        self._act(service.unit.on_failure, service.unit.name)

    def _act(self, action: str, name: str) -> None:
        if action in _POWER:
            self._say(f"powers off: {name} ended")
            self._ends = True
        elif action != "none":
            self._say(f"{name}: the local AWS does not know the action {action}")

    def _start_due(self) -> None:
        now = time.monotonic()
        for service in list(self._services.values()):
            if service.due is not None and service.due <= now and not self._ends:
                self._launch(service)

    # The end of the machine.

    def _stop_all(self) -> None:
        for service in self._services.values():
            service.stopping, service.due = True, None
        longest = max((one.unit.stop_seconds for one in self._services.values()), default=0.0)
        self._kill(list(self._services.values()), longest)
        if self._user_data:
            _signal_group(self._user_data, signal.SIGKILL)
        if os.getpid() != 1:  # process 1 takes everything along by itself
            for child in _children():
                _signal_group(child, signal.SIGKILL)
        self._say("is off")

    def _die(self) -> None:
        """End as a machine does whose hardware breaks: nobody is asked."""
        for pid in [*(one.pid for one in self._services.values()), self._user_data]:
            _signal_group(pid, signal.SIGKILL)
        if os.getpid() != 1:
            for child in _children():
                _signal_group(child, signal.SIGKILL)
        os._exit(137)

    def _kill(self, services: list[Service], patience: float) -> None:
        """Ask, wait, then kill; other children are reaped meanwhile."""
        for one in services:
            _signal_group(one.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while any(one.pid for one in services) and time.monotonic() < deadline:
            select.select([], [], [], 0.01)
            self._reap()
        for one in services:
            _signal_group(one.pid, signal.SIGKILL)
        while any(one.pid for one in services):
            select.select([], [], [], 0.005)
            self._reap()

    # What a process is started with.

    def _start_user_data(self) -> None:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        command = (sys.executable, "-P", "-m", "coiled_pulumi.local.hosts.user_data")
        arguments = (str(self._folder), str(self._root))
        # The way to our own package goes by the environment that we were started with, not by the image's.
        ours = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
        self._user_data = self._spawn((*command, *arguments), self._environ | ours, stdin=reader)
        os.close(reader)
        # User data is 16 KiB at most, and fits into a pipe.
        os.write(writer, self._text.encode())
        os.close(writer)

    def _spawn(
        self, command: tuple[str, ...], environ: dict[str, str], *, folder: str = "/", stdin: int = -1
    ) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            _prctl(_PDEATHSIG, signal.SIGKILL)
            for sign in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, signal.SIG_DFL)
            os.dup2(stdin if stdin >= 0 else os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(self._inside(folder))
            os.execvpe(command[0], command, environ)  # noqa: S606 no shell is the point
        except BaseException as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
        finally:
            os._exit(203)  # systemd's code for "could not be executed"
        return 0

    def _inside(self, path: str) -> str:
        """Find an absolute path in the machine's own root, if it is there."""
        inside = self._root / path.lstrip("/")
        return str(inside) if path.startswith("/") and inside.exists() else path

    def _make_shims(self) -> None:
        shims = self._folder / "bin"
        shims.mkdir(exist_ok=True)
        (self._folder / "units").mkdir(exist_ok=True)
        left_out = _LEFT_OUT if self._root != Path("/") else ()
        texts = {name: f'echo "left out: {name} $*"\n' for name in left_out} | _SHIMS
        for name, text in texts.items():
            file = shims / name
            file.write_text(f"#!/bin/sh\nfolder='{self._folder}'\n{text}")
            file.chmod(0o755)
        usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        path = self._environ.get("PATH", usual)
        self._environ["PATH"] = path if path.startswith(f"{shims}:") else f"{shims}:{path}"
        if self._root != Path("/"):
            self._environ.setdefault("COILED_PULUMI_ROOT", str(self._root))

    def _make_pipe(self) -> int:
        file = self._folder / "init"
        file.unlink(missing_ok=True)
        os.mkfifo(file, 0o600)
        # Open for both, so that it never comes to an end between two writers.
        return os.open(file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def _note(self, service: Service, state: str) -> None:
        (self._folder / "units" / service.unit.name).write_text(f"{state}\n")

    def _say(self, what: str) -> None:
        os.write(2, f"init: {what}\n".encode())

    def _trim_console(self) -> None:
        if os.fstat(self._console).st_size > _CONSOLE:
            end = os.fstat(self._console).st_size
            kept = os.pread(self._console, _CONSOLE_KEPT, end - _CONSOLE_KEPT)
            os.ftruncate(self._console, 0)
            os.write(self._console, kept)


def _signal_group(pid: int, sign: signal.Signals) -> None:
    """Signal a process and what it started; each of ours leads a group."""
    if pid > 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, sign)


def _children() -> list[int]:
    try:
        text = Path("/proc/thread-self/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def _prctl(option: int, value: int) -> None:
    _LIBC.prctl(option, value, 0, 0, 0)


_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Be the init of the machine in a folder."""
    folder = Path(sys.argv[1])
    instance = json.loads((folder / "instance.json").read_text(encoding="utf-8"))
    if instance["mode"] == "namespaces" and os.getpid() != 1:
        # Else its files would be written over the machine's own.
        sys.exit("an init with namespaces has to be the first process in them")
    if os.getpid() != 1:
        _prctl(_SUBREAPER, 1)
    os.umask(0o022)
    Init(folder, instance).run()


if __name__ == "__main__":
    main()
