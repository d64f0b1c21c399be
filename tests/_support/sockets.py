"""Refuses connections from tests, by an audit hook that sees whatever goes through Python's sockets."""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: What sends something somewhere, or asks the network for a name. `socket.bind` and pairs stay allowed.
_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}

_state = {"allowed": "everything"}


class SocketRefusedError(AssertionError):
    """A test tried to reach something that it may not."""


def install() -> None:
    """Add the hook; it cannot be taken away again and lets everything pass until `only` is entered."""
    sys.addaudithook(_hook)


@contextmanager
def only(allowed: str) -> Iterator[None]:
    """Allow `nothing`, `loopback` or `everything` for a while."""
    before, _state["allowed"] = _state["allowed"], allowed
    try:
        yield
    finally:
        _state["allowed"] = before


def _hook(event: str, args: tuple) -> None:
    if event not in _EVENTS or _state["allowed"] == "everything":
        return
    target = args[1] if event.startswith(("socket.c", "socket.s")) else args[0]
    if isinstance(target, str | bytes) and event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return  # a Unix socket: a path on this machine
    if _state["allowed"] == "loopback" and _is_loopback(target):
        return
    msg = f"this test may not reach {target!r} ({event})"
    raise SocketRefusedError(msg)


def _is_loopback(target: object) -> bool:
    host = target[0] if isinstance(target, tuple) else target
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
