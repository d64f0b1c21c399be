"""Spot machines: AWS takes one back, and its data stays in the cluster; AWS has none, and others take their place."""

import hashlib
import json
import os
import time
from datetime import datetime

import pytest
from _support.lab import until

import coiled_pulumi

pytestmark = [
    pytest.mark.engine,
    # distributed's own, when connections end while a cluster is closed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
#: Quota of standard spot machines.
SPOT_VCPUS = "L-34B43A08"


def spot_cluster(name):
    return coiled_pulumi.Cluster(
        name=name, n_workers=2, spot_policy="spot_with_fallback", wait_for_workers=True, quiet=True
    )


def markets(lab, cluster):
    """How the workers of a cluster are bought."""
    machines = lab.instances(cluster)
    return sorted(
        machines[name].get("InstanceLifecycle", "on-demand") for name in lab.role(cluster, "worker")
    )


def names(client):
    return {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}


def phases(lab, cluster):
    lines = lab.cli("cluster", "logs", cluster, "--workspace", "lab", "--phases", "--json").stdout
    return [json.loads(line) for line in lines.splitlines()]


def test_an_interrupted_worker_leaves_its_data_and_another_one_comes(inside):
    with spot_cluster("spot") as cluster, cluster.get_client() as client:
        assert markets(inside, "spot") == ["spot", "spot"]
        gone, stays = inside.role("spot", "worker")
        # Nobody can compute these again: who has others in the end has lost them.
        unique = client.submit(lambda: os.urandom(10_000_000), workers=[gone], pure=False)
        digest = client.submit(lambda made: hashlib.sha256(made).hexdigest(), unique).result(timeout=30)
        before = client.who_has([unique])
        assert len(before[unique.key]) == 1

        told = inside.cli("local", "spot-interrupt", gone, "--after", "30", "--json").stdout
        ends = datetime.fromisoformat(json.loads(told)["ends"]).timestamp()
        until(lambda: gone not in names(client), seconds=30)
        assert time.time() < ends, "the worker was there until AWS took its machine"
        assert gone in inside.instances("spot")
        assert hashlib.sha256(unique.result(timeout=10)).hexdigest() == digest
        assert client.who_has([unique])[unique.key]
        # What it says on its way out is on its way too.
        retiring = until(lambda: [one for one in phases(inside, "spot") if one["phase"] == "retiring"])
        assert {(one["instance"], one["reason"]) for one in retiring if one["detail"]} >= {
            (gone, "spot interruption")
        }

        (new,) = until(lambda: set(inside.role("spot", "worker")) - {gone, stays}, seconds=60)
        until(lambda: names(client) == {stays, new}, seconds=90)
        assert hashlib.sha256(unique.result(timeout=10)).hexdigest() == digest
        until(lambda: gone not in inside.instances("spot"), seconds=60)
        # The machine that took its place is a spot machine as well.
        assert markets(inside, "spot") == ["spot", "spot"]
    assert inside.left("spot") == {}


def test_on_demand_machines_fill_up_where_there_is_no_spot_capacity(inside):
    inside.cli("local", "quota", SPOT_VCPUS, "4")
    try:
        with spot_cluster("short") as cluster, cluster.get_client() as client:
            assert len(names(client)) == 2
            # m6i.xlarge has 4 vCPUs: there is room for one.
            assert markets(inside, "short") == ["on-demand", "spot"]
            assert client.gather(client.map(lambda number: number + 1, range(10))) == list(range(1, 11))
        told = inside.cli("notifications", "--file", "lab.yaml", "--json").stdout
        mine = [one["what"] for one in json.loads(told)["notifications"] if one["cluster"] == "short"]
        assert any("on-demand" in what for what in mine), mine
    finally:
        inside.cli("local", "quota", SPOT_VCPUS, "100000")
