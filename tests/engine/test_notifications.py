"""What a workspace's runs leave behind, on the real engine: here, in its log group, and for a team-mate."""

import dataclasses
import json
import re

import pytest

from coiled_pulumi.local import control

pytestmark = pytest.mark.engine

REGION = "us-east-1"
FILE = """\
name: heard
region: us-east-1
network: {cidr: 10.54.0.0/16, zones: [us-east-1a]}
ingress: [{ports: [8786], cidr: me}]
clusters:
  one: {n_workers: 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heard")
    (folder / "heard.yaml").write_text(FILE)
    return folder


@pytest.fixture(scope="module")
def mate(bench, tmp_path_factory):
    """The same backend and account, on another machine."""
    return dataclasses.replace(
        bench, env=bench.env | {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("mate"))}
    )


def told(who, folder, *arguments) -> list[dict]:
    done = who.cli("notifications", *arguments, "--json", folder=folder)
    assert done.stderr == ""
    return json.loads(done.stdout)["notifications"]


def texts(notifications) -> list[str]:
    return [re.sub(r" by .*| in \d+ s.*", "", one["what"]) for one in notifications]


def messages(bench) -> list[str]:
    events = bench.client("logs").filter_log_events(logGroupName="heard")["events"]
    return texts([json.loads(one["message"]) for one in events])


def test_an_up_waits_for_its_workers_and_is_told(bench, folder):
    done = bench.cli("up", "--file", "heard.yaml", "--yes", "--json", folder=folder)
    assert json.loads(done.stdout)["workers"] == {"one": {"wanted": 2, "in_service": 2, "reasons": []}}
    assert "one: 2 of 2 workers" in done.stderr

    found = told(bench, folder, "--file", "heard.yaml")
    assert sorted(texts(found)) == ["2 workers started", "up finished", "up started"]
    assert [one["cluster"] for one in told(bench, folder, "--file", "heard.yaml", "--cluster", "one")] == [
        "one"
    ]
    assert sorted(set(messages(bench))) == ["up finished", "up started"]


def test_a_team_mate_reads_the_same_with_and_without_the_file(bench, mate, folder, tmp_path):
    ours = told(bench, folder, "--file", "heard.yaml")

    assert told(mate, tmp_path, "--stack", "heard") == ours
    assert told(mate, folder, "--file", "heard.yaml") == ours


def test_workers_that_aws_has_no_room_for_are_exit_code_4_and_the_rest_stays(bench, folder):
    control.ask(bench.record, "no-capacity", type="m6i.large", zone="us-east-1a", clear=False)
    worker = "worker: {instance_type: m6i.large}"
    (folder / "heard.yaml").write_text(FILE.replace("{n_workers: 2}", f"{{n_workers: 2, {worker}}}") + f"""\
  two: {{n_workers: 1, {worker}, scheduler: {{instance_type: t3.medium}}}}
""")  # fmt: skip
    try:
        done = bench.cli(
            "up", "--file", "heard.yaml", "--yes", "--no-preflight", "--json", folder=folder, code=4
        )
    finally:
        control.ask(bench.record, "no-capacity", type="m6i.large", zone="us-east-1a", clear=True)
        (folder / "heard.yaml").write_text(FILE)
    document = json.loads(done.stdout)
    two = document["workers"]["two"]

    assert document["error"]["kind"] == "WorkersMissingError"
    assert any(
        line.startswith("two: 0 of 1 workers started; 1 failed: ") for line in document["error"]["what"]
    )
    assert (two["wanted"], two["in_service"], two["reasons"][0]["code"]) == (
        1,
        0,
        "InsufficientInstanceCapacity",
    )
    failures = [
        one
        for one in told(bench, folder, "--file", "heard.yaml", "--cluster", "two")
        if one["level"] == "error"
    ]
    assert {one["source"] for one in failures} == {"scaling"}


def test_after_a_destroy_the_journal_still_tells(bench, mate, folder):
    bench.cli("destroy", "--file", "heard.yaml", "--yes", folder=folder)
    assert bench.inventory("heard") == {}
    found = texts(told(bench, folder, "--file", "heard.yaml"))

    assert found[0] == "up started"
    assert found[-2:] == ["destroy started", "destroy finished"]
    # A team-mate keeps what AWS told while it was there, and has never run anything.
    assert "destroy finished" not in texts(told(mate, folder, "--file", "heard.yaml"))
