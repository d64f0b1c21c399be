"""What AWS refuses, on the real engine: one line that teaches, nothing lost, and the next run goes on."""

import json
from collections.abc import Iterator

import pytest

from coiled_pulumi.local import control
from coiled_pulumi.local.limits import QUOTAS

pytestmark = pytest.mark.engine

VCPUS, VPCS = "L-1216C47A", "L-F678F1CE"
#: Machines of 4 vCPUs each, of a type that is named: else another type would do for the workers.
FILE = """\
name: short
network: {cidr: 10.53.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one:
    n_workers: 2
    scheduler: {instance_type: m6i.xlarge}
    worker: {instance_type: m6i.xlarge}
"""
#: The check before `up` would find all of this; here it is AWS's turn.
FLAGS = ("--file", "short.yaml", "--yes", "--no-preflight")


@pytest.fixture(scope="module")
def folder(bench, tmp_path_factory) -> Iterator:
    folder = tmp_path_factory.mktemp("short")
    (folder / "short.yaml").write_text(FILE)
    try:
        yield folder
    finally:
        for code in (VCPUS, VPCS):
            set_quota(bench, code, QUOTAS[code].here)
        no_capacity(bench, clear=True)
        bench.cli("destroy", "--file", "short.yaml", "--yes", folder=folder)
        assert bench.inventory("short") == {}


def set_quota(bench, code: str, value: float) -> None:
    control.ask(bench.record, "quota", code=code, value=value, region="us-east-1")


def no_capacity(bench, *, clear: bool = False) -> None:
    control.ask(bench.record, "no-capacity", type="m6i.xlarge", zone="us-east-1a", clear=clear)


def used(bench) -> int:
    """The vCPUs of what other tests of this session have running."""
    ec2 = bench.client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["running", "pending"]}]
    )
    found = [
        one["InstanceType"] for page in pages for group in page["Reservations"] for one in group["Instances"]
    ]
    types = ec2.describe_instance_types(InstanceTypes=sorted(set(found)))["InstanceTypes"] if found else []
    vcpus = {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in types}
    return sum(vcpus[one] for one in found)


def up(bench, folder, *, code: int = 0) -> dict:
    return json.loads(bench.cli("up", *FLAGS, "--json", folder=folder, code=code).stdout)


def test_no_more_networks_is_said_with_its_quota(bench, folder):
    set_quota(bench, VPCS, len(bench.client("ec2").describe_vpcs()["Vpcs"]))
    error = up(bench, folder, code=4)["error"]

    assert error["what"] == [
        "short-vpc: the region has as many VPCs as the account may have (VpcLimitExceeded, quota L-F678F1CE)"
    ]
    assert "coiled-pulumi setup aws --quotas" in error["hint"]
    set_quota(bench, VPCS, QUOTAS[VPCS].here)


def test_a_zone_without_machines_names_the_type_and_the_others(bench, folder):
    no_capacity(bench)
    error = up(bench, folder, code=4)["error"]

    assert error["what"] == [
        "short-cluster-one-scheduler: zone us-east-1a has no m6i.xlarge now (InsufficientInstanceCapacity)"
    ]
    assert error["hint"].startswith("take one of the zones us-east-1b, ")


def test_a_used_up_quota_stops_the_scheduler_alone(bench, folder):
    limit = used(bench) + 3
    set_quota(bench, VCPUS, limit)
    # Not before: the workers' group exists by now, and would launch at once.
    no_capacity(bench, clear=True)
    done = bench.cli("up", *FLAGS, folder=folder, code=4)

    assert done.stderr.splitlines()[-2:] == [
        f"error: short-cluster-one-scheduler: the quota of {limit} vCPUs for on-demand instances of this family is "
        "used up (VcpuLimitExceeded, quota L-1216C47A)",
        "hint: ask for more: coiled-pulumi setup aws --quotas; or lower n_workers, or take a smaller "
        "worker.instance_type",
    ]
    there = bench.inventory("short")
    assert "instance" not in there
    assert {"vpc", "subnet", "launch_template"} <= set(there)


def test_with_a_raised_quota_the_next_run_goes_on(bench, folder):
    before = bench.inventory("short")
    set_quota(bench, VCPUS, QUOTAS[VCPUS].here)
    changed = {(row["op"], row["name"]) for row in up(bench, folder)["resources"]}

    assert ("create", "short-cluster-one-scheduler") in changed
    assert ("create", "short-vpc") not in changed
    after = bench.inventory("short")
    assert all(set(ids) <= set(after[kind]) for kind, ids in before.items())
    assert len(after["instance"]) == 3
