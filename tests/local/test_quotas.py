"""`setup aws --quotas`: what is used, allowed, needed and asked for."""

import json

import pytest
from _support import on_aws

from coiled_pulumi.cli import app
from coiled_pulumi.errors import DeploymentError
from coiled_pulumi.local import control
from coiled_pulumi.ops import quota_review
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec.load import parse

#: A region that no other test of this folder uses.
REGION = "eu-north-1"
STANDARD = "L-1216C47A"
FILE = f"name: lab\nregion: {REGION}\nclusters:\n  one: {{n_workers: 20, worker: {{instance_type: m6i.xlarge}}}}\n"
PLAN = build(parse(FILE, source="lab.yaml").workspace)


@pytest.fixture(autouse=True)
def folder(aws, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with on_aws.working(aws.record, monkeypatch, region=REGION):
        control.ask(aws.record, "quota", code=STANDARD, value=32, region=REGION)
        yield tmp_path
        control.ask(aws.record, "approve", request_id="")


def rows() -> dict[str, quota_review.Row]:
    return {row.quota.code: row for row in quota_review.review(PLAN, region=REGION)}


@pytest.mark.parametrize(
    ("value", "comfortable"), [(0, 1), (1, 1), (6, 10), (33, 64), (84, 96), (1024, 1024), (1025, 1536)]
)
def test_a_suggested_value_is_one_that_people_would_ask_for(value, comfortable):
    assert quota_review.comfortable(value) == comfortable


def test_each_quota_has_used_limit_and_needed():
    found = rows()

    assert list(found) == [
        STANDARD, "L-34B43A08", "L-DB2E81BA", "L-3819A6DF", "L-417A185B", "L-7212CCBC",
        "L-F678F1CE", "L-0263D0A3", "L-FE5A380F",
    ]  # fmt: skip
    standard = found[STANDARD]
    assert (standard.used, standard.limit, standard.needed, standard.low) == (0, 32, 84, True)
    assert standard.suggested == 96
    assert [row.needed for row in found.values() if row.quota.unit != "vCPU"] == [1, 1, 1]
    assert not any(row.low for code, row in found.items() if code != STANDARD)


def test_without_a_workspace_nothing_is_needed():
    found = quota_review.review(None, region=REGION)
    assert {(row.needed, row.low) for row in found} == {(0, False)}


def test_yes_asks_for_what_is_too_low_and_only_once(folder, capsys):
    (folder / "lab.yaml").write_text(FILE)
    assert app.run(["setup", "aws", "--quotas", "--file", "lab.yaml", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["code"], one["wanted"], one["status"]) for one in told["requests"]] == [
        (STANDARD, 96.0, "PENDING")
    ]

    assert app.run(["setup", "aws", "--quotas", "--file", "lab.yaml", "--yes", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["requests"] == []
    assert [one["pending"] for one in again["quotas"] if one["code"] == STANDARD] == [96.0]


def test_without_a_terminal_and_without_yes_nothing_is_asked_for(folder, capsys):
    (folder / "lab.yaml").write_text(FILE)
    assert app.run(["setup", "aws", "--quotas", "--file", "lab.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["quota", "code", "used", "limit", "needed", "suggested", "asked", "for"]
    assert lines[1].split() == ["standard", "on", "demand", STANDARD, "0", "32", "84", "96"]
    assert rows()[STANDARD].pending is None


def test_a_request_that_is_refused_names_the_page_of_the_console():
    """AWS refuses a value below the one that there is."""
    row = rows()[STANDARD]
    with pytest.raises(DeploymentError) as caught:
        quota_review.ask(row, 1, region=REGION)
    assert caught.value.hint == (
        f"ask for it at https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{STANDARD}"
    )
