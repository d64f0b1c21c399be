"""A workspace on a local AWS whose machines really run, and what its people do with it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coiled_pulumi.local import inventory, state

REGION = "us-east-1"
#: A workspace of two zones, whose schedulers are open to this machine's first address alone.
FILE = """\
name: lab
network: {cidr: 10.80.0.0/16, zones: [us-east-1a, us-east-1b]}
ingress: [{ports: [22, 8786, 8787], cidr: 127.0.0.1/32}]
"""


@dataclass(frozen=True)
class Lab:
    """The workspace, and the environment in which everybody uses it."""

    record: state.Record
    env: dict[str, str]
    folder: Path
    file: Path

    def cli(self, *words: str, code: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """Run our command line to its end."""
        return self.run([sys.executable, "-m", "coiled_pulumi", *words], code=code, **more)

    def run(
        self, command: list[str], *, code: int | None = 0, timeout: float = 400, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and check its exit code."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env | more,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )
        assert code is None or done.returncode == code, (
            f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def python(self, script: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of a user's."""
        return self.run([sys.executable, "-c", script, *words], **options)

    def export(self, stack: str, *flags: str) -> str:
        """The state of a stack, from the folder that our command line keeps for it."""
        (folder,) = Path(self.env["XDG_STATE_HOME"]).glob(f"coiled-pulumi/projects/*/{stack}")
        return self.run(["pulumi", "-C", str(folder), "stack", "export", "--stack", stack, *flags]).stdout

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of the local AWS."""
        return inventory.clients(self.record)(service, region)

    def instances(self, cluster: str, *states: str) -> dict[str, dict[str, Any]]:
        """The machines of a cluster by id, those that run if no states are named."""
        filters = [
            {"Name": "tag:coiled-pulumi:cluster", "Values": [cluster]},
            {"Name": "instance-state-name", "Values": list(states or ("pending", "running"))},
        ]
        pages = self.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return {
            one["InstanceId"]: one
            for page in pages
            for reservation in page["Reservations"]
            for one in reservation["Instances"]
        }

    def role(self, cluster: str, role: str) -> list[str]:
        """The running machines of one role."""
        wanted = {"Key": "coiled-pulumi:role", "Value": role}
        return sorted(name for name, one in self.instances(cluster).items() if wanted in one["Tags"])

    def left(self, cluster: str) -> dict[str, list[str]]:
        """What there is of a cluster, by kind; its logs are the workspace's."""
        tag = [{"Name": "tag:coiled-pulumi:cluster", "Values": [cluster]}]
        ec2 = self.client("ec2")
        groups = self.client("autoscaling").describe_auto_scaling_groups(Filters=tag)["AutoScalingGroups"]
        parameters = self.client("ssm").get_parameters_by_path(
            Path=f"/coiled-pulumi/lab/{cluster}/", Recursive=True
        )["Parameters"]
        found = {
            "instances": list(self.instances(cluster)),
            "groups": [one["AutoScalingGroupName"] for one in groups],
            "parameters": [one["Name"] for one in parameters],
            "templates": [
                one["LaunchTemplateId"]
                for one in ec2.describe_launch_templates(Filters=tag)["LaunchTemplates"]
            ],
            "volumes": [one["VolumeId"] for one in ec2.describe_volumes(Filters=tag)["Volumes"]],
            "interfaces": [
                one["NetworkInterfaceId"]
                for one in ec2.describe_network_interfaces(Filters=tag)["NetworkInterfaces"]
            ],
        }
        return {kind: names for kind, names in found.items() if names}

    def status(self) -> dict[str, Any]:
        """What `local status` says."""
        return json.loads(self.cli("local", "status", "--json").stdout)


def until(what: Callable[[], Any], *, seconds: float = 60, said: str = "") -> Any:
    """Ask again until something is true, and give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, said or f"not within {seconds} s"
        time.sleep(0.2)
    return found
