"""What is shown while workers are waited for, and what is said when they do not come."""

import pickle
from datetime import UTC, datetime

import pytest
from rich.console import Console as Rich

from coiled_pulumi.aws import workers as aws_workers
from coiled_pulumi.aws.capacity import Activity, Counted, Seen, TakeOnDemand, Workers, reduce
from coiled_pulumi.aws.faults import Fault
from coiled_pulumi.cli import workers as views
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import WorkersMissingError
from coiled_pulumi.ops import workers
from coiled_pulumi.ops.events import Progress

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUOTA = Fault("VcpuLimitExceeded", "the quota of vCPUs is used up", "ask for more", "quota", "L-1216C47A")


class Clock:
    """Time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def state(cluster="main", wanted=3, in_service=1, *, failed=True) -> Workers:
    made = Workers(cluster, "g", wanted, BEGAN)
    launches = (Activity("a", BEGAN, "failed", QUOTA),) if failed else ()
    reduce(made, Seen(wanted, in_service, 0, launches=launches), 0.0)
    return made


def test_lines_where_there_is_no_terminal(capsys):
    clock, one = Clock(), state(failed=False)
    with views.view(Console(), clock=clock) as on_look:
        on_look({"main": one}, [])
        clock.now = 1.5
        on_look({"main": one}, [Counted("main", 1, 3, "waiting"), TakeOnDemand("main", "g", 2, 2, QUOTA)])
        clock.now = 11.4
        on_look({"main": one}, [])
        clock.now = 11.5
        on_look({"main": one}, [])

    assert capsys.readouterr().err.splitlines() == [
        "   1.5s   main: 1 of 3 workers",
        "   1.5s ! main: 2 workers are started on-demand instead of spot: the quota of vCPUs is used up",
        "  11.5s   waiting for 2 of 3 workers of main",
    ]


def test_a_bar_per_cluster_on_a_terminal():
    picture = {
        "main": state(),
        "all": state("all", 4, 4, failed=False),
        "none": state("none", 0, 0, failed=False),
    }
    rich = Rich(width=80, color_system=None)
    with rich.capture() as shown:
        rich.print(views.tree_of(picture, 7.0))

    assert [line.rstrip() for line in shown.get().splitlines()] == [
        "workers 7 s",
        f"├── {'━' * 20} 4/4 all",
        f"├── {'━' * 20} 1/3 main",
        "│   └── 1 failed the quota of vCPUs is used up",
        f"└── {'━' * 20} 0/0 none",
    ]


def test_who_has_all_workers_hears_nothing_more():
    workers.require({"main": state(in_service=3, failed=False)})
    workers.require({})


def test_missing_workers_are_an_error_with_the_reason_and_the_next_step():
    with pytest.raises(WorkersMissingError) as caught:
        workers.require({"main": state(), "all": state("all", 4, 4, failed=False)})
    error = caught.value

    assert (error.exit_code, error.what) == (
        4,
        "main: 1 of 3 workers started; 2 failed: the quota of vCPUs is used up",
    )
    first, last = error.hint.splitlines()
    assert first == "ask for more"
    assert "stays and can be used" in last
    assert last.endswith("`coiled-pulumi up` waits again")
    reason = {
        "times": 1,
        "code": "VcpuLimitExceeded",
        "what": QUOTA.what,
        "hint": QUOTA.hint,
        "quota": "L-1216C47A",
    }
    assert error.workers == {
        "all": {"wanted": 4, "in_service": 4, "reasons": []},
        "main": {"wanted": 3, "in_service": 1, "reasons": [reason]},
    }
    assert pickle.loads(pickle.dumps(error)).workers == error.workers  # noqa: S301 our own bytes


def test_a_run_without_outputs_has_no_workers_to_wait_for():
    assert workers.groups(Progress()) == ("", {})


def test_a_run_of_a_cluster_beside_the_file_has_its_workers_to_wait_for():
    group = "dev-cluster-mine-workers-1a2b3c4"
    cluster = dict.fromkeys(("zone", "scheduler_id", "scheduler_address", "scheduler_private_address"), "")
    record = {
        "workspace": "dev",
        "region": "us-east-1",
        "name": "mine",
        "cluster": {
            **cluster,
            "n_workers": 2,
            "worker_group": group,
            "groups": {"workers": {"name": group, "least": 2, "most": 2, "runtime": False}},
            "rotation": 0,
        },
        "config": {},
        "version": 3,
    }
    found = workers.groups(Progress(outputs={"cluster": record}))
    assert found == ("us-east-1", {"mine": ("dev-cluster-mine-workers-1a2b3c4", 2)})


@pytest.mark.parametrize(
    ("group", "quota"),
    [
        ({"Instances": [{"InstanceType": "g4dn.xlarge"}]}, "L-DB2E81BA"),
        ({"Instances": [{"InstanceType": "m6i.large"}]}, "L-1216C47A"),
        (
            {
                "Instances": [],
                "MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{"InstanceType": "p3.2xlarge"}]}},
            },
            "L-417A185B",
        ),
        ({"Instances": []}, "L-1216C47A"),
    ],
    ids=["running", "standard", "listed", "unknown"],
)
def test_the_quota_that_is_used_up_is_that_of_the_groups_type(group, quota):
    said = (
        "You have requested more vCPU capacity than your current vCPU limit of 8 allows (VcpuLimitExceeded)"
    )
    assert aws_workers.explained(f"VcpuLimitExceeded: {said}", aws_workers.type_of(group)).quota == quota
