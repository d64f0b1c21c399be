"""Waiting for workers of groups in the local AWS, and what is found there to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coiled_pulumi.aws import capacity, notification_log, notifications, session, workers
from coiled_pulumi.aws.capacity import Counted, TakeOnDemand
from coiled_pulumi.local import control
from coiled_pulumi.local.environment import environment
from coiled_pulumi.ops import journal, run_record
from coiled_pulumi.ops import notifications as ops

REGION = "us-east-1"
#: Vcpus of t3.medium.
EACH = 2
SPOT_QUOTA = "L-34B43A08"


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def _client(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in environment(aws.record).items():
        monkeypatch.setenv(name, value)
    session.client.cache_clear()
    yield
    session.client.cache_clear()


@pytest.fixture
def limits(aws: Any) -> Iterator[Any]:
    """Set quotas; what was there before comes back."""
    before = []

    def quota(code: str, value: float) -> None:
        before.append(
            (code, control.ask(aws.record, "quota", code=code, value=value, region=REGION)["before"])
        )

    yield quota
    for code, value in before:
        control.ask(aws.record, "quota", code=code, value=value, region=REGION)


def wait(*groups: tuple[str, int], **options: Any) -> tuple[dict, list, float]:
    """Wait for groups, the first one that of cluster `c0`; give how it ended, what was told, and how long it took."""
    told, clock = [], Clock()
    ended = workers.wait(
        {f"c{number}": group for number, group in enumerate(groups)},
        region=REGION,
        on_look=lambda _, orders: told.extend(orders),
        clock=clock,
        pause=clock.pause,
        **options,
    )
    return ended, told, clock.now


def tag(aws: Any, group: str, **tags: str) -> None:
    aws.autoscaling.create_or_update_tags(
        Tags=[
            {
                "ResourceId": group,
                "ResourceType": "auto-scaling-group",
                "Key": f"coiled-pulumi:{key.replace('_', '-')}",
                "Value": value,
                "PropagateAtLaunch": False,
            }
            for key, value in tags.items()
        ]
    )


def mixed_group(aws: Any, size: int, *, base: int = 0) -> str:
    name, template = aws.name(), aws.template()
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=100,
        DesiredCapacity=size,
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": "t3.medium"}],
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": base,
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
            },
        },
        VPCZoneIdentifier=aws.subnet(),
    )
    return name


def test_what_is_there_is_not_waited_for(aws):
    name = aws.scaling_group(aws.template(), aws.subnet(), size=3)
    ended, told, seconds = wait((name, 3))

    assert (ended["c0"].phase, told, seconds) == ("there", [Counted("c0", 3, 3, "there")], 0)
    assert capacity.told(ended) == ""


def test_a_full_subnet_ends_the_wait_with_its_reason(aws):
    full = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=20)
    fine = aws.scaling_group(aws.template(), aws.subnet(), size=1)
    ended, _, seconds = wait((full, 20), (fine, 1))

    assert (ended["c0"].phase, ended["c1"].phase, seconds) == ("failed", "there", 3)
    assert capacity.told(ended).startswith("c0: 11 of 20 workers started; 9 failed: ")
    assert "InsufficientFreeAddressesInSubnet" in capacity.told(ended)


def test_a_quota_ends_the_wait_with_its_code(aws, limits):
    aws.scaling_group(aws.template(), aws.subnet(), size=0)
    limits("L-1216C47A", 0)
    name = aws.scaling_group(aws.template(), aws.subnet(), size=5)
    ended, _, _ = wait((name, 5))

    (reason,) = ended["c0"].reasons()
    assert (reason.fault.kind, reason.fault.quota) == ("quota", "L-1216C47A")
    assert capacity.told(ended).startswith("c0: 0 of 5 workers started; 5 failed: ")


def test_a_failure_from_before_the_run_is_waited_on_for_longer(aws):
    name = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=12)
    ended, _, seconds = wait((name, 12), ago=-3600)

    assert (ended["c0"].phase, seconds) == ("failed", 30)
    assert "InsufficientFreeAddressesInSubnet" in capacity.told(ended)


def test_a_group_that_is_not_there(aws):
    ended, _, seconds = wait(("nowhere", 2))

    assert (ended["c0"].phase, seconds) == ("failed", 30)


def test_the_deadline(aws):
    name = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=12)
    ended, _, seconds = wait((name, 12), deadline=2)

    assert (ended["c0"].phase, seconds) == ("late", 2)


def test_spot_workers_become_on_demand_ones_where_the_group_may(aws, limits):
    limits(SPOT_QUOTA, 0)
    name = mixed_group(aws, 3)
    tag(aws, name, spot_fallback="true")
    ended, told, _ = wait((name, 3))

    (order,) = [one for one in told if isinstance(one, TakeOnDemand)]
    assert (order.base, order.count, order.fault.code) == (3, 3, "MaxSpotInstanceCountExceeded")
    assert ended["c0"].phase == "there"
    members = [aws.instance(one["InstanceId"]) for one in aws.members(name)]
    assert [one.get("InstanceLifecycle", "on-demand") for one in members] == ["on-demand"] * 3


def test_spot_workers_stay_away_where_the_group_may_not(aws, limits):
    limits(SPOT_QUOTA, 0)
    name = mixed_group(aws, 2)
    ended, told, _ = wait((name, 2))

    assert ended["c0"].phase == "failed"
    assert not any(isinstance(one, TakeOnDemand) for one in told)


def test_what_aws_keeps_is_told_once_per_failure_and_once_per_scaling(aws):
    name, workspace = aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=20), aws.name()
    aws.scaling_group(aws.template(), aws.subnet(cidr="10.0.0.0/28"), size=20)
    tag(aws, name, workspace=workspace, cluster="main")
    found = notifications.live(workspace, REGION)

    assert sorted((one.level, one.cluster, one.source, one.resource) for one in found) == [
        ("error", "main", "scaling", name),
        ("info", "main", "scaling", name),
    ]
    assert {one.what.partition(":")[0] for one in found} == {
        "11 workers started",
        "a worker could not be started",
    }
    assert [one.id for one in notifications.live(workspace, REGION)] == [one.id for one in found]


def test_the_log_group_is_used_only_if_it_is_ours(aws):
    logs, name = aws.client("logs", REGION), aws.name()
    one = notifications.make(datetime.now(UTC), name, "", "engine", "info", "up finished")
    assert not notification_log.push(name, REGION, "here", [one])

    logs.create_log_group(logGroupName=name)
    assert not notification_log.push(name, REGION, "here", [one])
    assert logs.describe_log_streams(logGroupName=name)["logStreams"] == []

    arn = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["arn"].removesuffix(":*")
    logs.tag_resource(resourceArn=arn, tags={"coiled-pulumi:workspace": name})
    assert notification_log.push(name, REGION, "here", [one])
    assert notification_log.push(name, REGION, "there", [one])
    assert notification_log.pull(name, REGION) == [one, one]


def test_what_others_write_to_the_log_group_is_passed_over(aws):
    logs, name = aws.client("logs", REGION), aws.name()
    logs.create_log_group(logGroupName=name, tags={"coiled-pulumi:workspace": name})
    now = datetime.now(UTC)
    one = notifications.make(now, name, "", "engine", "info", "up finished")
    for stream, message in (
        ("main-worker", json.dumps(notifications.to_data(one))),
        ("notifications/x", "hello"),
    ):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
        events = [{"timestamp": int(now.timestamp() * 1000), "message": message}]
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
    old = notifications.make(now - timedelta(hours=30), name, "", "engine", "info", "up started")
    assert notification_log.push(name, REGION, "here", [one, old])

    assert notification_log.pull(name, REGION) == [old, one]
    assert notification_log.pull(name, REGION, since=now - timedelta(hours=1)) == [one]


def test_what_could_not_be_brought_to_the_log_group_is_brought_later_and_once(aws, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    logs, name = aws.client("logs", REGION), aws.name()
    run_record.note(name, REGION, "cli", "info", "before there was a group")
    run_record.push(name, REGION)
    assert notification_log.pull(name, REGION) == []

    logs.create_log_group(logGroupName=name, tags={"coiled-pulumi:workspace": name})
    for _ in range(2):
        run_record.push(name, REGION)
    assert notification_log.pull(name, REGION) == journal.of(name).read()

    run_record.note(name, "eu-west-1", "cli", "info", "in another region")
    run_record.push(name, "eu-west-1")
    assert [one.what for one in notification_log.pull(name, REGION)] == [
        "before there was a group",
        "in another region",
    ]
    assert len(logs.describe_log_streams(logGroupName=name)["logStreams"]) == 1


def test_what_two_machines_know_is_merged(aws, tmp_path, monkeypatch):
    name = aws.name()
    aws.client("logs", REGION).create_log_group(logGroupName=name, tags={"coiled-pulumi:workspace": name})
    for machine in ("here", "there"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / machine))
        run_record.note(name, REGION, "cli", "info", machine)
        run_record.push(name, REGION)
    found = ops.read(ops.with_region(name, REGION))

    assert ([one.what for one in found.notifications], found.unreached) == (["here", "there"], "")
