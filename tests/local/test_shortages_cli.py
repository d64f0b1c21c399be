"""`coiled-pulumi local quota`, `approve` and `no-capacity`, on the running local AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from coiled_pulumi.cli import app
from coiled_pulumi.local import state
from coiled_pulumi.local.limits import QUOTAS

CODE = "L-A4707A72"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    monkeypatch.setenv(state.HOME_VARIABLE, str(aws.record.home))

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = app.run(["local", *arguments])
        return Done(code, *capsys.readouterr())

    return run


def test_a_quota_is_set_in_one_region(aws: Any, cli: Callable[..., Done]) -> None:
    quota = {"ServiceCode": "vpc", "QuotaCode": CODE}
    done = cli("quota", CODE, "7", "--region", REGION)
    assert done == Done(0, f"Internet gateways per Region: {QUOTAS[CODE].here:g} -> 7 in {REGION}\n", "")
    values = [
        aws.client("service-quotas", region).get_service_quota(**quota)["Quota"]["Value"]
        for region in (REGION, "us-east-1")
    ]
    assert values == [7, QUOTAS[CODE].here]
    done = cli("quota", CODE, str(QUOTAS[CODE].here), "--region", REGION, "--json")
    assert json.loads(done.out) == {
        "version": 1,
        "code": CODE,
        "name": QUOTAS[CODE].name,
        "region": REGION,
        "before": 7.0,
        "value": float(QUOTAS[CODE].here),
    }


def test_wishes_are_approved_one_by_one_or_all(aws: Any, cli: Callable[..., Done]) -> None:
    quotas = aws.client("service-quotas", REGION)
    wishes = [
        quotas.request_service_quota_increase(ServiceCode="ec2", QuotaCode=code, DesiredValue=500_000)[
            "RequestedQuota"
        ]["Id"]
        for code in ("L-1216C47A", "L-34B43A08")
    ]
    done = cli("approve", wishes[1])
    assert done == Done(0, f"L-34B43A08 is 500000 in {REGION} (request {wishes[1]})\n", "")
    assert cli("approve", "--all").out == f"L-1216C47A is 500000 in {REGION} (request {wishes[0]})\n"
    assert cli("approve", "--all").out == "no wish is pending\n"


def test_a_type_runs_out_and_comes_back(cli: Callable[..., Done]) -> None:
    short = ("no-capacity", "--type", "r5.large", "--zone", "us-east-1f")
    assert cli(*short).out == "no r5.large in us-east-1f\n"
    assert json.loads(cli(*short, "--json").out)["shortages"] == [["r5.large", "us-east-1f"]]
    assert cli(*short, "--clear").out == "every zone has every type\n"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("quota", "L-1", "5"), "error: the local AWS has no quota 'L-1'"),
        (("quota", CODE, "5", "--region", "mars-1"), "error: there is no region 'mars-1'"),
        (("quota", CODE, "-5"), "error: no such option: -5"),
        (("approve",), "error: name one wish, or say --all"),
        (("approve", "one", "--all"), "error: name one wish, or say --all"),
        (("approve", "one"), "error: nobody asked for 'one'"),
        (("no-capacity", "--type", "m6i.large", "--zone", "x"), "error: there is no region ''"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    cli: Callable[..., Done], arguments: tuple[str, ...], what: str
) -> None:
    done = cli(*arguments)
    assert (done.code, done.err.splitlines()[0]) == (2, what)


def test_where_nothing_runs(
    cli: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv(state.HOME_VARIABLE, str(tmp_path_factory.mktemp("empty")))
    assert cli("quota", CODE, "5") == Done(
        2, "", "error: the local AWS is not running\nhint: coiled-pulumi local up\n"
    )
