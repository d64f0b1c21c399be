"""Lets programs on the machine reach public addresses of inside, and instances reach the API.

A relay accepts TCP connections here, makes one there for each, and passes bytes and ends of streams on, both ways.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from coiled_pulumi.local.hosts import addresses
from coiled_pulumi.local.hosts.namespaces import Network

#: How long a connection may take that nobody answers, in seconds; everything is on this machine.
CONNECT_LIMIT: Final = 2.0
#: An instance that answers nothing for so long is gone, in milliseconds.
_LOST: Final = 20_000
#: Read at once, in bytes.
_PIECE: Final = 256 * 1024
#: Sockets made at once: to enter a namespace costs more than to make one.
_STOCK: Final = 16
#: Too many open files: we try again after this, in seconds.
_BREATH: Final = 0.1
#: SO_LINGER that lets `close` reset the connection.
_RESET: Final = struct.pack("ii", 1, 0)
Connect = Callable[[str], Awaitable[socket.socket]]


class Relay:
    """Accepts connections on a socket until it is closed; those accepted stay."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        """Begin.

        Args:
            listener: listens; belongs to the relay from now on.
            connect: makes the other connection, told the client's address; OSError refuses the client.
        """
        listener.setblocking(False)  # noqa: FBT003 the standard library's
        self._listener = listener
        self._connect = connect
        self._task = asyncio.create_task(self._accept())
        self._open: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Accept nobody any more."""
        self._task.cancel()
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(_BREATH)
                continue
            task = asyncio.create_task(self._serve(client, peer[0]))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _serve(self, client: socket.socket, peer: str) -> None:
        try:
            client.setblocking(False)  # noqa: FBT003 the standard library's
            async with asyncio.timeout(CONNECT_LIMIT):
                server = await self._connect(peer)
        except OSError:  # a TimeoutError is one
            _reset(client)
            return
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass(client, server))
                both.create_task(_pass(server, client))
        except* OSError:  # one side broke off: so do we on the other
            _reset(client)
            _reset(server)
        finally:
            client.close()
            server.close()


async def _pass(source: socket.socket, target: socket.socket) -> None:
    """Pass on everything up to the end of the stream, and that end; no faster than the target takes it."""
    loop = asyncio.get_running_loop()
    piece = memoryview(bytearray(_PIECE))
    while size := await loop.sock_recv_into(source, piece):
        await loop.sock_sendall(target, piece[:size])
        # Neither has to wait on a busy connection: others get their turn all the same.
        await asyncio.sleep(0)
    with suppress(OSError):  # it is gone altogether
        target.shutdown(socket.SHUT_WR)


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    one.close()


class Outside:
    """Makes connections in the internet's namespace in the name of clients on the machine."""

    def __init__(self, internet: Network) -> None:
        self._internet = internet
        self._stock: list[socket.socket] = []

    async def connect(self, client: str, address: str, port: int) -> socket.socket:
        """Connect to an address of inside, from the one that a client has there.

        Raises:
            OSError: nobody answers, or the rules say no.
        """
        if not self._stock:
            self._stock = self._internet.sockets(_STOCK)
        made = self._stock.pop()
        try:
            made.setblocking(False)  # noqa: FBT003 the standard library's
            # Of an instance that is gone nobody says so: who still speaks to it is told after a while.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _LOST // 1000)
            made.bind((addresses.inside(client), 0))
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        return made

    def to(self, address: str, port: int) -> Connect:
        """Give what connects each client to one address and port of inside."""
        return lambda client: self.connect(client, address, port)


def to_machine(port: Callable[[], int], address: str = "127.0.0.1") -> Connect:
    """Give what connects everybody to a port on the machine.

    Args:
        port: asked anew for each connection.
        address: in 127.0.0.0/8.
    """

    async def connect(client: str) -> socket.socket:  # noqa: ARG001 the API sees calls of the machine
        made = socket.socket()
        try:
            made.setblocking(False)  # noqa: FBT003 the standard library's
            await asyncio.get_running_loop().sock_connect(made, (address, port()))
        except BaseException:
            made.close()
            raise
        return made

    return connect


def listen(address: str, port: int) -> socket.socket:
    """Listen on the machine.

    Raises:
        OSError: the port is taken, or we may not.
    """
    return socket.create_server((address, port), backlog=512)
