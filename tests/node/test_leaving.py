"""How processes end when they are told to, and what becomes of data."""

import os
import signal
import socket

from _support.dask_nodes import connected, eventually, free_address


def test_a_worker_that_leaves_hands_its_data_over(cluster, authority):
    scheduler, leaving, staying = cluster(workers=2)
    with connected(scheduler, authority) as client:
        mine = client.map(lambda _: os.urandom(10), range(20), workers=[leaving.address], pure=False)
        told = client.gather(mine)
        pid = client.run(os.getpid, workers=[leaving.address])[leaving.address]
        # A machine that goes down signals everything on it: that is the nanny's alone to act on.
        os.kill(pid, signal.SIGTERM)
        leaving.send(signal.SIGTERM)
        assert leaving.end() == 0
        assert "data moved" in leaving.log
        # They were random: made anew they would differ.
        assert client.gather(mine) == told
        assert list(client.scheduler_info()["workers"]) == [staying.address]
        eventually(lambda: not _lives(pid))


def test_a_second_sigterm_waits_for_nothing(cluster, authority):
    scheduler, worker = cluster()
    with connected(scheduler, authority) as client:
        (pid,) = client.run(os.getpid).values()
    scheduler.send(signal.SIGSTOP)
    worker.send(signal.SIGTERM)
    eventually(lambda: worker.process.poll() is not None or worker.send(signal.SIGTERM))
    assert worker.end() == 143
    eventually(lambda: not _lives(pid))


def test_a_worker_without_its_scheduler(start):
    address = free_address()
    worker = start("worker", scheduler=address, timers={"lost_scheduler": 2})
    worker.wait("alive")
    scheduler = start("scheduler", port=int(address.rpartition(":")[2]))
    assert worker.address
    assert "ERROR" not in worker.log
    # The scheduler ends alone: workers are not its to end.
    scheduler.send(signal.SIGTERM)
    assert scheduler.end() == 0
    assert worker.wait("end")["reason"] == "lost_scheduler"
    # That the nanny starts a worker again hides nothing, and does not keep anybody.
    eventually(lambda: "Restarting worker" in worker.log)
    assert worker.process.poll() is None
    worker.send(signal.SIGTERM)
    assert worker.end() == 0


def test_a_worker_that_never_saw_its_scheduler_leaves_at_once(start):
    worker = start("worker", scheduler="tls://127.0.0.1:9")
    worker.wait("alive")
    worker.send(signal.SIGTERM)
    assert worker.end() == 0


def test_a_client_shuts_the_cluster_down(cluster, authority):
    scheduler, worker = cluster()
    with connected(scheduler, authority) as client:
        client.shutdown()
    assert scheduler.wait("end")["reason"] == "shutdown"
    assert (scheduler.end(), worker.end()) == (0, 0)


def test_a_port_in_use_is_an_error(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        scheduler = start("scheduler", dashboard_port=server.getsockname()[1])
        assert scheduler.end() == 1
    assert "of the dashboard is in use" in scheduler.log


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
