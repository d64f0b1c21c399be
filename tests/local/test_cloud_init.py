"""cloud-init itself reads our user data: its own schema finds nothing to say."""

import shutil
import subprocess

import pytest

from coiled_pulumi.plan.userdata import nat_user_data, user_data

LONGEST = {"workspace": "w" * 32, "cluster": "c" * 32, "region": "ap-southeast-2"}
TEXTS = {
    "scheduler": user_data(role="scheduler", **LONGEST),
    "installed": user_data(
        role="worker", group="g" * 32, agent=f"s3://{'h' * 200}/a.whl#sha256={'0' * 64}", **LONGEST
    ),
    "worker": user_data(role="worker", group="g" * 32, **LONGEST),
    "nat": nat_user_data(),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_user_data_is_valid_cloud_config(kind, tmp_path):
    if shutil.which("cloud-init") is None:
        pytest.skip("cloud-init is not installed (apt-get install cloud-init)")
    (tmp_path / "user-data").write_text(TEXTS[kind])
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(tmp_path / "user-data")],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )
    assert (done.returncode, "Valid cloud-config" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("kind", TEXTS)
def test_user_data_is_short(kind):
    assert len(TEXTS[kind].encode()) < 2048
