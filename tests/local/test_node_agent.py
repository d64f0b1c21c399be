"""The agent as systemd runs it, with the real processes of Dask, against the local AWS and its metadata service.

Each machine has a loopback address and a folder of its own instead of a network and a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from coiled_pulumi import certificates
from coiled_pulumi.aws.notifications import from_data
from coiled_pulumi.local.environment import applied
from coiled_pulumi.local.hosts.metadata import Metadata as MetadataService
from coiled_pulumi.node.identity import Machine, Metadata, MetadataError

REGION = "us-east-1"
#: Seconds for whatever is waited for: a loaded machine starts Dask slowly.
_PATIENCE = 60
_VALUE = "pä$$ wörd\nsecond line"
_addresses = itertools.count(1)


class MetadataServers:
    """The local AWS's own metadata service for the machines of these tests, in a thread."""

    def __init__(self) -> None:
        self._service = MetadataService()
        self._loop = asyncio.new_event_loop()
        self._instances: dict[str, dict[str, Any]] = {}
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def add(self, instance: str, address: str) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        mac = "02:00:00:00:00:01"
        self._instances[instance] = {
            "metadata": {
                "meta-data/instance-id": instance,
                "meta-data/local-ipv4": address,
                "meta-data/mac": mac,
                f"meta-data/network/interfaces/macs/{mac}/vpc-ipv4-cidr-blocks": "127.0.0.0/8",
                "meta-data/instance-life-cycle": "spot",
            }
        }
        self._service.update(dict(self._instances))
        serving = asyncio.run_coroutine_threadsafe(self._service.serve(listener, instance), self._loop)
        self._servers.append(serving.result(5))
        return f"http://127.0.0.1:{port}"

    def give_role(self, instance: str, record: Any) -> None:
        """Hand out the operator's keys as those of a role: what a role may do is tested elsewhere."""
        self._instances[instance]["credentials"] = {
            "Code": "Success", "Type": "AWS-HMAC", "Role": "node", "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": record.access_key_id, "SecretAccessKey": record.secret_access_key,
            "Token": "", "Expiration": "2099-01-01T00:00:00Z",
        }  # fmt: skip

    def say(self, instance: str, path: str, text: str) -> None:
        self._instances[instance]["metadata"][path] = text

    def forget_tokens(self) -> None:
        self._service._key = os.urandom(32)

    def close(self) -> None:
        async def stop() -> None:
            for server in self._servers:
                server.close()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class Cluster:
    """What Pulumi makes of a cluster, as far as its machines see it."""

    aws: Any
    name: str
    folder: Path
    metadata: MetadataServers
    timers: dict[str, float | None]
    processes: list[subprocess.Popen] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    group: str = ""

    def __post_init__(self) -> None:
        self.authority = certificates.authority("ws", self.name)
        self.addresses["scheduler"] = f"127.77.{next(_addresses)}.1"

    def put(self, name: str, text: str) -> None:
        self.aws.client("ssm", REGION).put_parameter(
            Name=f"/coiled-pulumi/ws/{self.name}/{name}", Value=text, Type="SecureString", Overwrite=True
        )

    def put_config(self, **more: Any) -> None:
        group = {"nthreads": 1, "memory_limit": None, "gpu": 0, "resources": {"FOO": 1}}
        told = {
            "version": 1, "workspace": "ws", "cluster": self.name, "region": REGION, "log_group": "ws",
            "environment": {"container": None, "packages": [], "python": None},
            "environ": {"DB_PASSWORD": _VALUE}, "timers": self.timers, "groups": {"workers": group},
            "dask": {"distributed": {"comm": {"timeouts": {"connect": "5s"}}}},
        }  # fmt: skip
        text = json.dumps(told | more)
        half = len(text) // 2
        self.put("config/1", text[half:])
        self.put("config/0", f"2\n{text[:half]}")

    def put_certificate(self, role: str) -> None:
        pair = certificates.leaf(self.authority, role, "ws", self.name)
        said: dict[str, Any] = {"version": 1, "ca": self.authority.cert, "cert": pair.cert, "key": pair.key}
        if role == "scheduler":
            said |= {"token": "token-of-the-dashboard", "groups": [self.group]}
            said |= {"address": self.addresses["scheduler"]}
        else:
            said["scheduler"] = self.addresses["scheduler"]
        self.put(role, json.dumps(said))

    def boot(self, role: str, instance: str) -> subprocess.Popen:
        address = self.addresses.setdefault(role, f"127.77.{next(_addresses)}.1")
        root = self.folder / instance
        (root / "etc/coiled-pulumi").mkdir(parents=True, exist_ok=True)
        identity = {"version": 1, "workspace": "ws", "cluster": self.name, "role": role, "group": "workers"}
        (root / "etc/coiled-pulumi/node.json").write_text(json.dumps(identity | {"region": REGION}))
        environ = applied(self.aws.record) | {
            "COILED_PULUMI_ROOT": str(root),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.add(instance, address),
        }
        for name in ("AWS_EC2_METADATA_DISABLED", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del environ[name]
        with (root / "output").open("ab") as output:
            agent = subprocess.Popen(
                [sys.executable, "-m", "coiled_pulumi.node"],
                env=environ,
                cwd=root,
                stdout=output,
                stderr=output,
            )
        self.processes.append(agent)
        # As on AWS, where rights come a little late.
        self.metadata.give_role(instance, self.aws.record)
        return agent

    def lines(self, stream: str) -> list[str]:
        logs = self.aws.client("logs", REGION)
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            asked = {"logGroupName": "ws", "logStreamName": f"{self.name}/{stream}", "startFromHead": True}
            if stream.startswith("notifications/"):
                asked["logStreamName"] = stream
            return [event["message"] for event in logs.get_log_events(**asked)["events"]]
        return []

    def marks(self, instance: str) -> list[dict[str, Any]]:
        return [mark for mark in map(json.loads, self.lines("phases")) if mark["instance"] == instance]

    def reached(self, instance: str, phase: str) -> dict[str, Any]:
        return self.until(
            lambda: next((mark for mark in self.marks(instance) if mark["phase"] == phase), None),
            f"{phase} of {instance}",
        )

    def until(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + _PATIENCE
        while not (found := look()):
            if time.monotonic() > deadline:
                said = "".join(file.read_text() for file in self.folder.glob("*/output"))
                pytest.fail(f"{what} did not come\n{said}\n{self.lines('phases')}")
            time.sleep(0.1)
        return found

    def desired(self) -> int:
        answer = self.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        return answer["AutoScalingGroups"][0]["DesiredCapacity"]


@pytest.fixture
def metadata() -> Iterator[MetadataServers]:
    servers = MetadataServers()
    try:
        yield servers
    finally:
        servers.close()


@pytest.fixture
def cluster(aws: Any, metadata: MetadataServers, tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    made = []
    logs = aws.client("logs", REGION)
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="ws")

    def make(**timers: float | None) -> Cluster:
        timers = {"idle": None, "no_client": None, "lost_scheduler": 60, "lifetime": None} | timers
        one = Cluster(aws, aws.name(), tmp_path, metadata, timers)
        one.group = aws.scaling_group(aws.template(), aws.subnet(), size=2)
        made.append(one)
        return one

    try:
        yield make
    finally:
        for process in (process for one in made for process in one.processes):
            process.kill()
            process.wait()


def test_the_metadata_service_is_asked_past_proxies_and_with_another_token_when_one_is_refused(
    metadata, monkeypatch
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    asked = Metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.add("i-m", "127.77.0.1") + "/"})

    assert asked.machine() == Machine("i-m", "127.77.0.1", ("127.0.0.0/8",), spot=True)
    assert asked.get("spot/instance-action") is None
    metadata.forget_tokens()
    with pytest.raises(MetadataError):
        asked.get("instance-id")
    assert asked.get("instance-id") == "i-m"


def _status(process: subprocess.Popen) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _children(process: subprocess.Popen) -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(pid) for file in tasks for pid in file.read_text().split()]


def test_a_cluster_boots_works_tells_and_ends_itself(cluster):
    """The whole life: machines before their parameters, a task's print, the end for want of a client."""
    one = cluster(no_client=15)
    scheduler, worker = one.boot("scheduler", "i-s1"), one.boot("worker", "i-w1")
    one.reached("i-w1", "booted")
    one.put_config()
    one.put_certificate("scheduler")
    one.put_certificate("worker")
    client = _client(
        one
    )  # it is there before the scheduler is, so that the time without one begins with its end
    one.reached("i-s1", "joined")
    one.reached("i-w1", "joined")

    phases = [mark["phase"] for mark in one.marks("i-w1")]
    assert phases == ["booted", "environment", "configured", "started", "joined"]
    assert all(mark["took"] >= 0 and mark["reason"] is None for mark in one.marks("i-w1")[1:])
    memory = int(_status(worker)["VmRSS"].split()[0]) // 1024
    assert memory < 80, f"the agent takes {memory} MiB"

    assert client.wait(_PATIENCE) == 0
    printed = time.time()
    seen = one.until(
        lambda: next((line for line in one.lines("worker/i-w1") if "printed" in line), None),
        "the task's line",
    )
    assert time.time() - printed < 5
    assert seen == "printed [...] and [...]"

    actions = one.aws.autoscaling.describe_scheduled_actions(AutoScalingGroupName=one.group)
    [action] = actions["ScheduledUpdateGroupActions"]
    assert (action["ScheduledActionName"], action["DesiredCapacity"]) == ("coiled-pulumi-dead-man", 0)
    assert one.desired() == 2

    assert scheduler.wait(_PATIENCE) == 0
    assert one.desired() == 0
    [said] = [from_data(json.loads(line)) for line in one.lines(f"notifications/{one.name}")]
    assert (said.level, said.resource) == ("info", "i-s1")
    assert said.what == f"cluster {one.name} ended itself: no client for 15 s"
    assert one.reached("i-s1", "ended")["reason"] == "no_client"

    worker.terminate()
    assert worker.wait(_PATIENCE) == 0
    assert one.reached("i-w1", "ended")["reason"] == "machine is shut down"
    everything = "\n".join(one.lines("worker/i-w1") + one.lines("scheduler/i-s1"))
    assert "PRIVATE KEY" not in everything
    assert "token-of-the-dashboard" not in everything
    run = one.folder / "i-w1/run/coiled-pulumi"
    assert run.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in run.iterdir()} == {0o600}


_WORK = """
import os, sys
from distributed import Client, Security

def task():
    first, second = os.environ["DB_PASSWORD"].splitlines()
    print(f"printed {first} and {second}", flush=True)
    return os.environ["DB_PASSWORD"]

if __name__ == "__main__":
    address, folder = sys.argv[1:]
    files = {f"tls_{role}": f"{folder}/{role}.pem" for role in ("client_cert", "client_key")}
    security = Security(tls_ca_file=f"{folder}/ca.pem", require_encryption=True, tls_min_version=None, **files)
    with Client(f"tls://{address}:8786", security=security, timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
        assert client.submit(task, resources={"FOO": 1}).result(timeout=30) == "pä$$ wörd\\nsecond line"
"""


def _client(one: Cluster) -> subprocess.Popen:
    """Run a task as a client does, in a process of its own."""
    pair = certificates.leaf(one.authority, "client", "ws", one.name)
    for name, text in (("ca", one.authority.cert), ("client_cert", pair.cert), ("client_key", pair.key)):
        (one.folder / f"{name}.pem").write_text(text)
    command = [sys.executable, "-c", _WORK, one.addresses["scheduler"], str(one.folder)]
    one.processes.append(subprocess.Popen(command))
    return one.processes[-1]


def test_a_worker_that_ends_is_started_again_and_a_killed_agent_leaves_nothing(cluster):
    one = cluster()
    one.put_config()
    one.put_certificate("scheduler")
    one.put_certificate("worker")
    scheduler, worker = one.boot("scheduler", "i-s2"), one.boot("worker", "i-w2")
    one.reached("i-w2", "joined")

    [nanny] = _children(worker)
    os.kill(nanny, signal.SIGKILL)
    one.until(
        lambda: len([m for m in one.marks("i-w2") if m["phase"] == "joined"]) == 2, "the worker's return"
    )

    [nanny] = _children(worker)
    worker.kill()
    worker.wait()
    one.until(lambda: not Path(f"/proc/{nanny}").exists() or " Z " in _stat(nanny), "the worker's end")
    worker = one.boot("worker", "i-w2")
    one.until(
        lambda: len([m for m in one.marks("i-w2") if m["phase"] == "joined"]) == 3, "the agent's return"
    )

    # AWS takes the machine back: Dask leaves in order, and nothing is started again.
    one.metadata.say("i-w2", "meta-data/spot/instance-action", '{"action": "terminate"}')
    assert one.reached("i-w2", "retiring")["reason"] == "spot interruption"
    one.until(lambda: not _children(worker), "Dask's leaving")
    assert worker.poll() is None
    assert "coiled-pulumi: Dask left with exit code 0" in one.until(
        lambda: [line for line in one.lines("worker/i-w2") if "Dask left" in line], "word of it"
    )

    # A scheduler that breaks down ends the cluster, and its last lines say why.
    [dask] = _children(scheduler)
    os.kill(dask, signal.SIGKILL)
    assert scheduler.wait(_PATIENCE) == 0
    mark = one.reached("i-s2", "ended")
    assert mark["reason"] == "scheduler stopped"
    assert "distributed" in mark["detail"]
    assert one.desired() == 0


def _stat(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text()
    return " Z "


def test_a_worker_without_its_scheduler_stays_for_aws_and_then_ends(cluster):
    one = cluster(lost_scheduler=3)
    one.put_config()
    one.put_certificate("scheduler")
    one.put_certificate("worker")
    scheduler, worker = one.boot("scheduler", "i-s3"), one.boot("worker", "i-w3")
    one.reached("i-w3", "joined")
    [dask] = _children(scheduler)
    scheduler.kill()
    scheduler.wait()
    one.until(lambda: " Z " in _stat(dask), "the scheduler's end")

    assert one.reached("i-w3", "ended")["reason"] == "lost_scheduler"
    assert worker.poll() is None
    assert worker.wait(_PATIENCE) == 0


def test_an_environment_that_cannot_be_made_is_told_with_the_installers_words(cluster):
    one = cluster()
    one.put_config(environment={"container": None, "packages": ["no-such-thing==1"], "python": "3.99"})
    worker = one.boot("worker", "i-w4")

    mark = one.reached("i-w4", "environment")
    assert "3.99" in mark["reason"] + mark["detail"]
    worker.terminate()
    assert worker.wait(_PATIENCE) == 0
