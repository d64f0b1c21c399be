"""What an instance is told: a few hundred bytes of names."""

import json

import pytest
import yaml

from coiled_pulumi.plan.userdata import user_data

#: Names as long as they may be.
LONGEST = {"workspace": "w" * 32, "cluster": "c" * 32, "role": "scheduler", "region": "ap-southeast-2"}


def test_text():
    assert user_data(workspace="dev", cluster="main", role="worker", region="us-east-1") == (
        "#cloud-config\n"
        "write_files:\n"
        "  - path: /etc/coiled-pulumi/node.json\n"
        "    permissions: '0444'\n"
        '    content: \'{"cluster": "main", "region": "us-east-1", "role": "worker", "version": 1,'
        ' "workspace": "dev"}\'\n'
    )


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_what_cloud_init_reads_is_what_was_said(role):
    names = {**LONGEST, "role": role}
    (file,) = yaml.safe_load(user_data(**names))["write_files"]

    assert json.loads(file["content"]) == {**names, "version": 1}


def test_size():
    assert len(user_data(**LONGEST).encode()) < 1024
