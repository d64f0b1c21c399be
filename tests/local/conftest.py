"""One local AWS for all tests of this folder; each makes what it needs and sees only that."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coiled_pulumi.local import control, daemon, inventory, state
from coiled_pulumi.local.state import Record

REGION = "us-east-1"


@dataclass(frozen=True)
class Aws:
    """The running server and short ways to make things in it."""

    record: Record
    client: inventory.Clients
    numbers: Iterator[int]

    @property
    def ec2(self) -> Any:
        return self.client("ec2", REGION)

    @property
    def autoscaling(self) -> Any:
        return self.client("autoscaling", REGION)

    def name(self) -> str:
        return f"n{next(self.numbers)}"

    def vpc(self) -> str:
        return self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def subnet(self, vpc: str | None = None, *, cidr: str = "10.0.0.0/24", zone: str = "a") -> str:
        answer = self.ec2.create_subnet(
            VpcId=vpc or self.vpc(), CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}"
        )
        return answer["Subnet"]["SubnetId"]

    def group(self, vpc: str) -> str:
        return self.ec2.create_security_group(GroupName=self.name(), Description="d", VpcId=vpc)["GroupId"]

    def image(self, arch: str = "x86_64") -> str:
        name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}"
        return self.client("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"]

    def template(self, **data: Any) -> str:
        data = {"ImageId": self.image(), "InstanceType": "t3.medium"} | data
        answer = self.ec2.create_launch_template(LaunchTemplateName=self.name(), LaunchTemplateData=data)
        return answer["LaunchTemplate"]["LaunchTemplateId"]

    def run(self, *, count: int = 1, **options: Any) -> list[dict[str, Any]]:
        if "LaunchTemplate" not in options:
            options = {"ImageId": self.image(), "InstanceType": "t3.medium"} | options
        return self.ec2.run_instances(MinCount=count, MaxCount=count, **options)["Instances"]

    def instance(self, instance_id: str) -> dict[str, Any]:
        answer = self.ec2.describe_instances(InstanceIds=[instance_id])
        return answer["Reservations"][0]["Instances"][0]

    def volumes(self, instance_id: str) -> list[dict[str, Any]]:
        filters = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
        return self.ec2.describe_volumes(Filters=filters)["Volumes"]

    def scaling_group(
        self, template: str, *subnets: str, size: int, largest: int = 100, version: str = "$Latest"
    ) -> str:
        name = self.name()
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=largest,
            DesiredCapacity=size,
            LaunchTemplate={"LaunchTemplateId": template, "Version": version},
            VPCZoneIdentifier=",".join(subnets),
        )
        return name

    def host(self, instance_id: str) -> str:
        """How an instance really runs: up, starting, paper, or nothing."""
        hosts = control.ask(self.record, "hosts")["instances"]
        return next((one["host"] for one in hosts if one["id"] == instance_id), "")

    def folder(self, instance_id: str) -> Path:
        return state.hosts_folder(self.record.home) / instance_id

    def until(self, what: Callable[[], object], limit: float = 30.0) -> None:
        deadline = time.monotonic() + limit
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def members(self, name: str) -> list[dict[str, Any]]:
        answer = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return [member for group in answer["AutoScalingGroups"] for member in group["Instances"]]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home = tmp_path_factory.mktemp("local") / "home"
    record = daemon.up(home=home, hosts=0)
    try:
        yield Aws(record, inventory.clients(record), itertools.count(1))
    finally:
        daemon.down(home=home)


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """One whose instances really run, as processes on loopback addresses."""
    home = tmp_path_factory.mktemp("hosted") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COILED_PULUMI_LOCAL_LOOPBACK", "1")
        record = daemon.up(home=home, hosts=12)
    try:
        yield Aws(record, inventory.clients(record), itertools.count(1))
    finally:
        daemon.down(home=home)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server of the test's own, which is stopped afterwards."""
    folder = tmp_path / "home"
    yield folder
    daemon.down(home=folder)


@pytest.fixture
def refused() -> Callable[..., str]:
    """Make a call that AWS refuses and give the error's code."""

    def call(method: Callable[..., Any], **options: Any) -> str:
        import botocore.exceptions

        with pytest.raises(botocore.exceptions.ClientError) as caught:
            method(**options)
        response = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] < 500
        return response["Error"]["Code"]

    return call
