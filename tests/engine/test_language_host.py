"""Bare `pulumi up` and policy packs, with the language host that belongs to the engine in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coiled_pulumi.engine import locate

pytestmark = pytest.mark.engine

PROGRAM = """
import os, sys, time
import pulumi
mode = pulumi.Config().get("mode")
if mode == "refuse":
    raise pulumi.RunError("workspace.yaml:3: region: unknown")
if mode == "crash":
    {}["key"]
if mode == "exit":
    sys.exit(5)
if mode == "hang":
    open(os.environ["PIDS"], "w").write(f"{os.getpid()} {os.getppid()}")
    time.sleep(60)
pulumi.export("a", 1)
"""

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, StackValidationPolicy

def check(args, report):
    report("never good enough")

rule = StackValidationPolicy(name="never", description="d", validate=check)
PolicyPack("tiny", [rule], EnforcementLevel.MANDATORY)
"""


class Project:
    """A Pulumi project with one stack and a backend of its own."""

    def __init__(self, root: Path, engine: locate.Engine) -> None:
        self.root = root
        self.engine = engine
        (root / "state").mkdir()
        (root / "stacks").mkdir()
        (root / "Pulumi.yaml").write_text("name: tiny\nruntime: python\nmain: stacks/\n")
        (root / "stacks" / "__main__.py").write_text(PROGRAM)
        self.environ = os.environ | locate.environment(engine, disable_metadata=True)
        self.environ |= {
            "PULUMI_BACKEND_URL": f"file://{root}/state",
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PIDS": str(root / "pids"),
        }
        assert self.pulumi("stack", "init", "dev").returncode == 0

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.engine.pulumi), *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=self.root, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )

    def up(self, mode: str) -> subprocess.CompletedProcess[str]:
        self.pulumi("config", "set", "mode", mode)
        return self.pulumi("up", "--yes", "--skip-preview", "--color=never")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    engine = locate.find()
    if engine is None or engine.language_host is None:
        pytest.skip("no engine: run `coiled-pulumi engine install`")
    return Project(tmp_path, engine)


def diagnostics(output: str) -> list[str]:
    section = output.split("Diagnostics:\n", 1)[1].split("\n\n", 1)[0]
    return [line.strip() for line in section.splitlines()[1:]]


def test_program_runs_and_exports(project: Project) -> None:
    assert project.up("").returncode == 0
    assert project.pulumi("stack", "output", "a").stdout == "1\n"


def test_refusal_shows_its_message_only(project: Project) -> None:
    done = project.up("refuse")
    assert done.returncode != 0
    assert diagnostics(done.stdout) == ["error: workspace.yaml:3: region: unknown"]
    assert "warning" not in done.stdout + done.stderr


def test_crash_shows_the_users_traceback_once(project: Project) -> None:
    done = project.up("crash")
    assert done.returncode != 0
    assert diagnostics(done.stdout)[:2] == [
        "error: Program failed with an unhandled exception:",
        "Traceback (most recent call last):",
    ]
    assert done.stdout.count("KeyError: 'key'") == 1


def test_exit_code_of_a_program_is_named(project: Project) -> None:
    done = project.up("exit")
    assert done.returncode != 0
    assert "exit code 5" in done.stdout


def test_policy_pack_runs(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("pulumi_policy")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(PACK)
    done = project.pulumi("preview", "--policy-pack", str(pack))
    assert done.returncode != 0
    assert "never good enough" in done.stdout
    assert _wait_for(lambda: not _running(str(pack))), "the pack outlives the engine"


def test_broken_policy_pack_shows_why(project: Project, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text("raise ValueError('broken on purpose')\n")
    done = project.pulumi("preview", "--policy-pack", str(pack))
    assert done.returncode != 0
    assert "broken on purpose" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_outlives_a_killed_engine(project: Project, tmp_path: Path) -> None:
    project.pulumi("config", "set", "mode", "hang")
    command = [str(project.engine.pulumi), "up", "--yes", "--skip-preview", "--non-interactive"]
    with subprocess.Popen(
        command, cwd=project.root, env=project.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as engine:
        pids = _wait_for(lambda: [int(pid) for pid in _read(tmp_path / "pids").split()])
        assert len(pids) == 2
        engine.send_signal(signal.SIGKILL)
    assert _wait_for(lambda: not any(_alive(pid) for pid in pids))


def _wait_for(condition, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _running(argument: str) -> bool:
    """Say whether a process has this among its arguments; never, where there is no /proc."""
    return any(argument in _read(file).split("\0") for file in Path("/proc").glob("[0-9]*/cmdline"))


def _alive(pid: int) -> bool:
    stat = _read(Path(f"/proc/{pid}/stat"))
    return bool(stat) and stat.rsplit(")", 1)[1].split()[0] != "Z"
