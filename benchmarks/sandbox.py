"""A local AWS of our own, and stacks in it that bare `pulumi` brings up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

#: Longer than any step takes on a busy machine, in seconds: a hang must not look like a measurement.
_LIMIT = 1800
#: Lines of a failed command that the error repeats.
_TAIL = 25
_COUNT = re.compile(r"^\s+[-+~]{1,2} ?(\d+) (?:created|updated|replaced|deleted)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well."""

    seconds: float
    output: str

    @property
    def changes(self) -> int:
        """Count the resources that the engine says it changed."""
        return sum(int(count) for count in _COUNT.findall(self.output))


def run(command: list[str], *, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Ran:
    """Run a command and take its whole time, from before its process starts until it has ended.

    Raises:
        RuntimeError: it failed.

    """
    began = time.perf_counter()
    done = subprocess.run(
        command,
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-_TAIL:])
        msg = f"{' '.join(command[:4])} ended with {done.returncode}\n{tail}"
        raise RuntimeError(msg)
    return Ran(seconds, done.stdout)


def cli() -> str:
    """Give our command as it is installed beside the Python that runs this."""
    return str(Path(sysconfig.get_path("scripts")) / "coiled-pulumi")


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of one project; its configuration is a private copy, so that no file of the project changes."""

    project: Path
    name: str
    config: Path
    env: Mapping[str, str]

    def up(self) -> Ran:
        """Bring it up."""
        return self._operate("up")

    def destroy(self) -> Ran:
        """Delete everything in it."""
        return self._operate("destroy")

    def resources(self) -> list[dict]:
        """Give what `pulumi stack export` says is in it."""
        exported = run(
            ["pulumi", "-C", str(self.config.parent), "stack", "export", "-s", self.name], env=self.env
        )
        return json.loads(exported.output)["deployment"]["resources"]

    def size(self) -> int:
        """Give the bytes of its checkpoint in the file backend."""
        backend = Path(urlsplit(self.env["PULUMI_BACKEND_URL"]).path)
        return (backend / ".pulumi" / "stacks" / self.config.parent.name / f"{self.name}.json").stat().st_size

    def _operate(self, verb: str) -> Ran:
        where = ["pulumi", "-C", str(self.project)]
        what = [verb, "--yes", "--skip-preview", "--non-interactive", "--color", "never"]
        return run([*where, *what, "--stack", self.name, "--config-file", str(self.config)], env=self.env)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running local AWS, and a folder for what belongs to it."""

    folder: Path
    env: Mapping[str, str]

    @property
    def calls(self) -> Path:
        """Give the log of API calls."""
        return self.folder / "aws" / "calls.jsonl"

    def stack(self, project: Path, name: str, settings: Mapping[str, object]) -> Stack:
        """Make an empty stack of a project."""
        # `stack init` writes the salt beside the Pulumi.yaml that it finds: it finds one of ours.
        project_name = yaml.safe_load((project / "Pulumi.yaml").read_text())["name"]
        own = self.folder / project_name
        own.mkdir(exist_ok=True)
        (own / "Pulumi.yaml").write_text(f"name: {project_name}\nruntime: python\n")
        config = own / f"Pulumi.{name}.yaml"
        config.write_text(json.dumps(settings))
        run(["pulumi", "-C", str(own), "stack", "init", "--no-select", "--stack", name], env=self.env)
        return Stack(project, name, config, self.env)


@contextlib.contextmanager
def sandbox(hosts: int = 0) -> Iterator[Sandbox]:
    """Start a local AWS that nobody else uses, and take it away again.

    Args:
        hosts: how many of its machines really run; the others are on paper.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        env["COILED_PULUMI_LOCAL_HOME"] = str(folder / "aws")
        run([cli(), "local", "up", "--hosts", str(hosts)], env=env)
        try:
            variables = json.loads(run([cli(), "local", "env", "--json"], env=env).output)
            yield Sandbox(folder, env | variables)
        finally:
            run([cli(), "local", "down"], env=env)


def aws_types(resources: list[dict]) -> Counter[str]:
    """Count AWS resources by type; components, providers and the stack itself are not AWS's."""
    return Counter(resource["type"] for resource in resources if resource["type"].startswith("aws:"))
