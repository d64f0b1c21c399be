"""Instances that really run: what boots, what is told about it, and what AWS does when a machine ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coiled_pulumi.errors import UsageError
from coiled_pulumi.local import control, daemon, inventory, machines, process, state

REGION = "us-east-1"
OFF = "#!/bin/sh\npoweroff\n"
IDLE = "#!/bin/sh\necho I am $(cat /proc/self/comm)\nexec sleep 1000\n"


@pytest.fixture
def run(hosted: Any) -> Iterator[Callable[..., str]]:
    """Run an instance and wait until it is up."""
    made = []

    def run(user_data: str = IDLE, **options: Any) -> str:
        subnet = options.pop("subnet", None) or hosted.subnet()
        instance = hosted.run(UserData=user_data, SubnetId=subnet, **options)[0]["InstanceId"]
        made.append(instance)
        if user_data != OFF:
            hosted.until(lambda: hosted.host(instance) == "up")
        return instance

    yield run
    if made:
        hosted.ec2.terminate_instances(InstanceIds=made)


@pytest.fixture
def group(hosted: Any) -> Iterator[Callable[..., str]]:
    """Make a group and wait until its members are up."""
    made = []

    def make(size: int = 1, user_data: str = IDLE, **data: Any) -> str:
        import base64

        data["UserData"] = base64.b64encode(user_data.encode()).decode()
        made.append(hosted.scaling_group(hosted.template(**data), hosted.subnet(), size=size))
        members = [member["InstanceId"] for member in hosted.members(made[-1])]
        hosted.until(lambda: all(hosted.host(member) == "up" for member in members))
        return made[-1]

    yield make
    for name in made:
        hosted.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def console(aws: Any, instance: str) -> str:
    return aws.ec2.get_console_output(InstanceId=instance).get("Output", "")


def told(aws: Any, instance: str, path: str) -> str | None:
    """What an instance reads at its metadata service."""
    import http.client

    env = json.loads((aws.folder(instance) / "instance.json").read_text())["environ"]
    place = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"].removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=10)
    try:
        connection.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        token = connection.getresponse().read().decode()
        connection.close()
        connection.request("GET", f"/latest/{path}", headers={"X-aws-ec2-metadata-token": token})
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status == 200 else None
    finally:
        connection.close()


def state_of(aws: Any, instance: str) -> tuple[str, str]:
    found = aws.instance(instance)
    return found["State"]["Name"], found.get("StateReason", {}).get("Code", "")


def test_machine_runs_its_user_data_and_knows_itself(hosted: Any, run: Callable[..., str]) -> None:
    instance = run()
    hosted.until(lambda: "I am cat" in console(hosted, instance))
    assert told(hosted, instance, "meta-data/instance-id") == instance
    assert told(hosted, instance, "user-data") == IDLE
    mac = told(hosted, instance, "meta-data/mac")
    shown = hosted.instance(instance)
    assert told(hosted, instance, f"meta-data/network/interfaces/macs/{mac}/vpc-id") == shown["VpcId"]
    assert told(hosted, instance, "meta-data/iam/info") is None
    document = json.loads(told(hosted, instance, "dynamic/instance-identity/document") or "")
    assert (document["instanceId"], document["region"]) == (instance, REGION)


@pytest.mark.parametrize(("behaviour", "ends"), [("terminate", "terminated"), ("stop", "stopped")])
def test_power_off_does_what_the_launch_said(
    hosted: Any, run: Callable[..., str], behaviour: str, ends: str
) -> None:
    instance = run(OFF, InstanceInitiatedShutdownBehavior=behaviour)
    expected = (ends, "Client.InstanceInitiatedShutdown")
    hosted.until(lambda: state_of(hosted, instance) == expected)
    assert "is off" in console(hosted, instance)


def test_stopped_instance_boots_again(hosted: Any, run: Callable[..., str]) -> None:
    instance = run()
    hosted.until(lambda: "I am cat" in console(hosted, instance))
    hosted.ec2.stop_instances(InstanceIds=[instance])
    hosted.until(lambda: "is off" in console(hosted, instance))
    hosted.ec2.start_instances(InstanceIds=[instance])
    hosted.until(lambda: console(hosted, instance).count("I am cat") == 2)


def test_member_that_powers_off_is_replaced(hosted: Any, group: Callable[..., str]) -> None:
    name = group(2)
    first, second = (member["InstanceId"] for member in hosted.members(name))
    hosted.until(lambda: "I am cat" in console(hosted, first))
    (hosted.folder(first) / "init").write_text("poweroff machine\n")
    hosted.until(lambda: state_of(hosted, first)[0] == "terminated")
    left = {member["InstanceId"] for member in hosted.members(name)}
    assert (len(left), second in left, first in left) == (2, True, False)
    assert {member["HealthStatus"] for member in hosted.members(name)} == {"Healthy"}


def test_killed_instance_says_nothing_and_is_replaced(hosted: Any, group: Callable[..., str]) -> None:
    name = group()
    instance = hosted.members(name)[0]["InstanceId"]
    hosted.until(lambda: "I am cat" in console(hosted, instance))
    control.ask(hosted.record, "kill", instance=instance)
    assert state_of(hosted, instance) == ("terminated", "Server.InternalError")
    assert "is off" not in console(hosted, instance)
    replaced = hosted.members(name)[0]["InstanceId"]
    assert replaced != instance
    hosted.until(lambda: hosted.host(replaced) == "up")
    with pytest.raises(UsageError, match="no instance"):
        control.ask(hosted.record, "kill", instance=instance)


def test_spot_instance_is_warned_and_taken(hosted: Any, run: Callable[..., str]) -> None:
    instance = run(InstanceMarketOptions={"MarketType": "spot"})
    assert told(hosted, instance, "meta-data/spot/instance-action") is None
    answer = control.ask(hosted.record, "spot-interrupt", instance=instance, after=2)
    hosted.until(lambda: told(hosted, instance, "meta-data/spot/instance-action") is not None)
    notice = json.loads(told(hosted, instance, "meta-data/spot/instance-action") or "")
    assert notice == {"action": "terminate", "time": answer["ends"]}
    assert json.loads(told(hosted, instance, "meta-data/events/recommendations/rebalance") or "") == {
        "noticeTime": answer["recommended"]
    }
    hosted.until(lambda: state_of(hosted, instance) == ("terminated", "Server.SpotInstanceTermination"))


def test_only_spot_instances_are_taken(hosted: Any, run: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="is no spot instance"):
        control.ask(hosted.record, "spot-interrupt", instance=run(), after=1)


@pytest.mark.parametrize("rebalance", [True, False])
def test_group_replaces_what_is_taken_before_or_after(
    hosted: Any, group: Callable[..., str], *, rebalance: bool
) -> None:
    name = group(InstanceMarketOptions={"MarketType": "spot"})
    hosted.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, CapacityRebalance=rebalance)
    old = hosted.members(name)[0]["InstanceId"]
    control.ask(hosted.record, "spot-interrupt", instance=old, after=1)
    assert len(hosted.members(name)) == (2 if rebalance else 1)
    hosted.until(lambda: state_of(hosted, old)[0] == "terminated")
    left = [member["InstanceId"] for member in hosted.members(name)]
    assert (len(left), old in left) == (1, False)


def test_what_exceeds_the_limit_is_only_on_paper(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(machines.LOOPBACK, "1")
    monkeypatch.setenv(machines.VARIABLE, "1")
    record = daemon.up(home=home)
    ec2 = inventory.clients(record)("ec2", REGION)
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = inventory.clients(record)("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"]
    launch = {"ImageId": image, "InstanceType": "t3.medium", "MinCount": 3, "MaxCount": 3}
    ids = [one["InstanceId"] for one in ec2.run_instances(**launch)["Instances"]]

    def hosts() -> list[str]:
        return [one["host"] for one in daemon.status(home).hosts["instances"]]

    until(lambda: hosts() == ["up", "paper", "paper"])
    found = daemon.status(home).hosts
    assert (record.hosts, found["mode"], found["running"], found["on_paper"]) == (1, "loopback", 1, 2)
    ec2.terminate_instances(InstanceIds=ids[:1])
    until(lambda: hosts() == ["up", "paper"])


def until(what: Callable[[], object], limit: float = 30.0) -> None:
    import time

    deadline = time.monotonic() + limit
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):  # a thread may end meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *children(child)]
    return found


def is_gone(pid: int) -> bool:
    return process.start_of(pid) == ""


@pytest.fixture
def machine(home: Path) -> tuple[state.Record, Any, str]:
    """A server of the test's own, in the mode that is possible, with one machine that is up."""
    record = daemon.up(home=home, hosts=2)
    clients = inventory.clients(record)
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = clients("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"]
    instance = clients("ec2", REGION).run_instances(
        ImageId=image,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        UserData="#!/bin/sh\nsleep 1000 &\nexec sleep 1000\n",
        InstanceInitiatedShutdownBehavior="terminate",
    )["Instances"][0]["InstanceId"]
    until(lambda: daemon.status(home).hosts["running"] == 1)
    return record, clients, instance


def test_machines_die_with_the_hosts_process_and_another_one_comes(
    home: Path, machine: tuple[state.Record, Any, str]
) -> None:
    record, clients, instance = machine
    (hosts,) = [
        pid for pid in children(record.pid) if "local.hosts" in command(pid) and parent(pid) == record.pid
    ]
    ours = [*children(hosts), hosts]
    os.kill(hosts, signal.SIGKILL)

    def seen() -> tuple[str, str]:
        one = clients("ec2", REGION).describe_instances(InstanceIds=[instance])["Reservations"][0][
            "Instances"
        ][0]
        return one["State"]["Name"], one.get("StateReason", {}).get("Code", "")

    until(lambda: seen() == ("terminated", "Client.InstanceInitiatedShutdown"))
    until(lambda: all(is_gone(pid) for pid in ours))
    subnet = clients("ec2", REGION).describe_subnets()["Subnets"][0]["SubnetId"]
    image = clients("ec2", REGION).describe_instances()["Reservations"][0]["Instances"][0]["ImageId"]
    clients("ec2", REGION).run_instances(
        ImageId=image, InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=subnet
    )
    until(lambda: daemon.status(home).hosts["running"] == 1)


@pytest.mark.parametrize("how", ["down", "crash"])
def test_nothing_is_left_of_a_server_that_ended(
    home: Path, machine: tuple[state.Record, Any, str], how: str
) -> None:
    record, _, _ = machine
    ours = children(record.pid)
    assert len(ours) >= 3
    if how == "down":
        daemon.down(home=home)
        assert not home.exists()
    else:
        os.kill(record.pid, signal.SIGKILL)
    until(lambda: all(is_gone(pid) for pid in ours))


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def parent(pid: int) -> int:
    found = re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


ASK = """#!/bin/sh
exec /opt/coiled-pulumi/bin/python -c '
import boto3, urllib.request as u
put = u.Request("http://169.254.169.254/latest/api/token", method="PUT")
put.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
get = u.Request("http://169.254.169.254/latest/meta-data/instance-id")
get.add_header("X-aws-ec2-metadata-token", u.urlopen(put).read().decode())
print("instance", u.urlopen(get).read().decode())
print("caller", boto3.client("sts", "us-east-1").get_caller_identity()["Arn"])
try:
    boto3.client("ssm", "us-east-1").get_parameter(Name="/a/b")
except Exception as error:
    print(error)
'
"""


def test_machine_in_namespaces_calls_aws_by_its_role(home: Path) -> None:
    record = daemon.up(home=home, hosts=1)
    until(lambda: daemon.status(home).hosts["mode"] != "starting")
    if daemon.status(home).hosts["mode"] != "namespaces":
        pytest.skip(f"no namespaces here: {daemon.status(home).hosts['why']}")
    aws = inventory.clients(record)
    ec2, iam = aws("ec2", REGION), aws("iam", REGION)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = aws("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"]
    (instance,) = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        UserData=ASK,
        IamInstanceProfile={"Name": "p"},
        MetadataOptions={"HttpTokens": "required"},
    )["Instances"]

    def output() -> str:
        return ec2.get_console_output(InstanceId=instance["InstanceId"]).get("Output", "")

    until(lambda: "user data ended" in output())
    caller = f"arn:aws:sts::123456789012:assumed-role/r/{instance['InstanceId']}"
    assert f"instance {instance['InstanceId']}\ncaller {caller}\n" in output()
    assert f"User: {caller} is not authorized to perform: ssm:GetParameter on resource: " in output()
