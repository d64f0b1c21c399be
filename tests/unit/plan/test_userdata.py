"""What an instance is told at boot: names, and how its agent starts."""

import json
import subprocess

import pytest
import yaml
from _support.updating import SNAPSHOTS, check_snapshot

from coiled_pulumi.plan.userdata import user_data

#: Names as long as they may be.
LONGEST = {
    "workspace": "w" * 32,
    "cluster": "c" * 32,
    "role": "scheduler",
    "region": "ap-southeast-2",
    "group": "g" * 32,
}


def test_text():
    text = user_data(workspace="dev", cluster="main", role="worker", region="us-east-1", group="workers")

    check_snapshot(SNAPSHOTS / "user-data.yaml", text)


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_what_cloud_init_reads_is_what_was_said(role):
    names = {**LONGEST, "role": role}
    identity, unit = yaml.safe_load(user_data(**names))["write_files"]

    assert json.loads(identity["content"]) == {**names, "version": 1}
    assert "SuccessAction=poweroff\n" in unit["content"]


def test_a_scheduler_is_in_no_group():
    names = {key: value for key, value in LONGEST.items() if key != "group"}
    identity, _ = yaml.safe_load(user_data(**names))["write_files"]

    assert json.loads(identity["content"]) == {**names, "version": 1}


def test_the_commands_are_a_shells():
    install, *more = yaml.safe_load(user_data(**LONGEST))["runcmd"]

    subprocess.run(["bash", "-n", "-c", install], check=True)
    assert [words[0] for words in more] == ["systemctl", "systemctl"]


#: What the script asks for, as far as it matters: each notes how it was called.
TOOLS = {
    "dnf": "",
    "sleep": "",
    "shutdown": "",
    "python3.11": 'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$(dirname "$0")/pip" "$3/bin/pip"',
    "pip": "",
    "aws": 'test -e "$HERE/came" || { touch "$HERE/came"; exit 1; }',
}
HASH = "0" * 64


def _installed(folder, agent, **tools):
    """Run the script that installs the agent, with tools that note how they were called; give the notes."""
    home, notes = folder / "home", folder / "notes"
    (folder / "bin").mkdir()
    for name, does in (TOOLS | tools).items():
        tool = folder / "bin" / name
        tool.write_text(f'#!/bin/bash\necho {name} "$@" >> "$HERE/notes"\n{does}\n')
        tool.chmod(0o755)
    script = yaml.safe_load(user_data(**LONGEST, agent=agent))["runcmd"][0]
    environ = {"PATH": f"{folder}/bin:/usr/bin:/bin", "HERE": str(folder)}
    script = script.replace("/opt/coiled-pulumi", str(home))
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=False)
    return done, notes.read_text().replace(str(home), "HOME").splitlines()


def test_an_agent_in_s3_is_fetched_by_the_role_and_compared_by_its_hash(tmp_path):
    done, notes = _installed(tmp_path, f"s3://bucket/some/agent.whl#sha256={HASH}")

    assert done.returncode == 0
    fetch = "aws --region ap-southeast-2 s3 cp s3://bucket/some/agent.whl HOME/"
    assert notes == [
        "dnf install -y python3.11 python3.11-pip",
        "python3.11 -m venv HOME",
        "pip install botocore packaging",
        fetch,
        "sleep 5",
        fetch,
        f"pip install --no-deps file://HOME/agent.whl#sha256={HASH}",
    ]


def test_an_agent_at_an_address_is_pips_own(tmp_path):
    agent = f"https://host/agent.whl#sha256={HASH}"
    done, notes = _installed(tmp_path, agent)

    assert done.returncode == 0
    assert [note for note in notes if "aws" in note] == []
    assert notes[-1] == f"pip install --no-deps {agent}"


def test_a_machine_that_gets_no_agent_powers_off(tmp_path):
    done, notes = _installed(tmp_path, f"s3://bucket/agent.whl#sha256={HASH}", aws="exit 1")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "coiled-pulumi: the agent cannot be installed: aws --region ap-southeast-2 s3 cp"
    )
    assert (notes.count("sleep 5"), notes[-1]) == (60, "shutdown -P now")


def test_size():
    agent = f"s3://{'b' * 63}/agent/{'0' * 12}/coiled_pulumi-0.1.0-py3-none-any.whl#sha256={HASH}"
    assert len(user_data(**LONGEST).encode()) < 1536
    assert len(user_data(**LONGEST, agent=agent).encode()) < 2048
