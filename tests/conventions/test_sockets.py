"""No test reaches the network: the guard that all others rely on."""

import socket
import urllib.request

import pytest
from _support import sockets

from coiled_pulumi import me


def test_a_connection_is_refused():
    with socket.socket() as client, pytest.raises(sockets.SocketRefusedError):
        client.connect(("127.0.0.1", 9))


def test_a_datagram_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as client, pytest.raises(sockets.SocketRefusedError):
        client.sendto(b"x", ("192.0.2.1", 9))


@pytest.mark.parametrize("look_up", [lambda: socket.getaddrinfo("example.org", 80), me.address])
def test_a_look_up_is_refused(look_up):
    with pytest.raises(sockets.SocketRefusedError):
        look_up()


def test_a_request_is_refused():
    with pytest.raises(sockets.SocketRefusedError):
        urllib.request.urlopen("http://192.0.2.1/")


def test_loopback_is_allowed_where_servers_are_tested():
    with sockets.only("loopback"), socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            pass
        with socket.socket() as client, pytest.raises(sockets.SocketRefusedError):
            client.connect(("192.0.2.1", 9))
