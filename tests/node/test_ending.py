"""Timers that fire on the machines, whatever became of clients."""

import signal
import subprocess
import sys
import threading

from _support.dask_nodes import LONG, connected, eventually, free_address

#: A session that leaves a task behind which nobody waits for, and which is a client itself.
_SESSION = """
import sys, threading
from distributed import Client, Security, fire_and_forget, get_client
folder, address = sys.argv[1:]
files = {"tls_ca_file": "ca", "tls_client_cert": "cert", "tls_client_key": "key"}
security = Security(require_encryption=True, **{name: f"{folder}/{file}.pem" for name, file in files.items()})

def forever():
    get_client()
    threading.Event().wait(60)

client = Client(address, security=security, timeout=40)
fire_and_forget(client.submit(forever))
print("connected", flush=True)
threading.Event().wait()
"""


def test_no_client_after_one_was_killed(cluster, authority):
    address = free_address()
    arguments = [sys.executable, "-c", _SESSION, str(authority.leaf("client").folder), address]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as session:
        try:
            scheduler, _ = cluster(timers={"no_client": 6}, address=address)
            assert session.stdout.readline() == b"connected\n"
            eventually(lambda: "Client-worker" in scheduler.log)
            assert not scheduler.told("end")
        finally:
            session.kill()
    end = scheduler.wait("end")
    assert (end["reason"], end["detail"]) == ("no_client", "without a client for 6 s")
    # Ending is the agent's: until then the scheduler serves.
    with connected(scheduler, authority) as client:
        assert len(client.scheduler_info()["workers"]) == 1
    scheduler.send(signal.SIGTERM)
    assert scheduler.end() == 0


def test_idle_counts_from_the_last_task(start, authority):
    scheduler = start("scheduler", timers={"idle": 3, "no_client": 60})
    with connected(scheduler, authority) as client:
        # A task that waits for a worker, as while machines boot, is something to do.
        task = client.submit(lambda: threading.Event().wait(4))
        start("worker", scheduler=scheduler.address)
        assert task.result(LONG) is False
        assert not scheduler.told("end")
        assert scheduler.wait("end")["reason"] == "idle"


def test_a_broken_connection_costs_a_worker_process_and_not_the_machine(cluster, authority):
    scheduler, worker = cluster(timers={"lost_scheduler": 20})

    def cut(dask_scheduler):
        for stream in list(dask_scheduler.stream_comms.values()):
            stream.abort()

    with connected(scheduler, authority) as client:
        client.run_on_scheduler(cut)
        eventually(lambda: "Restarting worker" in worker.log)
        assert client.submit(lambda: 1).result(LONG) == 1
        assert list(client.scheduler_info()["workers"]) != [worker.address]
    assert worker.process.poll() is None
    assert not worker.told("end")
