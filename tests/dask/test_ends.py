"""Clusters end by themselves: whoever started them may be gone, their scheduler may be gone, or nobody computes."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from _support.lab import until

pytestmark = pytest.mark.engine

OWNER = """
import sys, time
from coiled_pulumi import Cluster
if __name__ == "__main__":
    cluster = Cluster(name="orphan", n_workers=1, no_client_timeout="10 seconds", wait_for_workers=True)
    client = cluster.get_client()
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def clusters(lab):
    """Three clusters, started at once: one that belongs to a Python session, one to lose its scheduler, one idle."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=lab.folder,
        env=lab.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    start = ("cluster", "start", "--workspace", "lab", "--n-workers", "1")
    try:
        with ThreadPoolExecutor() as pool:
            headless = pool.submit(lab.cli, *start, "headless", "--set", "scheduler_timeout=20 seconds")
            idle = pool.submit(lab.cli, *start, "idle", "--idle-timeout", "12 seconds", "--no-wait")
            assert owner.stdout.readline() == "up\n"
            headless.result()
            idle.result()
        yield owner
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
        for name in ("orphan", "headless", "idle"):
            lab.cli("cluster", "stop", name, "--workspace", "lab", "--yes", code=None)


def test_a_killed_client_takes_its_cluster_with_it(clusters, lab):
    assert lab.role("orphan", "worker")
    clusters.send_signal(signal.SIGKILL)
    clusters.wait()
    until(lambda: not lab.instances("orphan"), seconds=60)


def test_workers_do_not_outlive_their_scheduler(clusters, lab):
    (scheduler,), workers = lab.role("headless", "scheduler"), lab.role("headless", "worker")
    assert workers
    lab.cli("local", "kill", scheduler)
    # AWS itself brings the group to nothing: nobody put the end off any more.
    until(lambda: not lab.instances("headless"), seconds=90)


def test_a_cluster_without_work_ends_and_says_so(clusters, lab):
    until(lambda: not lab.instances("idle"), seconds=90)
    told = json.loads(lab.cli("notifications", "--file", "lab.yaml", "--json").stdout)
    mine = [one["what"] for one in told["notifications"] if one["cluster"] == "idle"]
    assert any("idle" in what and "ended" in what for what in mine), mine


def test_what_is_left_of_ended_clusters_is_cleared(clusters, lab):
    def ended():
        listed = json.loads(lab.cli("cluster", "list", "--workspace", "lab", "--json").stdout)["clusters"]
        return {one["name"] for one in listed if one["state"] == "ended"}

    until(lambda: ended() == {"orphan", "headless", "idle"}, seconds=60)
    lab.cli("cluster", "list", "--workspace", "lab", "--reap")
    assert json.loads(lab.cli("cluster", "list", "--workspace", "lab", "--json").stdout)["clusters"] == []
    for name in ("orphan", "headless", "idle"):
        assert lab.left(name) == {}
