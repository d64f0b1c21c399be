"""Where a computer lets us make no namespaces, machines have loopback addresses, and compute all the same."""

import json
import os
import sys
from pathlib import Path

import pytest
from _support.lab import Lab

from coiled_pulumi.engine import locate
from coiled_pulumi.local import daemon
from coiled_pulumi.local.machines import LOOPBACK

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
FILE = """\
name: plain
network: {cidr: 10.90.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786, 8787], cidr: me}]
clusters:
  main: {n_workers: 2}
"""


def test_a_cluster_on_loopback_addresses_computes(tmp_path, monkeypatch):
    monkeypatch.setenv(LOOPBACK, "1")
    record = daemon.up(home=tmp_path / "aws")
    try:
        env = daemon.applied(record, dict(os.environ)) | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "COILED_PULUMI_LOCAL_HOME": str(tmp_path / "aws"),
            "COILED_PULUMI_ME": "127.0.0.1/32",
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        plain = Lab(record, env | locate.environment(locate.find(), env), tmp_path, tmp_path / "plain.yaml")
        plain.file.write_text(FILE)
        plain.cli("up", "--file", "plain.yaml", "--yes")
        example = [sys.executable, str(ROOT / "examples" / "attach.py"), "main", "--workspace", "plain"]
        said = plain.run([*example, "--n-workers", "2"]).stdout
        assert [name for name in plain.role("main", "worker") if name not in said] == []
        hosts = json.loads(plain.cli("local", "status", "--json").stdout)["hosts"]
        assert (hosts["mode"], bool(hosts["why"])) == ("loopback", True)
    finally:
        daemon.down(home=tmp_path / "aws")
