"""Linux namespaces, without a name: what is in one lives as long as a process or an open file of ours holds it.

Python has `os.setns` and `os.unshare` from 3.12 on only. A network namespace is entered by a thread of its own, which
ends there: without rights on the machine there is no way back from one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

_T = TypeVar("_T")
_libc: Final = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS: Final = 0x00020000
NEW_HOSTNAME: Final = 0x04000000
NEW_IPC: Final = 0x08000000
NEW_USERS: Final = 0x10000000
NEW_PROCESSES: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000
_SET_DEATH_SIGNAL: Final = 1
_DROP_CAPABILITY: Final = 24
_SET_SUBREAPER: Final = 36
#: What root of an instance could do to the machine, which no namespace keeps apart: modules, raw devices, rebooting,
#: the clock, the kernel's log.
_NOT_FOR_INSTANCES: Final = (16, 17, 22, 25, 34)
_FREEBIND: Final = 15
_PORT_LATE: Final = 24


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library that sets errno.

    Raises:
        OSError: it failed.
    """
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"the C library has no {name}")
    result: int = function(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def die_with_parent(how: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel send us a signal when the thread ends that started us; it survives an exec."""
    call("prctl", _SET_DEATH_SIGNAL, int(how), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind."""
    call("prctl", _SET_SUBREAPER, 1, 0, 0, 0)


def become_root_of_users() -> None:
    """Take a user namespace in which we are root; needs a process with one thread.

    Raises:
        OSError: the kernel, or who runs it, does not let us.
    """
    user, group = os.getuid(), os.getgid()
    call("unshare", NEW_USERS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(text)


def in_child(function: Callable[[], str]) -> str:
    """Run something in a process of its own, which it may leave in whatever state; give what it gives.

    An error's text is given as well.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = function()
        except BaseException as error:
            text = str(error) or type(error).__name__
        os.write(writer, text.encode()[:4096])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        text = said.read().decode()
    os.waitpid(pid, 0)
    return text


class Network:
    """A network namespace."""

    def __init__(self) -> None:
        def make() -> int:
            call("unshare", NEW_NETWORK)
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self.handle = _in_thread(make)

    def run(self, function: Callable[[], _T]) -> _T:
        """Run something in it; files and sockets that it opens belong there for good."""

        def there() -> _T:
            call("setns", self.handle, NEW_NETWORK)
            return function()

        return _in_thread(there)

    def listen(self, address: str, port: int) -> socket.socket:
        """Make a socket that listens in it."""
        return self.run(lambda: socket.create_server((address, port), backlog=512))

    def sockets(self, count: int) -> list[socket.socket]:
        """Make TCP sockets in it that may take any address as theirs."""

        def make() -> list[socket.socket]:
            made = [socket.socket() for _ in range(count)]
            for one in made:
                one.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
                one.setsockopt(socket.IPPROTO_IP, _PORT_LATE, 1)
            return made

        return self.run(make)

    def close(self) -> None:
        """Let go of it; it ends with the last process and socket in it."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def _in_thread(function: Callable[[], _T]) -> _T:
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(function())
        except BaseException as error:  # raised again below, where somebody waits for it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is the first of a namespace of processes; all others there end with it."""

    pid: int
    handle: int
    """Becomes readable when it has ended."""

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, what)

    def wait(self, seconds: float) -> bool:
        """Wait for its end, not longer than some time; tell whether it came."""
        return _is_readable(self.handle, seconds)

    def reap(self) -> int:
        """Wait until it has ended; give its exit code, negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.handle)
        return os.waitstatus_to_exitcode(status)


def start(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    network: Network,
    hostname: str,
    prepare: Callable[[], None],
    output: Path,
) -> Process:
    """Start a process in new namespaces; whatever ends us ends it and all that it started.

    Must be called by the main thread, because the end of the thread that starts a process counts as the end of us.

    Args:
        command: what to run, found after `prepare`.
        environ: the whole environment.
        network: where it is on the network.
        hostname: of its own.
        prepare: makes its file system, called in its own namespaces.
        output: a file that what it prints is added to.
    """
    adopt_orphans()
    us = os.pidfd_open(os.getpid())
    told, number = os.pipe()
    go, hold = os.pipe()

    def become() -> NoReturn:
        os.close(hold)
        os.read(go, 1)
        _become(command, environ, network, hostname, prepare, output, us)

    try:
        between = os.fork()
        if between == 0:
            _fork_first(number, become)
        _, status = os.waitpid(between, 0)
        if status:
            raise OSError(os.waitstatus_to_exitcode(status), "the kernel gives no namespace of processes")
        pid = int(os.read(told, 32))
    finally:
        # With `hold` closed it begins. Its first parent has ended and we have taken its place by now: the end of that
        # one can't count as the end of us.
        for handle in (us, told, number, go, hold):
            os.close(handle)
    return Process(pid, os.pidfd_open(pid))


def _fork_first(number: int, become: Callable[[], NoReturn]) -> NoReturn:
    """Make the first process of a namespace, tell its number, and end.

    Who makes a namespace of processes is outside of it, and so are its threads; only its children are in. Without
    rights on the machine it could not have children outside again, and so we take a process that needs none.
    """
    code = 1
    try:
        call("unshare", NEW_PROCESSES)
        pid = os.fork()
        if pid == 0:
            become()
        os.write(number, str(pid).encode())
        code = 0
    except OSError as error:
        code = error.errno or 1
    finally:
        os._exit(code)


def _become(
    command: Sequence[str],
    environ: Mapping[str, str],
    network: Network,
    hostname: str,
    prepare: Callable[[], None],
    output: Path,
    parent: int,
) -> NoReturn:
    try:
        die_with_parent()
        if _is_readable(parent, 0):  # it ended before we said so
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(sign, signal.SIG_DFL)
        _redirect(output)
        os.setsid()
        call("setns", network.handle, NEW_NETWORK)
        call("unshare", NEW_MOUNTS | NEW_HOSTNAME | NEW_IPC)
        socket.sethostname(hostname)
        prepare()
        for capability in _NOT_FOR_INSTANCES:
            _libc.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)  # fails for what we do not have either
        os.execve(command[0], list(command), dict(environ))  # noqa: S606 no shell is the point
    except BaseException as error:
        os.write(2, f"this instance could not start: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(127)


def _is_readable(handle: int, seconds: float) -> bool:
    asked = select.poll()  # unlike `select`, also for a number above 1024
    asked.register(handle, select.POLLIN)
    return bool(asked.poll(seconds * 1000))


def _redirect(output: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def is_linux() -> bool:
    """Tell whether there are namespaces at all."""
    return sys.platform == "linux"
