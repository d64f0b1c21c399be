from __future__ import annotations

from pathlib import Path

import pytest

from coiled_pulumi.local import calls
from coiled_pulumi.local.calls import Call


def call(service: str = "ec2", action: str = "CreateVpc", *, mutating: bool = True) -> Call:
    return Call(1.0, service, action, "us-east-1", 200, 2.5, mutating)


@pytest.mark.parametrize(
    ("service", "action", "method", "mutating"),
    [
        ("ec2", "DescribeVpcs", "POST", False),
        ("ec2", "RunInstances", "POST", True),
        ("ssm", "GetParametersByPath", "POST", False),
        ("ssm", "PutParameter", "POST", True),
        ("sts", "AssumeRole", "POST", False),
        ("s3", "GetObject", "GET", False),
        ("s3", "PutObject", "PUT", True),
        ("iam", "SimulatePrincipalPolicy", "POST", False),
        ("logs", "ListTagsForResource", "POST", False),
    ],
)
def test_kind_of_call_follows_from_its_name(
    service: str, action: str, method: str, *, mutating: bool
) -> None:
    assert calls.is_mutating(service, action, method=method) is mutating


def test_dry_run_changes_nothing() -> None:
    assert not calls.is_mutating("ec2", "RunInstances", dry_run=True)


def test_log_comes_back_from_a_line_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(call(action=name).line() for name in ("A", "B", "C")))
    assert [one.action for one in calls.read(path, since=1)] == ["B", "C"]
    assert calls.count(path) == 3


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(call().line() + call().line()[:20])
    assert calls.read(path) == [call()]


def test_no_file_is_an_empty_log(tmp_path: Path) -> None:
    assert calls.read(tmp_path / "none") == []
    assert calls.count(tmp_path / "none") == 0


def test_pulumi_state_in_s3_is_not_counted() -> None:
    log = [call(), call("s3", "PutObject"), call(action="DescribeVpcs", mutating=False)]
    assert calls.mutating(log) == log[:1]
    assert calls.mutating(log, state=True) == log[:2]
