from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.commands import with_clusters
from benchmarks.results import Pair, Single, Size, in_turns, missed, order
from benchmarks.sandbox import Ran, aws_types
from benchmarks.stacks import server_seconds, with_workers
from coiled_pulumi.local.calls import Call

WHERE = report.Machine("Some CPU", 2, 8.0, 0.1, "3.11.7", "3.259.0", "3.272.0", "7.21.0")
SLOWER = Pair("up", "ours", "theirs", (1.0, 1.2, 3.0), (1.0, 1.0, 2.0), limit=1.05, note="58 and 50")
FAST = Single("plan", (0.5, 0.4, 0.9), limit=2.0)
UNJUDGED = Single("validate", (0.3,))
STATE = Size("dev", 2000, 4, 2)


def test_ratios_are_of_the_same_round():
    assert SLOWER.ratios == (1.0, 1.2, 1.5)


def test_only_what_is_above_its_target_is_missed():
    assert missed([SLOWER, FAST, UNJUDGED, STATE]) == ["up"]


def test_rounds_take_turns_and_the_warm_up_is_not_counted():
    said = []
    subject, base = in_turns(2, lambda: said.append("A") or len(said), lambda: said.append("B") or len(said))
    assert "".join(said) == "BAABBA"
    assert (subject, base) == ((3, 6), (4, 5))


def test_order_is_turned_round_every_time():
    assert [order(number, ("A", "B")) for number in (0, 1)] == [("A", "B"), ("B", "A")]


@pytest.mark.parametrize(
    ("output", "changes"),
    [
        ("Resources:\n    + 58 created\n", 58),
        ("Resources:\n    ~ 2 updated\n    +-1 replaced\n    56 unchanged\n", 3),
        ("Resources:\n    +-1 replaced\n    - 3 deleted\n", 4),
        (" +  aws:iam:Role dev-role created (0.2s)\nResources:\n    58 unchanged\n", 0),
    ],
    ids=["create", "update", "replace", "nothing"],
)
def test_changes_are_read_from_the_summary(output, changes):
    assert Ran(1.0, output).changes == changes


def test_only_aws_resources_are_compared():
    kinds = ("pulumi:pulumi:Stack", "coiled:index:Network", "pulumi:providers:aws", "aws:ec2/vpc:Vpc")
    assert aws_types([{"type": kind} for kind in kinds]) == {"aws:ec2/vpc:Vpc": 1}


def test_time_of_the_server_is_added_up_by_action():
    calls = [Call(0.0, "ec2", "RunInstances", "us-east-1", 200, ms, mutating=True) for ms in (500.0, 250.0)]
    assert server_seconds(calls) == {"ec2:RunInstances": 0.75}


def test_settings_differ_from_dev_in_what_is_measured_only():
    few, many = with_workers(5), with_workers(1000)
    workspaces = [settings["config"]["coiled:workspace"] for settings in (few, many)]
    assert [workspace.pop("name") for workspace in workspaces] == ["bench-5", "bench-1000"]
    assert [workspace["clusters"]["main"].pop("n_workers") for workspace in workspaces] == [5, 1000]
    assert workspaces[0] == workspaces[1]


def test_many_clusters_are_as_many_as_asked():
    assert len(with_clusters(1000)["config"]["coiled:workspace"]["clusters"]) == 1000


def test_page_shows_medians_ratios_and_verdicts():
    page = report.as_markdown([SLOWER, FAST, UNJUDGED, STATE], WHERE, date="2026-01-02", rounds=3)
    assert "2026-01-02, 3 rounds. 2 cores of Some CPU, 8.0 GiB of memory" in page
    assert "| up | ours | theirs | 1.20 | 1.00 | 1.200 | 1.000 | 1.500 | <= 1.05 | **no** |" in page
    assert "| plan | 0.50 | 0.40 | 0.90 | <= 2.0 | yes |" in page
    assert "| dev | 2,000 | 4 | 2 | 500 |" in page


def test_json_keeps_every_sample():
    record = json.loads(report.as_json([SLOWER, STATE], WHERE, date="2026-01-02", rounds=3))
    assert record["findings"][0]["subject_seconds"] == [1.0, 1.2, 3.0]
    assert record["findings"][0]["met"] is False
    assert record["findings"][1]["size"] == 2000


def test_cpu_is_named_by_its_model(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n")
    assert report.cpu_model(tmp_path / "cpuinfo") == "Some CPU @ 3 GHz"
