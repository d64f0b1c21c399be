"""The policy pack on the real engine, against a program that breaks every rule."""

import json

import pytest

from coiled_pulumi.ops.events import Progress, reduce

pytestmark = pytest.mark.engine

PROGRAM = """
from pulumi_aws import ec2, vpc

network = ec2.Vpc("bare", cidr_block="10.70.0.0/16")
subnet = ec2.Subnet("open", vpc_id=network.id, cidr_block="10.70.0.0/24", map_public_ip_on_launch=True)
group = ec2.SecurityGroup("group", vpc_id=network.id)
vpc.SecurityGroupIngressRule(
    "ssh", security_group_id=group.id, ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4="0.0.0.0/0"
)
ec2.Instance("plain", ami="ami-12345678", instance_type="m6i.large", subnet_id=subnet.id)
"""


def test_a_program_that_breaks_every_rule_meets_every_rule(bench, project, tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: bad\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    bench.run(["pulumi", "stack", "init", "bad", "--no-select"], folder=tmp_path)
    log = tmp_path / "events"
    pack = str(project.folder / "policies")
    command = [
        "pulumi",
        "preview",
        "-s",
        "bad",
        "--policy-pack",
        pack,
        "--event-log",
        str(log),
        "--non-interactive",
    ]
    bench.run(command, folder=tmp_path, code=1)
    progress = Progress()
    for line in log.read_text().splitlines():
        reduce(progress, json.loads(line), 0.0)
    assert {finding.policy: finding.level for finding in progress.findings} == {
        "disks-encrypted": "mandatory",
        "imdsv2-required": "mandatory",
        "required-tags": "mandatory",
        "ssh-not-open-to-the-world": "advisory",
        "workers-have-no-public-address": "mandatory",
    }
