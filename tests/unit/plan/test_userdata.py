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


def test_size():
    assert len(user_data(**LONGEST).encode()) < 1536
