"""A workspace that was brought up by our command line, and the people who work with it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from coiled_pulumi.local import inventory


class Workspace:
    """A workspace and its file, and people in it, each on a machine of their own.

    Attributes:
        bench: the local AWS and the environment in which everything uses it.
        folder: where the file is, and where commands run.
        file: the workspace's file.
        name: of the workspace.
    """

    def __init__(
        self, bench: Any, folder: Path, states: Path, *, text: str, regions: Sequence[str] = ("us-east-1",)
    ) -> None:
        self.bench, self.folder = bench, folder
        self.name: str = yaml.safe_load(text)["name"]
        self.file = folder / f"{self.name}.yaml"
        self.file.write_text(text)
        self._states, self._regions = states, regions

    def person(self, name: str, **env: str) -> Any:
        """Somebody with a state folder of their own: to Pulumi, another machine."""
        environ = self.bench.env | {"XDG_STATE_HOME": str(self._states / name)} | env
        return dataclasses.replace(self.bench, env=environ)

    def cli(
        self, *words: str, who: str = "platform", code: int = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run our command line as somebody."""
        return self.person(who, **env).cli(*words, "--file", self.file.name, folder=self.folder, code=code)

    def at_once(
        self, *commands: Sequence[str], each: Sequence[Mapping[str, str]] = (), **env: str
    ) -> list[tuple[str, int]]:
        """Run commands at the same time, each as somebody else; give output and exit code of each.

        Args:
            commands: the words of each, without the file.
            each: variables of the single commands.
            env: variables of all.
        """
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "coiled_pulumi", *words, "--file", self.file.name],
                cwd=self.folder,
                env=self.person(f"person-{index}", **env, **(each[index] if each else {})).env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for index, words in enumerate(commands)
        ]
        return [(one.communicate(timeout=300)[0], one.returncode) for one in running]

    def subnets(self, zone: str) -> list[str]:
        """The blocks of a zone's subnets in AWS."""
        ours = {"Name": "tag:coiled-pulumi:workspace", "Values": [self.name]}
        there = {"Name": "availability-zone", "Values": [zone]}
        found = self.bench.client("ec2").describe_subnets(Filters=[ours, there])["Subnets"]
        return sorted(subnet["CidrBlock"] for subnet in found)

    def stacks(self) -> list[str]:
        """The stacks beside the workspace's own."""
        listed = self.bench.run(["pulumi", "stack", "ls", "--json", "--all"], folder=self.folder)
        names = (one["name"].rpartition("/")[2] for one in json.loads(listed.stdout))
        return sorted(name for name in names if name.startswith(f"{self.name}."))

    def inventory(self) -> dict[str, list[str]]:
        """What exists of it, by kind, in all its regions."""
        found = inventory.inventory(inventory.clients(self.bench.record), self._regions, workspace=self.name)
        return {kind: ids for kind, ids in found.items() if ids}
