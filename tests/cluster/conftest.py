"""The local AWS without machines of its own, a Dask cluster with certificates, and records that bring them together."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from _support import fake_pulumi, sockets
from distributed import Scheduler, Worker
from distributed.security import Security

from coiled_pulumi import certificates, outputs
from coiled_pulumi.aws import session
from coiled_pulumi.local import daemon, inventory
from coiled_pulumi.local.environment import environment

REGION, WORKSPACE = "us-east-1", "solo"


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    with sockets.only("loopback"):
        yield


@dataclass(frozen=True)
class Aws:
    """The running server and short ways to make things in it."""

    record: Any
    client: Callable[[str, str], Any]
    numbers: Iterator[int]

    def __getattr__(self, service: str) -> Any:
        return self.client(service, REGION)

    def name(self) -> str:
        return f"n{next(self.numbers)}"

    def subnet(self, cidr: str = "10.0.0.0/24") -> str:
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}a")["Subnet"][
            "SubnetId"
        ]

    def image(self) -> str:
        name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        return self.ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def group(self, size: int, *, most: int = 20, cidr: str = "10.0.0.0/24") -> str:
        """Make an auto scaling group."""
        name, data = self.name(), {"ImageId": self.image(), "InstanceType": "t3.medium"}
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=most,
            DesiredCapacity=size,
            LaunchTemplate={
                "LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"],
                "Version": "$Latest",
            },
            VPCZoneIdentifier=self.subnet(cidr),
        )
        return name

    def members(self, group: str) -> list[str]:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        return sorted(one["InstanceId"] for one in found["AutoScalingGroups"][0]["Instances"])

    def desired(self, group: str) -> int:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        return found["AutoScalingGroups"][0]["DesiredCapacity"]

    def machine(self) -> str:
        """Start an instance outside of any group."""
        made = self.ec2.run_instances(ImageId=self.image(), InstanceType="t3.medium", MinCount=1, MaxCount=1)
        return made["Instances"][0]["InstanceId"]

    def write(self, group: str, stream: str, *events: tuple[int, str]) -> None:
        """Write events into a stream of a log group; both are made if they are not there."""
        for make, place in (
            (self.logs.create_log_group, {"logGroupName": group}),
            (self.logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
                make(**place)
        rows = [{"timestamp": at, "message": text} for at, text in sorted(events)]
        self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=rows)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home = tmp_path_factory.mktemp("local") / "home"
    with sockets.only("loopback"):
        record = daemon.up(home=home, hosts=0)
        try:
            yield Aws(record, inventory.clients(record), itertools.count(1))
        finally:
            daemon.down(home=home)


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """The server, with this process as its user."""
    for name, value in environment(server.record).items():
        monkeypatch.setenv(name, value)
    session.client.cache_clear()
    yield server
    session.client.cache_clear()


class Dask:
    """A scheduler and workers in a loop of their own; no cluster object of distributed's listens to them."""

    def __init__(self, address: str, security: Callable[[str], Security], workers: tuple[str, ...]) -> None:
        self._address, self._security, self._names = address, security, workers
        self._up, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._up.wait(40)

    async def _run(self) -> None:
        options = {"host": self._address, "dashboard": False}
        async with contextlib.AsyncExitStack() as stack:
            made = Scheduler(**options, port=8786, security=self._security("scheduler"))
            scheduler = await stack.enter_async_context(made)
            for name in self._names:
                worker = Worker(
                    scheduler.address,
                    **options,
                    name=name,
                    nthreads=1,
                    memory_limit="1 GiB",
                    security=self._security("worker"),
                )
                await stack.enter_async_context(worker)
            self._up.set()
            while not self._over.is_set():
                await asyncio.sleep(0.02)

    def close(self) -> None:
        self._over.set()
        self._thread.join(40)


@dataclass
class Site:
    """A cluster as the engine would have left it: machines in AWS, a scheduler that listens, and the record of both."""

    aws: Aws
    pulumi: fake_pulumi.FakePulumi
    name: str
    address: str
    scheduler_id: str
    group: str
    authority: certificates.Pair
    dask: Dask | None = None

    def security(self, role: str = "worker") -> Security:
        leaf = certificates.leaf(self.authority, role, WORKSPACE, self.name)  # type: ignore[arg-type]
        names = {f"tls_{one}_{part}": text for one in ("scheduler", "worker", "client")
                 for part, text in (("cert", leaf.cert), ("key", leaf.key))}  # fmt: skip
        return Security(require_encryption=True, tls_ca_file=self.authority.cert, **names)

    def record(self, *, least: int = 3, most: int = 3) -> dict[str, Any]:
        leaf = certificates.leaf(self.authority, "client", WORKSPACE, self.name)
        made = outputs.ClusterOutputs(
            zone="us-east-1a",
            n_workers=least,
            scheduler_id=self.scheduler_id,
            scheduler_address=self.address,
            scheduler_private_address="10.0.0.5",
            worker_group=self.group,
            groups={"workers": outputs.GroupOutputs(self.group, least, most, runtime=least != most)},
            rotation=0,
            security={"ca": self.authority.cert, "cert": leaf.cert, "key": leaf.key, "token": "t0ken"},
        )
        cluster = {"n_workers": [least, most] if least != most else least}
        config = {
            "shared": {},
            "declared": {"name": WORKSPACE, "region": REGION},
            "name": self.name,
            "cluster": cluster,
        }
        record = outputs.ClusterStackOutputs(WORKSPACE, REGION, self.name, made, config)
        return {outputs.CLUSTER_KEY: dataclasses.asdict(record)}

    def stands(self, **said: Any) -> None:
        """Have the engine know it."""
        self.pulumi.has({**self.others(), f"{WORKSPACE}.{self.name}": self.record(**said)}, region=REGION)

    def comes_with_up(self, **said: Any) -> None:
        """Have the engine know it once it has made it."""
        self.pulumi.has(self.others(), region=REGION)
        after = {**self.others(), f"{WORKSPACE}.{self.name}": self.record(**said)}
        (self.pulumi.folder / "after.json").write_text(json.dumps(after))

    def others(self) -> dict[str, Any]:
        record = outputs.WorkspaceOutputs(
            name=WORKSPACE,
            region=REGION,
            zone=f"{REGION}a",
            vpc_id="vpc-0123456789abcdef0",
            nat_addresses={},
            subnets={f"public-{REGION}a": "subnet-1", f"private-{REGION}a": "subnet-2"},
            route_tables={"public": "rtb-1", "private": "rtb-2"},
            groups={"cluster": "sg-1", "scheduler": "sg-2"},
            role_arn="arn:aws:iam::123456789012:role/solo",
            instance_profile=WORKSPACE,
            log_group=WORKSPACE,
            declared={"name": WORKSPACE, "network": {"cidr": "10.50.0.0/16", "zones": [f"{REGION}a"]}},
            clusters={},
        )
        return {WORKSPACE: {outputs.KEY: dataclasses.asdict(record)}}

    def listens(self, *workers: str) -> None:
        """Start the scheduler and workers, called after machines."""
        self.dask = Dask(self.address, self.security, workers)

    def close(self) -> None:
        if self.dask is not None:
            self.dask.close()


@pytest.fixture
def site(aws: Aws, tmp_path, monkeypatch) -> Iterator[Site]:
    fake = fake_pulumi.write(tmp_path / "bin")
    script = fake.folder / "pulumi.py"
    lines = [
        'after = here / "after.json"',
        'if verb == "up" and after.exists():',
        '    after.replace(here / "stacks.json")',
        "sys.stdout.write(todo",
    ]
    script.write_text(script.read_text().replace("sys.stdout.write(todo", "\n".join(lines)))
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COILED_PULUMI_NO_PREFLIGHT", "1")
    number = next(aws.numbers)
    name = f"mine{number}"
    made = Site(
        aws,
        fake,
        name,
        address=_free(number),
        scheduler_id=aws.machine(),
        group=aws.group(3),
        authority=certificates.authority(WORKSPACE, name),
    )
    yield made
    made.close()


def _free(number: int) -> str:
    """Give a loopback address on which nobody has the scheduler's port."""
    for last in range(1, 255):
        address = f"127.86.{number % 250}.{last}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 8786))
            except OSError:
                continue
            return address
    raise AssertionError
