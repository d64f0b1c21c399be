"""What the agent says, and what a user's configuration can't do."""

import json
import os

import dask.config
import pytest

from coiled_pulumi.node import dask_run
from coiled_pulumi.node.dask_run import Limits

LEAST = {"name": "i-1", "address": "10.0.0.4", "workspace": "lab", "cluster": "main"}


@pytest.fixture(autouse=True)
def _configuration(monkeypatch):
    monkeypatch.delenv("DASK_INTERNAL_INHERIT_CONFIG", raising=False)
    with dask.config.set({}):
        before = json.loads(json.dumps(dask.config.config))
        yield
    dask.config.config.clear()
    dask.config.config.update(before)
    os.environ.pop("DASK_INTERNAL_INHERIT_CONFIG", None)


def _run(folder, **said) -> dask_run.Run:
    (folder / "run.json").write_text(json.dumps(LEAST | said))
    return dask_run.load({"COILED_PULUMI_RUN": str(folder)})


def test_the_least_that_is_said(tmp_path):
    run = _run(tmp_path, version=9, role="worker", memory_limit=None)
    assert (run.port, run.dashboard_port) == (8786, 8787)
    assert (run.worker_ports, run.nanny_ports) == ("40000:40099", "40100:40199")
    assert (run.limits, run.resources, run.unit) == (Limits(lost_scheduler=300.0), {}, "lab/main")


def test_all_that_is_said(tmp_path):
    run = _run(
        tmp_path,
        timers={"idle": 5, "no_client": None, "lost_scheduler": 7, "lifetime": None, "new": 1},
        gpu=1,
        resources={"disk": 2},
        vpc_cidrs=["10.0.0.0/16"],
    )
    assert run.limits == Limits(idle=5, lost_scheduler=7)
    assert run.resources == {"disk": 2, "GPU": 1}
    assert run.vpc_cidrs == ("10.0.0.0/16",)
    assert _run(tmp_path, gpu=1, resources={"GPU": 0.5}).resources == {"GPU": 0.5}


@pytest.mark.parametrize("dash", ["-", "_"])
def test_a_configuration_can_not_switch_security_off(tmp_path, dash, caplog):
    said = {
        "distributed": {
            "comm": {f"require{dash}encryption": False, "tls": {"min-version": 1.2, "worker": {"key": "x"}}},
            "scheduler": {"http": {"routes": ["distributed.http.scheduler.api"]}, f"idle{dash}timeout": "1s"},
        },
        "mine": 1,
    }
    run = _run(tmp_path, dask=said)
    dask_run.configure(run)
    for key, value in dask_run.forced(tmp_path).items():
        assert dask.config.get(key) == value
    assert dask.config.get("mine") == 1
    assert "distributed.http.scheduler.api" not in dask.config.get("distributed.scheduler.http.routes")
    assert len([line for line in caplog.messages if "is not for clusters to choose" in line]) == 5
    inherited = dask.config.deserialize(os.environ["DASK_INTERNAL_INHERIT_CONFIG"])
    assert dask.config.get("mine", config=inherited) == 1


def test_what_json_can_not_say_is_no_failure(tmp_path):
    with dask.config.set({"when": object()}):
        dask_run.configure(_run(tmp_path))
        assert "DASK_INTERNAL_INHERIT_CONFIG" not in os.environ
