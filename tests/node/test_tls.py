"""Who gets in: a peer that was let in hears a byte of Dask's handshake, all others hear nothing."""

import asyncio
import socket
import ssl

import pytest
from _support.certificates import Authority, nobody
from _support.dask_nodes import LONG, OUTSIDE, eventually
from distributed import Client
from distributed.comm import connect


def _hears(
    address: str, context: ssl.SSLContext | None, source: str = "127.0.0.1", says: bytes = b""
) -> bool:
    host, _, port = address.removeprefix("tls://").rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), LONG, (source, 0)) as plain,
            context.wrap_socket(plain) if context else plain as peer,
        ):
            if says:
                peer.sendall(says)
            return bool(peer.recv(1))
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def contexts(authority, shared, tmp_path_factory) -> dict[str, ssl.SSLContext]:
    def folder(name: str):
        return tmp_path_factory.mktemp(name)

    wrong = Authority(folder("wrong")).leaf("client").context()
    wrong.check_hostname, wrong.verify_mode = False, ssl.CERT_NONE
    old = authority.leaf("client").context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    return {
        "client": authority.leaf("client").context(),
        "worker": authority.leaf("worker").context(),
        "scheduler": authority.leaf("scheduler").context(),
        "nobody": nobody(shared.folder / "ca.pem"),
        "wrong": wrong,
        "expired": authority.leaf("client", expired=True).context(),
        "other": authority.leaf("client", cluster="other").context(),
        "tls 1.2": old,
    }


@pytest.mark.parametrize(
    ("who", "source", "at"),
    [
        ("client", "127.0.0.1", "scheduler worker"),
        ("client", OUTSIDE, "scheduler worker"),
        ("worker", "127.0.0.1", "scheduler worker nanny"),
        ("worker", OUTSIDE, "nanny"),  # on one machine any two loopback addresses are this machine
        ("scheduler", "127.0.0.1", "scheduler worker nanny"),
        ("scheduler", OUTSIDE, "scheduler"),
        ("nobody", "127.0.0.1", ""),
        ("wrong", "127.0.0.1", ""),
        ("expired", "127.0.0.1", ""),
        ("other", "127.0.0.1", ""),
        ("tls 1.2", "127.0.0.1", ""),
    ],
)
def test_who_is_heard(shared, client, contexts, who, source, at):
    (worker,) = client.scheduler_info()["workers"].items()
    there = {"scheduler": shared.address, "worker": worker[0], "nanny": worker[1]["nanny"]}
    heard = {name for name, address in there.items() if _hears(address, contexts[who], source)}
    assert heard == set(at.split())


def test_nobody_is_heard_without_tls(shared):
    assert not _hears(shared.address, None, says=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_refusal_is_told_once(shared, contexts):
    for _ in range(3):
        assert not _hears(shared.address, contexts["worker"], "127.0.0.10")
    told = (
        "refused 127.0.0.10 (certificate worker of lab/main): a worker's certificate from outside the network"
    )
    eventually(lambda: told in shared.log)
    assert shared.log.count(told) == 1


def test_a_client_does_not_register_workers(shared, authority):
    assert _is_closed(shared, authority, "client", {"op": "register-worker", "address": "tls://127.0.0.1:1"})
    assert "register-worker is for workers" in shared.log


def test_a_workers_leaf_is_no_client_where_no_worker_is(start, authority):
    scheduler = start("scheduler")
    assert _is_closed(scheduler, authority, "worker", {"op": "run_function", "function": b"", "wait": True})
    with pytest.raises(OSError, match=r"."):
        Client(scheduler.address, security=authority.leaf("worker").security(), timeout="1s")
    assert "register-client by a worker's certificate from where no worker is registered" in scheduler.log


def _is_closed(scheduler, authority: Authority, role: str, message: dict) -> bool:
    options = authority.leaf(role).security().get_connection_args("client")

    async def ask() -> bool:
        comm = await connect(scheduler.address, **options)
        await comm.write(message)
        try:
            await asyncio.wait_for(comm.read(), LONG)
        except OSError:
            return True
        finally:
            comm.abort()
        return False

    return asyncio.run(ask())
