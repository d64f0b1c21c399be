"""The init of an instance, run as a process of this machine that keeps to its folder."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coiled_pulumi.local.hosts import units

Boot = Callable[..., subprocess.Popen[bytes]]
LIMIT = 20.0


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    started = []

    def start(user_data: str, **environ: str) -> subprocess.Popen[bytes]:
        told = {"id": "i-1", "user_data": user_data, "environ": environ, "mode": "loopback"}
        (tmp_path / "instance.json").write_text(json.dumps(told))
        command = [sys.executable, "-P", "-m", "coiled_pulumi.local.hosts.boot", str(tmp_path)]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(LIMIT)


def cloud_config(
    *, unit: str = "", runcmd: list[object] | None = None, files: list[object] | None = None
) -> str:
    name = "/etc/systemd/system/node.service"
    made = [{"path": name, "content": unit}] if unit else []
    config = {"write_files": [*made, *(files or [])], "runcmd": runcmd or []}
    return "#cloud-config\n" + json.dumps(config)


def console(folder: Path) -> str:
    file = folder / "console.log"
    return file.read_text() if file.exists() else ""


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_machine_goes_off_when_its_unit_is_done(boot: Boot, tmp_path: Path) -> None:
    service = "ExecStart=/bin/sh -c 'echo I am $A ${B}'\nEnvironment=A=1 'B=2 3'\n"
    unit = f"[Unit]\nSuccessAction=poweroff\n[Service]\n{service}"
    process = boot(cloud_config(unit=unit, runcmd=["systemctl enable --now node"]))
    assert process.wait(LIMIT) == 0
    assert "I am 1 2 3\n" in console(tmp_path)


def test_files_and_commands_as_cloud_init_makes_them(boot: Boot, tmp_path: Path) -> None:
    files = [
        {"path": "/etc/a b", "content": "ä\n", "permissions": "0600", "owner": "root:root"},
        {"path": "/etc/binary", "content": base64.b64encode(b"\0\xff").decode(), "encoding": "b64"},
    ]
    commands = ["X=5", ["printf", "%s.", "a b", "$X"], "false", "echo =$X=", "poweroff"]
    assert boot(cloud_config(files=files, runcmd=commands)).wait(LIMIT) == 0
    etc = tmp_path / "root/etc"
    assert ((etc / "a b").read_text(), (etc / "a b").stat().st_mode & 0o777) == ("ä\n", 0o600)
    assert (etc / "binary").read_bytes() == b"\0\xff"
    assert "a b.$X.=5=\n" in console(tmp_path)


def test_script_runs_with_the_images_environment(boot: Boot, tmp_path: Path) -> None:
    process = boot(
        "#!/bin/sh\necho $AWS_REGION ${SECRET-none} $(systemctl is-active x)\nshutdown -h now\n",
        AWS_REGION="r",
    )
    assert process.wait(LIMIT) == 0
    assert "r none inactive\n" in console(tmp_path)


def test_paths_of_ours_lead_into_the_folder(boot: Boot, tmp_path: Path) -> None:
    files = [
        {"path": "/opt/coiled-pulumi/bin/x", "content": "#!/bin/sh\necho $1 $0\n", "permissions": "0755"}
    ]
    commands = ["/opt/coiled-pulumi/bin/x it", "test -e /opt/coiled-pulumi/bin/x && echo there", "poweroff"]
    assert boot(cloud_config(files=files, runcmd=commands)).wait(LIMIT) == 0
    assert f"it {tmp_path}/root/opt/coiled-pulumi/bin/x\nthere\n" in console(tmp_path)


def test_what_would_change_the_whole_machine_is_left_out(boot: Boot, tmp_path: Path) -> None:
    commands = ["sysctl --system", "dnf install -y x", "mount /a /b", "reboot || echo no", "poweroff"]
    assert boot(cloud_config(runcmd=commands)).wait(LIMIT) == 0
    text = console(tmp_path)
    for said in (
        "left out: sysctl --system\n",
        "installs nothing: dnf install -y x\n",
        "left out: mount",
        "no\n",
    ):
        assert said in text


def test_unit_that_fails_is_started_again_but_not_for_ever(boot: Boot, tmp_path: Path) -> None:
    unit = (
        "[Unit]\nFailureAction=poweroff\n"
        "[Service]\nExecStart=/bin/sh -c 'echo try; exit 3'\nRestart=on-failure\nRestartSec=10ms\n"
    )
    assert boot(cloud_config(unit=unit, runcmd=["systemctl start node"])).wait(LIMIT) == 0
    text = console(tmp_path)
    assert (text.count("try\n"), "repeated too quickly" in text) == (5, True)


def test_shutdown_asks_and_then_kills_all_that_was_started(boot: Boot, tmp_path: Path) -> None:
    script = "trap 'echo asked' TERM; sleep 1000 & echo $! >$HOME/pid; echo up; while :; do sleep 0.05; done"
    unit = f'[Service]\nExecStart=/bin/sh -c "{script.replace("$", "$$")}"\nTimeoutStopSec=200ms\n'
    process = boot(cloud_config(unit=unit, runcmd=["systemctl start node"]), HOME=str(tmp_path))
    until(lambda: "up\n" in console(tmp_path))
    child = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 0
    assert "asked\n" in console(tmp_path)
    until(lambda: not is_alive(child))


def test_broken_hardware_asks_nobody(boot: Boot, tmp_path: Path) -> None:
    script = "trap 'echo asked' TERM; echo $$$$ >$$HOME/pid; echo up; while :; do sleep 0.05; done"
    unit = f'[Service]\nExecStart=/bin/sh -c "{script}"\n'
    process = boot(cloud_config(unit=unit, runcmd=["systemctl start node"]), HOME=str(tmp_path))
    until(lambda: "up\n" in console(tmp_path))
    (tmp_path / "init").write_text("die machine\n")
    assert process.wait(LIMIT) == 137
    until(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    assert "asked" not in console(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "just data", "#cloud-config\n{]", "#cloud-config\n- a list", "#!/no/such/thing\n"]
)
def test_user_data_that_starts_nothing_leaves_the_machine_on(boot: Boot, tmp_path: Path, text: str) -> None:
    process = boot(text)
    if text.startswith("#"):
        until(lambda: "user data ended with" in console(tmp_path))
    until(lambda: (tmp_path / "init").exists())
    (tmp_path / "init").write_text("poweroff machine\n")
    assert process.wait(LIMIT) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, 7), ("5", 5), ("1min 30s", 90), ("250ms", 0.25), ("infinity", float("inf"))]
)
def test_time_spans(text: str | None, seconds: float) -> None:
    assert units.span(text, 7) == seconds


def test_unit_without_a_command_is_none() -> None:
    with pytest.raises(ValueError, match="has no ExecStart"):
        units.read("x.service", "[Service]\nRestart=always\n")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
