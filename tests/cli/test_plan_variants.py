"""`plan` of every kind of network and machine: what the table, the tree and the picture say of it."""

import xml.etree.ElementTree as ET

import pytest
from _support.updating import ROOT

CASES = sorted((ROOT / "tests" / "cases").glob("*.happy.yaml"))
NETWORK = "name: dev\nzone: us-east-1a\nnetwork:\n  zones: [us-east-1a, us-east-1b]\n  nat: {}\n"


def _plan(cli, folder, text, *flags):
    (folder / "dev.yaml").write_text(text)
    done = cli("plan", "--file", "dev.yaml", *flags)
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name.split(".")[0])
def test_whatever_is_accepted_is_shown(cli, folder, file):
    text = file.read_text("utf-8-sig")

    assert _plan(cli, folder, text).strip()
    assert _plan(cli, folder, text, "--tree").strip()
    picture = _plan(cli, folder, text, "--svg", "-")
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 our own text


@pytest.mark.parametrize(
    ("nat", "note", "branch"),
    [
        ("gateway", "NAT gateway", "NAT gateway in public-us-east-1a"),
        ("per-zone", "NAT gateway", "NAT gateway in public-us-east-1b"),
        ("instance", "NAT instance, t4g.nano", "NAT instance in public-us-east-1a"),
        ("none", "", "endpoint com.amazonaws.us-east-1.ssm"),
    ],
)
def test_ways_out(cli, folder, nat, note, branch):
    shown = _plan(cli, folder, NETWORK.format(nat))
    (row,) = [line for line in shown.splitlines() if line.startswith("us-east-1a")]
    chosen = [line.split()[0] for line in shown.splitlines() if "chosen;" in line]

    assert row.split("  ")[-1].strip() == note or not note
    assert chosen == [nat]
    assert branch in _plan(cli, folder, NETWORK.format(nat), "--tree")


def test_an_existing_network(cli, folder):
    text = (ROOT / "tests" / "cases" / "existing-network.happy.yaml").read_text()
    shown = _plan(cli, folder, text).splitlines()

    assert shown[0] == "dev in us-east-1, network vpc-0123456789abcdef0 (existing, not changed), logs 30 days"
    assert [line.split() for line in shown if line.startswith("us-east-1")] == [
        ["us-east-1a", "subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        ["us-east-1b", "subnet-0a1b2c3d", "none"],
    ]
    assert not [line for line in shown if "way out" in line]


def test_machines(cli, folder):
    text = """
name: dev
network: {zones: [us-east-1a]}
ingress: []
clusters:
  cheap: {spot: true, spot_on_demand_base: 1, spot_on_demand_fallback: true, n_workers: 9}
  listed: {worker: {instance_type: [m6i.large, m5.large, c5.large]}}
  open: {ingress: {ports: [8786], cidr: 198.51.100.0/24}, worker: {instance_type: m6i.large}}
"""
    shown = [" ".join(line.split()) for line in _plan(cli, folder, text).splitlines()]

    assert "8786 198.51.100.0/24 Dask protocol, open only" in shown
    assert [line for line in shown if line.split()[:1] in (["cheap"], ["listed"], ["open"])] == [
        "cheap us-east-1a 9 spot, 1 on-demand, with fallback m6i.xlarge or m5.xlarge, 100 GiB m6i.xlarge, 30 GiB",
        "listed us-east-1a 4 m6i.large or 2 more, 100 GiB m6i.xlarge, 30 GiB",
        "open us-east-1a 4 m6i.large, 100 GiB m6i.xlarge, 30 GiB",
    ]
