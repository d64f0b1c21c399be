"""A cluster that scales by its load, behind an API that is slow and throttles: within its bounds, and without loss."""

import os
from collections.abc import Iterator

import pytest
from _support import refusals
from _support.lab import Lab, until
from _support.recorder import Recorder
from botocore.exceptions import ClientError
from distributed import Event, wait

import coiled_pulumi
from coiled_pulumi.aws import session
from coiled_pulumi.errors import UsageError

pytestmark = [
    pytest.mark.engine,
    # distributed's own, when connections end while a cluster is closed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAME, MOST = "tide", 20
#: Decides often, so that minutes of load are seconds.
EAGER = {"interval": "1s", "wait_count": 3, "target_duration": "500ms"}
SLOW = ("autoscaling", "ec2", "logs")


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[Recorder]:
    """The API as this process alone meets it."""
    before = dict(os.environ)
    watchers = [refusals.slow(0.3, *SLOW), refusals.throttle(5, *SLOW)]
    recorder = Recorder(lab.record.port, watchers=watchers)
    with recorder.listening():
        os.environ.clear()
        os.environ.update(lab.env | {"AWS_ENDPOINT_URL": recorder.endpoint})
        session.client.cache_clear()
        try:
            yield recorder
        finally:
            session.client.cache_clear()
            os.environ.clear()
            os.environ.update(before)


class Watched:
    """A cluster's group as AWS has it, asked directly; remembers the most that was ever wanted and there."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.highest = self.crowd = 0

    def group(self) -> dict:
        tag = [{"Name": "tag:coiled-pulumi:cluster", "Values": [NAME]}]
        (found,) = self._lab.client("autoscaling").describe_auto_scaling_groups(Filters=tag)[
            "AutoScalingGroups"
        ]
        self.highest = max(self.highest, found["DesiredCapacity"])
        self.crowd = max(self.crowd, len(found["Instances"]))
        assert found["MaxSize"] == MOST
        return found

    def desired(self) -> int:
        return self.group()["DesiredCapacity"]


def token():
    """Give a function that waits for a gate, and whose results are the only ones of their kind; it travels whole."""

    def hold(number):
        import secrets

        from distributed import Event, get_worker

        Event("gate").wait()
        return number, secrets.token_hex(16), get_worker().name

    return hold


def test_load_goes_up_and_down_within_the_bounds_and_nothing_is_lost(lab, api):
    aws = Watched(lab)
    with coiled_pulumi.Cluster(
        name=NAME, n_workers=(0, MOST), no_client_timeout=None, worker_types=["m6i.large"], quiet=True
    ) as cluster:
        assert aws.desired() == 0
        with cluster.get_client() as client:
            cluster.adapt(minimum=0, maximum=MOST, **EAGER)
            futures = client.map(token(), range(6 * MOST), pure=False)
            until(lambda: aws.desired() == MOST)
            # All of them work, on tasks that take their time.
            until(lambda: aws.desired() == MOST and len(cluster.observed) == MOST, seconds=150)
            busy = lambda: sum(map(bool, client.processing().values()))  # noqa: E731
            until(lambda: busy() == MOST)
            Event("gate").set()
            wait(futures)
            made = client.gather(futures)
            assert len({worker for _, _, worker in made}) == MOST

            # A few short tasks need few; results stay where they are, and whoever holds one hands it over.
            assert client.gather(client.map(lambda number: number, range(3))) == [0, 1, 2]
            until(lambda: aws.desired() <= 2, seconds=120)
            adaptive = cluster.adapt(minimum=2, maximum=MOST, **EAGER)
            until(lambda: aws.desired() == 2 == len(cluster.observed), seconds=90)
            staying = {one["InstanceId"] for one in aws.group()["Instances"]}
            assert staying == cluster.observed
            # A result that was lost would be computed again, and be another.
            assert client.gather(futures) == made

            with pytest.raises(UsageError) as refused:
                cluster.scale(25)
            assert adaptive.state == "running"
            assert refused.value.what == f"cluster {NAME} may have {MOST} workers, and not 25"
            with pytest.raises(ClientError, match="above max value"):
                lab.client("autoscaling").set_desired_capacity(
                    AutoScalingGroupName=aws.group()["AutoScalingGroupName"], DesiredCapacity=MOST + 5
                )
            assert aws.desired() == 2
        group = aws.group()["AutoScalingGroupName"]
        activities = lab.client("autoscaling").get_paginator("describe_scaling_activities")
        told = [
            one
            for page in activities.paginate(AutoScalingGroupName=group)
            for one in page["Activities"]
            if one["StatusCode"] == "Successful"
        ]
    assert lab.left(NAME) == {}
    assert aws.highest == aws.crowd == MOST
    asked = [call for call in api.seen if call.name == "autoscaling:SetDesiredCapacity"]
    assert max(int(call.parameters["DesiredCapacity"]) for call in asked) == MOST
    assert sum(call.status in (400, 503) for call in api.seen) > len(api.seen) / 10
    # Those that left were not replaced; the two bounds that follow one another may bring two back.
    launched = [one for one in told if one["Description"].startswith("Launching")]
    assert MOST <= len(launched) <= MOST + 2
