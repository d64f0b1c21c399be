"""A cluster that is up, from Python: a real scheduler and real workers behind its record, machines in the local AWS."""

import asyncio
import json
import time

import pytest
from distributed import Client

import coiled_pulumi
from coiled_pulumi.cluster import Cluster, ClusterCreationError
from coiled_pulumi.errors import NoSuchStackError, UsageError

QUIET = {"workspace": "solo", "quiet": True, "timeout": 60}


@pytest.fixture
def up(site):
    """Three machines, a worker on each, a group that may have eight."""
    site.stands(least=1, most=8)
    site.listens(*site.aws.members(site.group))
    return site


def test_work_is_done_and_closing_leaves_it_up(up):
    with coiled_pulumi.Cluster(up.name, wait_for_workers=True, **QUIET) as cluster:
        assert cluster.observed == set(up.aws.members(up.group))
        assert cluster.plan == cluster.observed
        assert cluster.dashboard_link == f"https://{up.address}:8787/status?token=t0ken"
        assert up.name in repr(cluster)
        html = cluster._repr_html_()
        assert "Environment" in html
        assert "PRIVATE KEY" not in html
        with cluster.get_client() as client:
            assert client.submit(sum, [1, 2, 3]).result(30) == 6
    assert cluster.status.name == "closed"
    assert cluster.close() is None
    assert up.aws.desired(up.group) == 3
    assert up.pulumi.verbs().count("destroy") == 0


def test_a_size_is_said_to_change_nothing(up):
    with pytest.warns(UserWarning, match="is up already, and keeps its size: n_workers changes nothing"):
        cluster = Cluster(up.name, n_workers=7, **QUIET)
    cluster.close()


def test_a_loop_of_the_users_own(up):
    async def run():
        async with (
            Cluster(up.name, asynchronous=True, **QUIET) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            return await client.submit(max, [4, 5])

    assert asyncio.run(run()) == 5


def test_it_grows_within_its_bound_and_shrinks_by_whom_the_scheduler_spares(up):
    with Cluster(up.name, **QUIET) as cluster, Client(cluster) as client:
        held = client.scatter({"x": list(range(1000))}, direct=False)
        cluster.scale(5)
        assert (up.aws.desired(up.group), len(cluster.plan)) == (5, 5)

        cluster.scale(3)  # those that have not come go first
        assert {worker["name"] for worker in cluster.scheduler_info["workers"].values()} == cluster.plan
        assert up.aws.desired(up.group) == 3

        cluster.scale(1)
        (left,) = up.aws.members(up.group)
        assert cluster.plan == {left}
        assert client.submit(len, held["x"]).result(30) == 1000

        with pytest.raises(UsageError, match=f"cluster {up.name} may have 8 workers, and not 9") as caught:
            cluster.scale(9)
        assert caught.value.hint == "cluster.adapt(minimum=1, maximum=9) raises the bound"
        for wrong in (-1, 2.5, True):
            with pytest.raises(UsageError, match="a whole number of workers"):
                cluster.scale(wrong)
        assert up.aws.desired(up.group) == 1


def test_workers_that_are_named_leave_with_their_data_and_are_not_replaced(up):
    with Cluster(up.name, wait_for_workers=True, **QUIET) as cluster, Client(cluster) as client:
        addresses = {one["name"]: address for address, one in cluster.scheduler_info["workers"].items()}
        by_name, by_address, stays = sorted(addresses)
        made = client.submit(lambda: "kept", workers=addresses[by_name], allow_other_workers=True)
        made.result(30)
        cluster.scale_down([by_name, addresses[by_address], "i-0123456789abcdef0"])

        assert up.aws.members(up.group) == [stays]
        assert made.result(30) == "kept"
        # The last one holds what has no other place: it stays.
        cluster.scale_down([stays])
        assert (up.aws.members(up.group), up.aws.desired(up.group)) == ([stays], 1)
        assert (
            "what they hold has no other place" in cluster.get_logs(scheduler=False, workers=False)["Cluster"]
        )


def test_load_scales_it_up_to_its_bound_and_quiet_down_again(up):
    with Cluster(up.name, wait_for_workers=True, **QUIET) as cluster, Client(cluster) as client:
        adaptive = cluster.adapt(minimum=1, maximum=6, interval="100ms", wait_count=2, target_duration="1s")
        futures = client.map(lambda n: time.sleep(0.4) or n, range(60), pure=False)
        _eventually(lambda: up.aws.desired(up.group) == 6)
        del futures
        _eventually(lambda: up.aws.desired(up.group) == 1)

        assert max(len(step.get("workers", ())) for _, step in adaptive.log) <= 6
        with pytest.warns(UserWarning, match="ends adaptive scaling"):
            cluster.scale(1)
        assert adaptive.state == "stopped"


@pytest.mark.parametrize(
    "bounds", [{"minimum": 5, "maximum": 2}, {"minimum": -1}, {"maximum": 0, "minimum": 0}]
)
def test_bounds_that_make_no_sense_are_refused(up, bounds):
    with (
        Cluster(up.name, **QUIET) as cluster,
        pytest.raises(UsageError, match="adapt takes a minimum and a maximum"),
    ):
        cluster.adapt(**bounds)


def test_bounds_beyond_the_group_s_own_are_the_engine_s_to_give(up):
    up.comes_with_up(least=1, most=12)
    up.stands(least=1, most=8)
    up.pulumi.does("up", stream="same")
    with Cluster(up.name, **QUIET) as cluster:
        cluster.adapt(minimum=1, maximum=12, interval="1h")
        assert up.pulumi.verbs().count("up") == 1
        assert cluster._session.workers.most == 12
        settings = json.loads((_config(up)).read_text())
        assert settings["config"]["coiled:cluster"]["cluster"]["n_workers"] == [1, 12]


def test_a_number_that_pulumi_keeps_is_changed_by_the_engine(site):
    site.comes_with_up(least=2, most=2)
    site.stands(least=3, most=3)
    site.listens(*site.aws.members(site.group))
    site.pulumi.does("up", stream="same")
    with Cluster(site.name, wait_for_workers=True, **QUIET) as cluster:
        cluster.scale(2)
        assert site.pulumi.verbs().count("up") == 1
        # Who the scheduler spared has left before: the engine finds the size that it is to make.
        assert (site.aws.desired(site.group), len(cluster.plan)) == (2, 2)
        with pytest.raises(UsageError, match="has a fixed number of workers, at least 1"):
            cluster.scale(0)


def test_logs_and_details_tell_of_machines(up):
    worker = up.aws.members(up.group)[0]
    now = int(time.time() * 1000)
    up.aws.write("solo", f"{up.name}/scheduler/{up.scheduler_id}", (now, "listening"), (now + 1, "ready"))
    up.aws.write("solo", f"{up.name}/worker/{worker}", (now, "joined"))
    told = {"phase": "joined", "instance": worker, "role": "worker", "group": "workers", "at": now / 1000}
    up.aws.write("solo", f"{up.name}/phases", (now, json.dumps(told)))
    with Cluster(up.name, wait_for_workers=True, **QUIET) as cluster:
        logs = cluster.get_logs()
        assert (logs["Scheduler"], logs[worker]) == ("listening\nready", "joined")
        address = next(at for at, one in cluster.scheduler_info["workers"].items() if one["name"] == worker)
        assert set(cluster.get_logs(cluster=False, scheduler=False, workers=[address])) == {worker}

        details = cluster.details()
        assert (details["state"], details["scheduler"]["reachable"]) == ("up", True)
        assert details["groups"]["workers"]["machines"][worker] == {"state": "InService", "phase": "joined"}
        assert details["certificates"]["rotation"] == 0
        assert "PRIVATE" not in json.dumps(details)


def test_new_certificates_are_taken_without_a_break(up):
    up.pulumi.does("up", stream="same")
    with Cluster(up.name, **QUIET) as cluster, Client(cluster) as client:
        before = cluster.security.tls_client_cert
        up.stands(least=1, most=8)  # with a certificate that was issued anew
        cluster.rotate()
        assert cluster.security.tls_client_cert != before
        assert client.submit(sum, [1]).result(30) == 1
        cluster.scale_down([])
        with Client(cluster) as other:
            assert other.submit(sum, [2]).result(30) == 2


def test_who_attaches_to_nothing_is_told(site):
    site.pulumi.has(site.others())
    with pytest.raises(NoSuchStackError, match="no cluster 'nobody'"):
        Cluster.from_name("nobody", **QUIET)


def test_who_waits_for_more_than_there_is_is_told_and_the_cluster_stays(up):
    working = set(up.aws.members(up.group))
    up.aws.autoscaling.set_desired_capacity(AutoScalingGroupName=up.group, DesiredCapacity=5)
    now = int(time.time() * 1000)
    for machine in set(up.aws.members(up.group)) - working:
        up.aws.write("solo", f"{up.name}/worker/{machine}", (now, "pip: still at it"))
    with pytest.raises(ClusterCreationError) as caught:
        Cluster(up.name, wait_for_workers=True, **(QUIET | {"timeout": 4}))
    assert caught.value.what.splitlines() == [
        f"cluster {up.name} did not come up within 4 s: scheduler ready, workers: 2 starting, 3 ready",
        "pip: still at it",
    ]
    assert up.aws.desired(up.group) == 5
    assert "destroy" not in up.pulumi.verbs()


def _eventually(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _config(site):
    (found,) = site.pulumi.folder.parent.glob(
        f"state/coiled-pulumi/projects/*/solo.{site.name}/Pulumi.*.yaml"
    )
    return found
