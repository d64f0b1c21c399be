"""`catalog update`, asking the local AWS as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from _support.recorder import Recorder
from _support.refusals import shut

from coiled_pulumi.catalog import files
from coiled_pulumi.local import daemon


@pytest.fixture
def run(aws: Any, tmp_path: Path) -> Any:
    environment = daemon.applied(aws.record) | {"XDG_DATA_HOME": str(tmp_path)}

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coiled_pulumi", "catalog", *arguments]
        return subprocess.run(
            command, env=environment | env, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def _copies(folder: Path) -> dict[str, Any]:
    found = (folder / "coiled-pulumi" / "catalog").iterdir()
    return {file.stem: json.loads(file.read_text()) for file in found}


def test_what_the_local_aws_says_is_what_is_bundled(run: Any, tmp_path: Path) -> None:
    done = run("update", "--region", "us-east-1", "--region", "eu-west-1", "--region", "us-east-1", "--json")

    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["asked"] == ["us-east-1", "eu-west-1"]
    for kind in ("zones", "instance_types", "offerings"):
        assert data["changes"][kind] == {"added": 0, "removed": 0, "changed": 0}
    copies = _copies(tmp_path)
    assert set(copies) == {"regions", "instance_types", "offerings", "quotas"}
    assert all(files.fits(name, document) for name, document in copies.items())
    for name in ("instance_types", "offerings"):
        assert copies[name][name] == files.bundled(name)[name]
    assert copies["offerings"]["source"].startswith("account 123456789012 at http://127.0.0.1:")
    assert "eu-west-1: 3 zones, " in done.stderr


def test_copies_are_used_from_then_on(run: Any, tmp_path: Path) -> None:
    assert run("update", "--region", "us-west-1").returncode == 0
    shown = json.loads(run("show", "--json").stdout)

    assert shown["ignored"] == []
    assert {Path(one["path"]).parent for one in shown["files"][:4]} == {
        tmp_path / "coiled-pulumi" / "catalog"
    }
    assert shown["files"][4]["name"] == "prices"
    assert "data" in Path(shown["files"][4]["path"]).parts


def test_a_region_that_is_off(aws: Any, run: Any, tmp_path: Path) -> None:
    with Recorder(aws.record.port, watchers=[shut("ap-east-1")]).listening() as recorder:
        done = run("update", "--region", "ap-east-1", AWS_ENDPOINT_URL=recorder.endpoint)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ap-east-1: not enabled in this account\n"
        "error: no region answered; nothing was written\n"
        "hint: aws account enable-region --region-name ap-east-1\n"
    )
    assert not (tmp_path / "coiled-pulumi").exists()
