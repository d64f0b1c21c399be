"""`cluster status`, `list`, `logs`, `scale`, `start` and `stop` of clusters whose records are written by hand."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _support import fake_pulumi, up_records
from _support.certificates import Authority
from _support.dask_nodes import Node

from coiled_pulumi import certificates
from coiled_pulumi.aws import session
from coiled_pulumi.cli import app
from coiled_pulumi.local.environment import environment
from coiled_pulumi.outputs import GroupOutputs

REGION = "us-east-1"
OF = ("--workspace", "solo")
#: Writes a line into a stream that is there: what a machine would do, in a process of its own.
WRITER = """\
import boto3, sys, time
stream, line = sys.argv[1:]
event = {"timestamp": int(time.time() * 1000), "message": line}
boto3.client("logs").put_log_events(logGroupName="solo", logStreamName=stream, logEvents=[event])
"""


@dataclass
class Shell:
    """The command line beside a `pulumi` that knows the workspace `solo` and what is put there besides."""

    aws: Any
    pulumi: fake_pulumi.FakePulumi
    capsys: Any
    stacks: dict[str, Any]
    made: int = 0

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        return (app.run(["cluster", *words, *OF]), *self.capsys.readouterr())

    def data(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def process(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "coiled_pulumi", "cluster", *words, *OF]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tags(self, name: str, role: str) -> list[dict[str, str]]:
        stack = f"solo.{name}"
        said = {"workspace": "solo", "cluster": name, "role": role, "stack": stack}
        return [{"Key": f"coiled-pulumi:{key}", "Value": value} for key, value in said.items()]

    def cluster(self, *, size: int = 2, most: int = 5, alive: bool = True) -> Cluster:
        """Make a cluster beside the file: its machines on paper, its record where the engine's outputs come from."""
        aws, name = self.aws, self.aws.name()
        subnet = aws.subnet()
        tags = self.tags(name, "scheduler")
        (machine,) = aws.run(SubnetId=subnet, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
        group = aws.scaling_group(aws.template(), subnet, size=size, largest=most)
        aws.autoscaling.create_or_update_tags(
            Tags=[
                {"ResourceId": group, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False, **tag}
                for tag in self.tags(name, "worker")
            ]
        )
        scheduler = machine["InstanceId"]
        if not alive:
            aws.ec2.terminate_instances(InstanceIds=[scheduler])
        issued = certificates.issue(certificates.authority("solo", name), "solo", name)
        keys = {"ca": "CA", **issued["client"], "token": issued["token"]}
        self.stacks[f"solo.{name}"] = up_records.beside(
            name, scheduler_id=scheduler, scheduler_address="127.0.0.1", worker_group=group, security=keys,
            groups={"workers": GroupOutputs(group, 0, most, runtime=True)},
        )  # fmt: skip
        self.pulumi.has(self.stacks, region=REGION)
        workers = [one["InstanceId"] for one in aws.members(group)]
        return Cluster(self, name, scheduler, group, workers)


@dataclass
class Cluster:
    shell: Shell
    name: str
    scheduler: str
    group: str
    workers: list[str]

    def desired(self) -> int:
        found = self.shell.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        return found["AutoScalingGroups"][0]["DesiredCapacity"]

    def stream(self, name: str) -> str:
        logs, name = self.shell.aws.client("logs", REGION), f"{self.name}/{name}"
        if not logs.describe_log_streams(logGroupName="solo", logStreamNamePrefix=name)["logStreams"]:
            logs.create_log_stream(logGroupName="solo", logStreamName=name)
        return name

    def writes(self, role: str, instance: str, *lines: str) -> None:
        first, self.shell.made = self.shell.made, self.shell.made + len(lines)
        # Later than all before, also within a millisecond.
        now = [(time.time() + (first + at) / 1000, line) for at, line in enumerate(lines)]
        self.put(self.stream(f"{role}/{instance}"), now)

    def put(self, stream: str, lines: list[tuple[float, str]]) -> None:
        events = [{"timestamp": int(at * 1000), "message": line} for at, line in lines]
        logs = self.shell.aws.client("logs", REGION)
        logs.put_log_events(logGroupName="solo", logStreamName=stream, logEvents=events)

    def comes(self, role: str, instance: str, *phases: tuple[str, float], reason: str | None = None) -> None:
        """Mark phases of a machine, at seconds after its launch."""
        launched = self.shell.aws.instance(instance)["LaunchTime"].timestamp()
        before, marks = None, []
        for phase, at in phases:
            mark = {"phase": phase, "instance": instance, "role": role, "group": "workers", "at": launched + at,
                    "took": None if before is None else at - before, "reason": reason, "detail": None}  # fmt: skip
            marks.append((launched + at, json.dumps(mark)))
            before = at
        self.put(self.stream("phases"), marks)


@pytest.fixture
def shell(
    aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    for name, value in environment(aws.record).items():
        monkeypatch.setenv(name, value)
    pulumi = fake_pulumi.write(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{pulumi.folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COILED_PULUMI_NO_PREFLIGHT", "1")
    monkeypatch.delenv("COILED_PULUMI_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    session.client.cache_clear()
    logs = aws.client("logs", REGION)
    if not logs.describe_log_groups(logGroupNamePrefix="solo")["logGroups"]:
        logs.create_log_group(logGroupName="solo", tags={"coiled-pulumi:workspace": "solo"})
    stacks = {"solo": up_records.workspace(clusters={})}
    pulumi.has(stacks, region=REGION)
    yield Shell(aws, pulumi, capsys, stacks)
    session.client.cache_clear()


def line_of(process: subprocess.Popen[str], limit: float) -> str:
    """Give the next line, which has to come within so many seconds."""
    assert select.select([process.stdout], [], [], limit)[0], "no line"
    return process.stdout.readline()


def end(process: subprocess.Popen[str], *, told: int | None = None) -> tuple[int, str]:
    if told is not None:
        process.send_signal(told)
    try:
        _, err = process.communicate(timeout=15)
    finally:
        process.kill()
    return process.returncode, err


def test_a_line_is_followed_within_five_seconds_and_ctrl_c_ends_it(shell):
    made = shell.cluster()
    made.writes("worker", made.workers[0], "first")
    process = shell.process("logs", made.name, "--follow")
    assert line_of(process, 30) == f"worker    {made.workers[0]} | first\n"
    stream = made.stream(f"scheduler/{made.scheduler}")
    subprocess.run([sys.executable, "-c", WRITER, stream, "second"], check=True)
    assert line_of(process, 5) == f"scheduler {made.scheduler} | second\n"

    assert end(process, told=signal.SIGINT) == (0, "")


def test_a_closed_pipe_ends_it_also_while_nothing_comes(shell):
    made = shell.cluster()
    made.writes("worker", made.workers[0], "first")
    process = shell.process("logs", made.name, "--follow")
    line_of(process, 30)
    process.stdout.close()
    code = process.wait(15)
    with process.stderr as err:
        assert (code, err.read()) == (0, "")


def test_lines_are_in_order_of_time_and_chosen(shell):
    made = shell.cluster()
    one, two = made.workers
    made.writes("worker", one, "a1 ERROR", "a2\nwith more")
    made.writes("scheduler", made.scheduler, "s1")
    made.writes("worker", two, "b1")
    made.comes("worker", one, ("booted", 1.0), ("joined", 3.5))

    def texts(*words: str) -> list[str]:
        code, out, err = shell("logs", made.name, *words)
        assert (code, err) == (0, "")
        return out.splitlines()

    front = f"worker    {one} |"
    assert texts() == [
        f"{front} a1 ERROR", f"{front} a2", f"{front} with more", f"scheduler {made.scheduler} | s1",
        f"worker    {two} | b1",
    ]  # fmt: skip
    assert texts("--tail", "2") == texts()[-2:]
    assert texts("--role", "scheduler") == [f"scheduler {made.scheduler} | s1"]
    assert texts("--instance", two) == texts("--instance", two, "--role", "worker") == texts()[-1:]
    assert texts("--filter", "ERROR") == [f"{front} a1 ERROR"]
    assert texts("--since", "1h", "--filter", "s1") == [f"scheduler {made.scheduler} | s1"]
    assert texts("--phases") == [f"{front} booted", f"{front} joined after 2.5 s"]
    mark = json.dumps({"phase": "joined", "instance": two, "role": "worker", "at": 1.0, "took": 0.25})
    made.writes("worker", two, mark)
    assert texts("--tail", "1") == [f"worker    {two} | coiled-pulumi: joined after 0.2 s"]
    assert json.loads(texts("--tail", "1", "--json")[0])["text"] == mark
    stamp = texts("--timestamps", "--tail", "1")[0].split(f" worker    {two}")[0]
    assert time.strptime(stamp.partition(".")[0], "%Y-%m-%d %H:%M:%S")
    told = [json.loads(line) for line in texts("--json")]
    assert [(line["role"], line["instance"], line["text"]) for line in told][:2] == [
        ("worker", one, "a1 ERROR"), ("worker", one, "a2\nwith more"),
    ]  # fmt: skip
    assert [json.loads(line)["phase"] for line in texts("--json", "--phases")] == ["booted", "joined"]
    code, out, err = shell("logs", made.name, "--filter", "nowhere")
    assert (code, out, err) == (0, "", "nothing of that was written\n")


def test_the_logs_of_a_cluster_that_is_gone_stay(shell):
    made = shell.cluster()
    made.writes("scheduler", made.scheduler, "why it ended")
    del shell.stacks[f"solo.{made.name}"]
    shell.pulumi.has(shell.stacks)

    assert shell("logs", made.name)[1] == f"scheduler {made.scheduler} | why it ended\n"
    code, out, err = shell("logs", "never", "--follow")
    assert (code, out, err.splitlines()[0]) == (
        6, "", "error: no cluster 'never' was started beside the file of solo (found: none)",
    )  # fmt: skip


def test_the_status_of_a_cluster(shell):
    made = shell.cluster(size=2, most=5)
    made.comes("scheduler", made.scheduler, ("booted", 1.0), ("joined", 2.0))
    made.comes("worker", made.workers[0], ("booted", 1.0), ("joined", 2.0))
    made.comes("worker", made.workers[1], ("booted", 1.0))
    told = shell.data("status", made.name)

    assert (told["state"], told["scheduler"]["state"], told["doing"]) == ("up", "running", None)
    assert told["scheduler"]["answers"] is False  # it runs on paper only
    assert told["groups"] == {
        "workers": {"min": 0, "max": 5, "runtime": True, "desired": 2, "in_service": 2, "joined": 1}
    }
    assert told["phases"] == {"booted": 1, "joined": 2}
    assert told["timers"] == {"idle": 1200, "no_client": None, "lifetime": None, "lost_scheduler": 300}
    code, out, _ = shell("status", made.name)
    rows = dict(line.rstrip().split(None, 1) for line in out.splitlines())
    assert code == 0
    assert rows["cluster"] == f"{made.name} of solo, us-east-1a: up"
    assert rows["scheduler"].startswith(f"{made.scheduler} running, since 20")
    assert rows["address"] == "tls://127.0.0.1:8786 does not answer"
    assert rows["workers"] == "2 wanted (of 0-5), 2 in service, 1 joined"
    assert rows["phases"] == "booted 1, joined 2"
    assert rows["ends"] == "after 20 minutes idle"
    assert rows["certificates"].endswith(f"; coiled-pulumi cluster rotate {made.name}")
    assert "PRIVATE" not in out
    assert "token=" not in out


def test_what_a_cluster_does_is_asked_of_its_scheduler(shell, tmp_path):
    authority = Authority(tmp_path)
    address = f"127.7.{os.getpid() % 250}.7"
    node = Node(authority, tmp_path / "node", "scheduler", host=address, address=address, port=8786)
    try:
        node.wait("listening")
        leaf = authority.leaf("client").folder
        keys = {name: (leaf / f"{name}.pem").read_text() for name in ("ca", "cert", "key")} | {"token": "t"}
        made = shell.cluster(size=0)
        record = shell.stacks[f"solo.{made.name}"]["cluster"]["cluster"]
        record |= {"scheduler_address": address, "security": keys}
        shell.pulumi.has(shell.stacks, region=REGION)
        told = shell.data("status", made.name)
    finally:
        node.close()

    assert told["scheduler"]["answers"] is True
    doing = told["doing"]
    assert (doing["workers"], doing["threads"], doing["executing"]) == (0, 0, 0)
    assert doing["idle_since"].endswith("Z")


def test_the_timeline(shell):
    made = shell.cluster()
    one, two = made.workers
    steps = ("booted", "environment", "configured", "started", "joined")
    made.comes("scheduler", made.scheduler, *zip(steps, (10.0, 12.0, 12.5, 13.0, 15.0), strict=True))
    made.comes("worker", one, *zip(steps, (20.0, 24.0, 25.0, 26.0, 40.0), strict=True))
    made.comes("worker", two, ("booted", 10.0))
    made.comes("worker", two, ("environment", 12.0), reason="no such package")
    code, out, _ = shell("status", made.name, "--timeline")

    assert code == 0
    named = {made.scheduler: "SCHEDULER", one: "WORKER-ONE", two: "WORKER-TWO"}
    for instance, name in named.items():
        out = out.replace(instance, f"{name:{len(instance)}}")
    head, *rows, last = out.splitlines()
    assert head.split() == ["machine", "instance", *steps, "total"]
    # Moto gives launches in whole seconds.
    assert [row.split() for row in rows] == [
        ["scheduler", "SCHEDULER", "10.0", "2.0", "0.5", "0.5", "2.0", "15.0", "bbbbbbbbbbeesjj"],
        ["worker", "WORKER-ONE", "20.0", "4.0", "1.0", "1.0", "14.0", "40.0", "b" * 20 + "eeeecs" + "j" * 14],
        ["worker", "WORKER-TWO", "10.0", "-", "-", "-", "-", "10.0", "b" * 10, "no", "such", "package"],
    ]
    assert last == "1 of 2 workers joined; seconds from launch: median 40.0, max 40.0"
    told = shell.data("status", made.name, "--timeline")
    assert told["summary"] == {"workers": 2, "joined": 1, "median": 40.0, "max": 40.0}
    assert [one["total"] for one in told["machines"]] == [15.0, 40.0, 10.0]


def test_the_list_says_what_still_runs_and_reaps_what_has_ended(shell):
    up, ended, starting = shell.cluster(), shell.cluster(alive=False), shell.cluster()
    up.comes("scheduler", up.scheduler, ("joined", 1.0))
    names = sorted([up.name, ended.name, starting.name])
    told = shell.data("list")
    states = {one["name"]: one["state"] for one in told["clusters"]}
    assert states == {up.name: "up", ended.name: "ended", starting.name: "starting"}
    code, out, err = shell("list")
    assert (code, err) == (
        0,
        f"note: 1 cluster has ended ({ended.name}); coiled-pulumi cluster list --reap deletes what is left\n",
    )
    assert [line.split()[0] for line in out.splitlines()] == ["cluster", *names]

    told = shell.data("list", "--reap")
    assert told["reaped"] == [ended.name]
    assert {one["name"] for one in told["clusters"]} == {up.name, starting.name}
    assert shell.pulumi.verbs().count("destroy") == 1


def test_a_range_is_scaled_within_it_by_aws(shell):
    made = shell.cluster(size=1, most=5)
    told = shell.data("scale", made.name, "3")

    assert (told["n_workers"], told["workers"][made.name]["in_service"], made.desired()) == (3, 3, 3)
    assert "up" not in shell.pulumi.verbs()
    code, _, err = shell("scale", made.name, "6")
    assert (code, err.splitlines()[0]) == (
        2,
        f"error: group workers of cluster {made.name} has at most 5 workers, got 6",
    )
    assert shell("scale", made.name, "0", "--no-wait")[0] == 0
    assert made.desired() == 0


def test_a_cluster_that_has_ended_is_not_scaled(shell):
    made = shell.cluster(alive=False)
    for size in ("3", "0-9"):
        assert shell("scale", made.name, size) == (
            1, "",
            f"error: cluster {made.name} has ended\nhint: coiled-pulumi cluster start {made.name} starts it again\n",
        )  # fmt: skip
    assert made.desired() == 2


def test_a_stop_ends_the_workers_before_the_engine_begins(shell):
    made = shell.cluster()
    shell.pulumi.does("destroy", code=255, stderr="error: no\n")
    assert shell("stop", made.name, "--yes")[0] != 0
    assert made.desired() == 0


def test_a_start_deletes_what_is_left_of_one_that_has_ended(shell):
    made = shell.cluster(alive=False)
    code, _, err = shell("start", made.name, "--no-wait")

    assert code == 0, err
    assert err.splitlines()[0] == f"cluster {made.name} ended by itself; what is left of it is deleted first"
    verbs = shell.pulumi.verbs()
    assert verbs.index("destroy") < verbs.index("stack rm") < verbs.index("up")


def test_rotate_waits_until_each_machine_has_said_so(shell):
    made = shell.cluster(size=1)
    process = shell.process("rotate", made.name, "--wait")
    until = time.monotonic() + 30
    told = ""
    while "waiting for 2 machines" not in told:
        assert select.select([process.stderr], [], [], max(until - time.monotonic(), 0))[0], told
        told += process.stderr.readline()
    said = "coiled-pulumi: there is another certificate: new connections use it"
    made.writes("worker", made.workers[0], said)
    made.writes("scheduler", made.scheduler, said)
    code, err = end(process)
    assert (code, err) == (0, "2 machines have taken the new certificates\n")
