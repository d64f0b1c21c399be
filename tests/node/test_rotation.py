"""Certificates are replaced while a computation goes on."""

import signal
import socket
import ssl

import pytest
from _support.certificates import Authority, nobody
from _support.dask_nodes import LONG, TOKEN, connected, eventually
from distributed import Event


def _shown(address: str, context) -> bytes:
    host, _, port = address.removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port)), LONG) as plain, context.wrap_socket(plain) as peer:
        return peer.getpeercert(binary_form=True)


def test_new_certificates_of_a_new_authority(cluster, authority, tmp_path_factory):
    scheduler, worker = cluster()
    address = worker.address
    with connected(scheduler, authority) as client:
        (details,) = client.scheduler_info()["workers"].values()
        dashboard = f"tls://127.0.0.1:{client.scheduler_info()['services']['dashboard']}"
        there = (scheduler.address, address, details["nanny"], dashboard)
        old = nobody(scheduler.folder / "ca.pem")
        before = [_shown(each, old) for each in there]
        begun, gate = (Event(name, client=client) for name in ("begun", "gate"))

        def task():
            Event("begun").set()
            return Event("gate").wait(LONG)

        going_on = client.submit(task, pure=False)
        assert begun.wait(LONG)

        # A new authority: the old one counts no more, which adding to a context would not do.
        other = Authority(tmp_path_factory.mktemp("other"))
        for node in (scheduler, worker):
            other.leaf(node.role, folder=node.folder)
            node.send(signal.SIGHUP)
        new = nobody(scheduler.folder / "ca.pem")
        new.verify_mode = ssl.CERT_NONE
        eventually(lambda: all(shown != was for shown, was in zip(_all(there, new), before, strict=True)))

        with pytest.raises(OSError, match=r"."):
            connected(scheduler, authority)
        with connected(scheduler, other) as second:
            assert second.submit(lambda: 1, workers=[address]).result(LONG) == 1
        # Those who were connected stay so.
        assert not going_on.done()
        gate.set()
        assert going_on.result(LONG) is True
    assert scheduler.process.poll() is None
    assert worker.process.poll() is None


def test_files_that_do_not_do_change_nothing(start, authority):
    scheduler = start("scheduler")
    context = nobody(scheduler.folder / "ca.pem")
    before = _shown(scheduler.address, context)
    (scheduler.folder / "key.pem").write_text("no key")
    (scheduler.folder / "token").write_text("")
    scheduler.send(signal.SIGHUP)
    eventually(lambda: "the old ones stay" in scheduler.log and "the old one stays" in scheduler.log)
    assert TOKEN not in scheduler.log
    assert _shown(scheduler.address, context) == before
    with connected(scheduler, authority):
        pass


def _all(there, context) -> list[bytes]:
    return [_shown(each, context) for each in there]
