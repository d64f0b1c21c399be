"""The shared cluster does what a cluster does, and what a user's configuration may not change is not changed."""

import os

import dask.config
from distributed import get_client, worker_client


def test_it_computes(client):
    assert client.gather(client.map(lambda x: x + 1, range(5))) == [1, 2, 3, 4, 5]
    assert client.submit(sum, [1, 2], resources={"GPU": 1}).result() == 3


def test_it_says_who_it_is(client, shared):
    told = client.scheduler_info()
    assert told["id"].startswith("Scheduler-lab-main-")
    assert told["address"] == shared.address
    (worker,) = told["workers"].values()
    assert (worker["name"], worker["nthreads"]) == (shared.worker.folder.name, 2)
    assert worker["host"] == "127.0.0.2"
    assert "dashboard" not in worker["services"]


def test_a_task_is_a_client(client):
    def inside():
        return get_client().submit(lambda: 41).result() + 1

    def inside_too():
        with worker_client() as client:
            return sum(client.gather(client.map(lambda x: x, range(3))))

    assert client.submit(inside).result(timeout=20) == 42
    assert client.submit(inside_too).result(timeout=20) == 3


def test_the_environment_is_the_users(client):
    names = ("PYTHONHASHSEED", "OMP_NUM_THREADS", "LEVEL")
    said = client.submit(lambda: [os.environ[name] for name in names]).result()
    assert said == ["7", "3", "dask"]


def test_encryption_is_not_up_to_the_configuration(client, shared):
    keys = ("distributed.comm.require-encryption", "distributed.comm.tls.min-version")
    assert client.submit(lambda: [dask.config.get(key) for key in keys]).result() == [True, 1.3]
    assert "distributed.comm.require-encryption is not for clusters to choose" in shared.worker.log
