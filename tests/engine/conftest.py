"""One local AWS and one engine for all tests of a session; each test brings its own workspaces and takes them down."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from coiled_pulumi.engine import locate
from coiled_pulumi.local import calls, daemon, inventory, state
from coiled_pulumi.ops.events import QUIET, Progress, reduce

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"


@dataclass(frozen=True)
class Bench:
    """The local AWS, and the environment in which everything uses it."""

    record: state.Record
    env: dict[str, str]

    def run(self, command: list[str], *, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and check its exit code."""
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
        )
        assert done.returncode == code, (
            f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def cli(self, *arguments: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run our command line."""
        return self.run([sys.executable, "-m", "coiled_pulumi", *arguments], folder=folder, code=code)

    def client(self, service: str, region: str = REGION):
        """A boto3 client of the local AWS."""
        return inventory.clients(self.record)(service, region)

    def inventory(self, workspace: str = "") -> dict[str, list[str]]:
        """Everything of ours that exists, by kind, empty kinds left out."""
        found = inventory.inventory(inventory.clients(self.record), [REGION], workspace=workspace)
        return {kind: ids for kind, ids in found.items() if ids}

    def mark(self) -> int:
        """A place in the log of API calls."""
        return calls.count(state.calls_file(self.record.home))

    def mutations_since(self, mark: int) -> list[str]:
        """The calls after a mark that were meant to change something."""
        log = calls.read(state.calls_file(self.record.home), mark)
        return [f"{call.service}:{call.action}" for call in calls.mutating(log)]


@dataclass(frozen=True)
class Project:
    """A copy of the repository's Pulumi project, driven by bare `pulumi`."""

    bench: Bench
    folder: Path

    def file(self, stack: str) -> Path:
        """The workspace file of a stack."""
        return self.folder / "stacks" / f"Pulumi.{stack}.yaml"

    def edit(self, stack: str, change) -> None:
        """Change the workspace in its file."""
        settings = yaml.safe_load(self.file(stack).read_text())
        change(settings["config"]["coiled:workspace"])
        self.file(stack).write_text(yaml.safe_dump(settings))

    def pulumi(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run bare `pulumi` in the project."""
        return self.bench.run(["pulumi", *arguments, "--non-interactive"], folder=self.folder, code=code)

    def operate(self, verb: str, stack: str, *arguments: str) -> Progress:
        """Run an operation of bare `pulumi` and give what the engine reported."""
        log = self.folder / f"{verb}.events"
        log.unlink(missing_ok=True)
        agree = [] if verb == "preview" else ["--yes", "--skip-preview"]
        self.pulumi(verb, "-s", stack, *agree, *arguments, "--event-log", str(log))
        progress = Progress()
        for line in log.read_text().splitlines():
            reduce(progress, json.loads(line), 0.0)
        return progress

    def changes(self, verb: str, stack: str, *arguments: str) -> set[tuple[str, str]]:
        """Run an operation; give what it changed as pairs of operation and logical name."""
        progress = self.operate(verb, stack, *arguments)
        return {
            (row.op, row.name) for row in progress.rows.values() if row.op not in QUIET and _counts(row.type)
        }

    def resources(self, stack: str) -> list[dict]:
        """The resources in the state."""
        exported = json.loads(self.pulumi("stack", "export", "-s", stack).stdout)
        return exported["deployment"].get("resources", [])


def _counts(kind: str) -> bool:
    return not kind.startswith(("pulumi:pulumi:Stack", "coiled:index:Workspace"))


@pytest.fixture(scope="session")
def bench(tmp_path_factory) -> Iterator[Bench]:
    engine = locate.find()
    if engine is None:
        pytest.fail("these tests need the engine: coiled-pulumi engine install")
    home = tmp_path_factory.mktemp("local-aws")
    record = daemon.up(home=home, hosts=0)
    ambient = dict(os.environ) | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COILED_PULUMI_LOCAL_HOME": str(home),
        "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state")),
        "COILED_PULUMI_ME": "127.0.0.1/32",
        "PULUMI_DEBUG_COMMANDS": "true",
        "COLUMNS": "160",
    }
    env = daemon.applied(record, ambient)
    yield Bench(record, env | locate.environment(engine, env))
    daemon.down(home=home)


@pytest.fixture(scope="module")
def project(bench, tmp_path_factory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    return Project(bench, folder)
