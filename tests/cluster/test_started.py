"""A cluster that is started: made by an engine that only says so, with a real scheduler, workers and groups behind."""

import asyncio
import os
import signal
import threading
import time

import pytest
from distributed import Client

from coiled_pulumi import certificates
from coiled_pulumi.cluster import Cluster, ClusterCreationError
from coiled_pulumi.errors import NoSuchStackError, SpecErrors, UsageError
from coiled_pulumi.ops import sessions

QUIET = {"workspace": "solo", "quiet": True, "timeout": 60}


@pytest.fixture
def coming(site):
    """It comes up with the engine's run: three machines, a worker on each."""
    site.comes_with_up(least=3, most=3)
    site.pulumi.does("up", stream="up")
    site.listens(*site.aws.members(site.group))
    return site


def _stacks(site):
    return [call[0] for call in site.pulumi.calls() if call[0] in ("up", "destroy", "stack rm")]


def test_what_is_made_is_deleted_when_it_is_closed(coming):
    with Cluster(coming.name, n_workers=3, wait_for_workers=True, **QUIET) as cluster:
        assert _stacks(coming) == ["up"]
        assert len(cluster.observed) == 3
        with Client(cluster) as client:
            assert client.submit(sum, [1, 2]).result(30) == 3
    assert _stacks(coming) == ["up", "destroy", "stack rm"]
    # The workers went first, by AWS itself: the engine of this test deletes nothing.
    assert (coming.aws.desired(coming.group), coming.aws.members(coming.group)) == (0, [])
    cluster.close()
    cluster.shutdown()
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def test_what_is_to_stay_stays_until_it_is_shut_down(coming):
    cluster = Cluster(coming.name, shutdown_on_close=False, **QUIET)
    cluster.close()
    assert _stacks(coming) == ["up"]

    again = Cluster(coming.name, **QUIET)
    assert again.lives_on
    again.shutdown()
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def test_plain_lines_tell_how_far_it_is(coming, capsys):
    with Cluster(coming.name, workspace="solo", timeout=60):
        pass
    out, err = capsys.readouterr()

    assert out == ""
    assert f"start {coming.name} ..." in err
    assert f"cluster {coming.name} is up: https://{coming.address}:8787/status?token=" in err


def test_a_range_scales_by_itself(coming):
    coming.comes_with_up(least=0, most=5)
    with Cluster(coming.name, n_workers=(0, 5), **QUIET) as cluster:
        assert cluster._adaptive is not None
        assert (cluster._adaptive.minimum, cluster._adaptive.maximum) == (0, 5)


def test_one_that_ended_itself_is_made_anew(coming):
    ended, coming.scheduler_id = coming.scheduler_id, coming.aws.machine()
    coming.comes_with_up(least=3, most=3)
    coming.scheduler_id = ended
    coming.stands()
    coming.aws.ec2.terminate_instances(InstanceIds=[ended])
    with Cluster(coming.name, **QUIET):
        assert _stacks(coming) == ["destroy", "stack rm", "up"]


def test_what_aws_refuses_is_told_and_what_was_made_deleted(coming):
    coming.pulumi.does("up", stream="failed", code=4)
    with pytest.raises(ClusterCreationError, match="something of this name exists already") as caught:
        Cluster(coming.name, **QUIET)
    assert "stays and costs" not in caught.value.hint
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"worker_cpu": "many"}, SpecErrors),
        ({"zone": "eu-west-1a"}, SpecErrors),
        ({"workspace": "Not One"}, UsageError),
        ({"workspace": "nowhere"}, NoSuchStackError),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(coming, said, error):
    with pytest.raises(error):
        Cluster(coming.name, **(QUIET | said))
    assert _stacks(coming) == []


@pytest.mark.parametrize("wait", [4, -1, "all"])
def test_who_waits_for_what_cannot_be_is_told_at_once(coming, wait):
    with pytest.raises(UsageError, match="wait_for_workers"):
        Cluster(coming.name, n_workers=3, wait_for_workers=wait, **QUIET)
    assert coming.pulumi.calls() == []


def test_ctrl_c_while_the_engine_works_leaves_nothing(coming):
    coming.pulumi.does("up", stream="stopped", wait=True, code=1)
    threading.Thread(target=_interrupt, args=(lambda: _works(coming),)).start()
    with pytest.raises(KeyboardInterrupt):
        Cluster(coming.name, **QUIET)

    assert coming.pulumi.interruptions() == 1
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def test_ctrl_c_while_workers_are_waited_for_leaves_nothing(coming):
    coming.aws.autoscaling.set_desired_capacity(AutoScalingGroupName=coming.group, DesiredCapacity=6)
    looked = lambda: _stacks(coming) == ["up"] and time.monotonic() > began + 4  # noqa: E731
    began = time.monotonic()
    threading.Thread(target=_interrupt, args=(looked,)).start()
    with pytest.raises(KeyboardInterrupt):
        Cluster(coming.name, wait_for_workers=True, **QUIET)

    assert _stacks(coming) == ["up", "destroy", "stack rm"]
    assert coming.aws.members(coming.group) == []


def test_who_is_cancelled_in_a_loop_leaves_nothing(coming):
    coming.pulumi.does("up", stream="stopped", wait=True, code=1)

    async def run():
        task = asyncio.ensure_future(_open(Cluster(coming.name, asynchronous=True, **QUIET)))
        async with asyncio.timeout(40):
            while not _works(coming):
                await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert coming.pulumi.interruptions() == 1
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def _works(site):
    """Tell whether the engine has written events, and so is ready for signals."""
    return any(log.stat().st_size for log in site.pulumi.folder.parent.glob("state/**/events.jsonl"))


async def _open(cluster):
    async with cluster:
        raise AssertionError


def test_enough_workers_are_enough_and_the_others_are_told_of(coming):
    coming.aws.autoscaling.set_desired_capacity(AutoScalingGroupName=coming.group, DesiredCapacity=4)
    with Cluster(coming.name, wait_for_workers=0.7, **QUIET) as cluster:
        assert len(cluster.observed) == 3
        assert len(cluster.plan) == 4


def test_too_few_workers_are_told_with_their_reasons_and_deleted(coming):
    full = coming.aws.group(13, cidr="10.0.0.0/28")  # which has room for 11
    coming.group = full
    coming.comes_with_up(least=13, most=13)
    with pytest.raises(ClusterCreationError) as caught:
        Cluster(coming.name, n_workers=13, wait_for_workers=True, **QUIET)

    lines = caught.value.what.splitlines()
    assert lines[0] == f"cluster {coming.name}: 3 of 13 workers came, waited for 13"
    assert "InsufficientFreeAddressesInSubnet" in lines[1]
    assert caught.value.reasons
    assert _stacks(coming) == ["up", "destroy", "stack rm"]
    assert coming.aws.members(full) == []


def test_a_scheduler_that_ends_is_told_with_its_last_words(coming):
    coming.dask.close()
    coming.dask = None
    now = int(time.time() * 1000)
    coming.aws.write("solo", f"{coming.name}/scheduler/{coming.scheduler_id}", (now, "pip: no such package"))
    coming.aws.ec2.terminate_instances(InstanceIds=[coming.scheduler_id])
    # Known as running at first: has ended only afterwards.
    with pytest.raises(ClusterCreationError, match="ended before the cluster was up") as caught:
        Cluster(coming.name, **QUIET)
    assert "pip: no such package" in caught.value.what
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def test_a_stranger_at_the_scheduler_s_address_is_told_at_once(coming):
    coming.authority = certificates.authority("solo", coming.name)  # who listens has a certificate of another
    coming.comes_with_up(least=3, most=3)
    with pytest.raises(ClusterCreationError, match="its certificate is not of this cluster"):
        Cluster(coming.name, **QUIET)
    assert _stacks(coming) == ["up", "destroy", "stack rm"]


def test_the_only_workspace_is_found_and_others_are_asked_for(coming, monkeypatch):
    assert sessions.workspace().workspace == "solo"
    coming.pulumi.has({"solo": {}, "solo.mine": {}, "organization/coiled/other": {}})
    with pytest.raises(UsageError, match=r"which workspace\? found: other, solo"):
        sessions.workspace()
    monkeypatch.setenv(sessions.VARIABLE, "other")
    assert sessions.workspace().workspace == "other"
    assert sessions.workspace("solo").workspace == "solo"
    monkeypatch.delenv(sessions.VARIABLE)
    coming.pulumi.has({"solo.mine": {}})
    with pytest.raises(NoSuchStackError, match="there is no workspace on this backend"):
        sessions.workspace()


def test_clusters_that_ended_are_reaped_and_others_left_alone(coming):
    coming.pulumi.has(
        {**coming.others(), f"solo.{coming.name}": coming.record(), "solo.half": {}}, region="us-east-1"
    )
    told = []
    place = sessions.workspace("solo")
    assert sessions.reap(place, perform=_perform, tell=told.append) == []

    coming.aws.ec2.terminate_instances(InstanceIds=[coming.scheduler_id])
    assert sessions.reap(place, perform=_perform, tell=told.append) == [coming.name]
    assert _stacks(coming) == ["destroy", "stack rm"]


def _perform(_title, operation):
    return operation(lambda *_: None)


def test_names_are_the_user_s_and_each_its_own(monkeypatch):
    monkeypatch.setenv("LOGNAME", "Ünal.O'Neill_2")
    first, second = sessions.new_name(), sessions.new_name()
    assert first != second
    assert first.startswith("nal-o-neill-")
    monkeypatch.setenv("LOGNAME", "1234")
    assert sessions.new_name().startswith("cluster-")


def _interrupt(when):
    deadline = time.monotonic() + 40
    while not when() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)
