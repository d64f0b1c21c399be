"""The program as Pulumi runs it: from the stack's configuration, with mistakes told as lines."""

import json

import pulumi
import pytest
from _support import examples, monitor
from _support.updating import ROOT

from coiled_pulumi import outputs, program
from coiled_pulumi.spec import load, yaml12

KEY = "coiled:workspace"
BAD = """config:
  coiled:workspace:
    name: dev
    clusters:
      main:
        n_workers: 0
        worker:
          instance_type: m6i.xlarg
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COILED_PULUMI_ME", "192.0.2.7")


def _refusal(value: object, stack: str = "dev") -> list[str]:
    values = {} if value is None else {KEY: value}
    with pytest.raises(pulumi.RunError) as caught:
        monitor.record(program.entrypoint, stack=stack, values=values)
    return str(caught.value).split("\n")


def _value(text: str) -> object:
    return yaml12.read(text).value["config"][KEY]


def test_a_good_configuration():
    value = _value((ROOT / "stacks" / "Pulumi.dev.yaml").read_text())
    recorded = monitor.record(program.entrypoint, values={KEY: value})

    assert outputs.read(recorded.outputs).name == "dev"
    assert len(recorded.of("Subnet")) == len(examples.plan("dev").network.subnets)


def test_me_is_the_callers_address():
    value = {"name": "dev", "ingress": [{"ports": [22], "cidr": "me"}]}
    recorded = monitor.record(program.entrypoint, values={KEY: value})

    rule = recorded.named("dev-scheduler-ingress-22-from-me", "SecurityGroupIngressRule")
    assert rule.props["cidrIpv4"] == "192.0.2.7/32"


def test_me_that_is_no_address(monkeypatch):
    monkeypatch.setenv("COILED_PULUMI_ME", "2001:db8::1")

    assert _refusal({"name": "dev", "ingress": [{"ports": [22], "cidr": "me"}]}) == [
        "'me' is '2001:db8::1', which is not an IPv4 address",
        "hint: write a block in place of 'me', or set COILED_PULUMI_ME",
    ]


def test_mistakes_are_told_with_the_line_in_the_stacks_file(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text(BAD)

    assert _refusal(_value(BAD)) == [
        "Pulumi.dev.yaml:6: clusters.main.n_workers: must be at least 1, got 0",
        "Pulumi.dev.yaml:8: clusters.main.worker.instance_type: must be an EC2 instance type,"
        " got 'm6i.xlarg'; did you mean m6i.xlarge, m6in.xlarge or m6id.xlarge",
    ]


def test_mistakes_are_told_without_a_line_where_there_is_no_file():
    assert _refusal(_value(BAD))[0] == "Pulumi.dev.yaml: clusters.main.n_workers: must be at least 1, got 0"


def test_what_pulumi_was_given_decides_and_not_the_file(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text(BAD)
    recorded = monitor.record(program.entrypoint, values={KEY: {"name": "dev"}})

    assert recorded.of("Cluster") == []


def test_a_file_that_says_something_else_gives_no_lines(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  coiled:workspace:\n    name: dev\n")

    (line,) = _refusal({"name": "dev", "zone": "x"})

    assert line.startswith("Pulumi.dev.yaml: zone: must be a zone of us-east-1")


def test_no_workspace():
    assert _refusal(None) == [
        f"Pulumi.dev.yaml: config: must have the key '{load.CONFIG_KEY}'; coiled-pulumi init writes one"
    ]


def test_a_workspace_of_another_stack():
    assert _refusal({"name": "prod"}) == ["Pulumi.dev.yaml: name: must be the stack's name 'dev', got 'prod'"]


@pytest.mark.parametrize("value", [[], "text", 5, True], ids=json.dumps)
def test_a_workspace_that_is_no_mapping(value):
    (line,) = _refusal(json.dumps(value))

    assert line.startswith("Pulumi.dev.yaml: must be a mapping, got ")


def test_a_workspace_that_is_no_json():
    assert _refusal("{") == ["Configuration 'coiled:workspace' value '{' is not a valid 'JSON object'"]
