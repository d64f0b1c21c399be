"""`coiled-pulumi local status`, `kill` and `spot-interrupt`, where instances really run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coiled_pulumi.cli import app
from coiled_pulumi.local import state


@pytest.fixture
def cli(
    hosted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv(state.HOME_VARIABLE, str(hosted.record.home))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = app.run(["local", *arguments])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def instances(hosted: Any) -> Iterator[list[str]]:
    """One on demand and one spot instance, both up."""
    subnet, spot = hosted.subnet(), {"InstanceMarketOptions": {"MarketType": "spot"}}
    made = [hosted.run(SubnetId=subnet, **more)[0]["InstanceId"] for more in ({}, spot)]
    hosted.until(lambda: all(hosted.host(one) == "up" for one in made))
    yield made
    hosted.ec2.terminate_instances(InstanceIds=made)


def test_status_says_what_really_runs(instances: list[str], cli: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = cli("status")
    assert code == 0
    assert re.search(
        r"^hosts: \d+ running on loopback addresses \(it was asked for\), 0 only on paper$", out, re.M
    )
    found = json.loads(cli("status", "--json")[1])["hosts"]
    assert (found["mode"], found["limit"], found["on_paper"]) == ("loopback", 12, 0)
    mine = {one["id"]: one for one in found["instances"] if one["id"] in instances}
    assert [mine[name]["host"] for name in instances] == ["up", "up"]
    assert mine[instances[0]].keys() == {
        "id",
        "region",
        "type",
        "private",
        "public",
        "host",
        "folder",
        "tags",
    }


def test_status_without_hosts(
    aws: Any, cli: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(state.HOME_VARIABLE, str(aws.record.home))
    assert re.search(r"^hosts: off \(switched off\), \d+ only on paper$", cli("status")[1], re.M)


def test_kill(hosted: Any, instances: list[str], cli: Callable[..., tuple[int, str, str]]) -> None:
    said = f"{instances[0]} is terminated (Server.InternalError)\n"
    assert cli("kill", instances[0]) == (0, said, "")
    code, _, err = cli("kill", instances[0])
    assert (code, err) == (
        2,
        f"error: no instance '{instances[0]}' is running\nhint: coiled-pulumi local status --json\n",
    )


def test_spot_interrupt(hosted: Any, instances: list[str], cli: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = cli("spot-interrupt", instances[0])
    assert (code, f"{instances[0]} is no spot instance" in err) == (2, True)
    code, out, _ = cli("spot-interrupt", instances[1], "--after", "0", "--json")
    assert (code, json.loads(out)["instance"]) == (0, instances[1])
    hosted.until(lambda: hosted.instance(instances[1])["State"]["Name"] == "terminated")
