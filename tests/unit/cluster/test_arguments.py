"""What the arguments of `Cluster` come to: values as a workspace file would have them, and valid ones."""

from datetime import timedelta

import pytest

from coiled_pulumi.cluster.arguments import UNSET, Arguments, awaited, bounds
from coiled_pulumi.errors import UsageError
from coiled_pulumi.spec import load

WORKSPACE = load.declared({"name": "lab"})


def wanted(**given):
    """Give what is asked for besides the timer that is always said, and check that the file's rules take it."""
    made = Arguments(**given).wanted()
    load.validate_cluster("mine", made, workspace=WORKSPACE)
    return {key: value for key, value in made.items() if key != "no_client_timeout"}


def test_nothing_said_is_nothing_asked():
    assert wanted() == {}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"n_workers": 20}, {"n_workers": 20}),
        ({"n_workers": (0, 20)}, {"n_workers": [0, 20]}),
        ({"worker_cpu": 8, "worker_memory": "64 GiB"}, {"worker": {"cpu": 8, "memory": "64 GiB"}}),
        ({"worker_cpu": (2, 8)}, {"worker": {"cpu": [2, 8]}}),
        ({"worker_types": ("m6i.xlarge",)}, {"worker": {"instance_type": ["m6i.xlarge"]}}),
        ({"worker_gpu": True}, {"worker": {"gpu": 1}}),
        ({"worker_disk_size": 200}, {"worker": {"disk": {"size": 200}}}),
        ({"scheduler_types": "m6i.xlarge"}, {"scheduler": {"instance_type": "m6i.xlarge"}}),
        ({"spot_policy": "on-demand"}, {"spot": False}),
        ({"spot_policy": "spot_with_fallback"}, {"spot": True, "spot_on_demand_fallback": True}),
        ({"region": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"environ": {"A": 1, "B": "ä"}}, {"environ": {"A": "1", "B": "ä"}}),
        ({"tags": {"team": 7, "empty": ""}}, {"tags": {"team": "7"}}),
        ({"packages": ("pandas==2.2.3",), "python": "3.12"}, {"packages": ["pandas==2.2.3"], "python": "3.12"}),
        ({"container": "ghcr.io/dask/dask:latest"}, {"container": "ghcr.io/dask/dask:latest"}),
        ({"idle_timeout": "1h", "cluster_timeout": 3600}, {"idle_timeout": "1h", "cluster_timeout": 3600}),
        ({"idle_timeout": timedelta(minutes=1.5)}, {"idle_timeout": 90}),
        ({"dask_config": {"distributed": {"worker": {}}}}, {"dask_config": {"distributed": {"worker": {}}}}),
    ],
)  # fmt: skip
def test_arguments_become_keys_of_a_cluster(given, made):
    assert wanted(**given) == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, "2 minutes"),
        ({"idle_timeout": "1h"}, "1h"),
        ({"no_client_timeout": "10 minutes", "idle_timeout": "1h"}, "10 minutes"),
        ({"no_client_timeout": None}, "never"),
        ({"shutdown_on_close": False}, "never"),
        ({"shutdown_on_close": False, "no_client_timeout": "1h"}, "1h"),
        ({"no_client_timeout": UNSET}, "2 minutes"),
    ],
)
def test_a_cluster_of_a_session_ends_without_its_client(given, made):
    assert Arguments(**given).wanted()["no_client_timeout"] == made


def test_backend_options_come_in_coileds_form_and_arguments_count_before_them():
    options = {
        "region_name": "eu-west-1",
        "zone_name": "eu-west-1a",
        "spot": True,
        "firewall": {"ports": [22], "cidr": "10.0.0.0/8"},
    }
    assert wanted(backend_options=options) == options
    assert wanted(backend_options=options, region="us-west-2") == {
        "region": "us-west-2", "spot": True, "firewall": {"ports": [22], "cidr": "10.0.0.0/8"},
    }  # fmt: skip
    made = wanted(backend_options=options, zone="eu-west-1b", spot_policy="on-demand")
    assert (made["zone"], made["region_name"], made["spot"]) == ("eu-west-1b", "eu-west-1", False)
    assert "zone_name" not in made


def test_worker_groups_take_the_names_of_arguments_and_those_of_the_file():
    groups = {
        "gpu": {
            "n_workers": (0, 4),
            "worker_gpu": 1,
            "worker_types": ["g4dn.xlarge"],
            "resources": {"GPU": 1},
        },
        "big": {"memory": "256 GiB", "worker_disk_size": 500, "cpu": None},
    }
    assert wanted(worker_groups=groups)["worker_groups"] == {
        "gpu": {"n_workers": [0, 4], "gpu": 1, "instance_type": ["g4dn.xlarge"], "resources": {"GPU": 1}},
        "big": {"memory": "256 GiB", "disk": {"size": 500}},
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"spot_policy": "cheap"},
            "spot_policy must be one of on-demand, spot, spot_with_fallback, got 'cheap'",
        ),
        ({"backend_options": "spot"}, "backend_options must be a mapping"),
        ({"worker_groups": {"a": 3}}, "worker_groups: a must be a mapping"),
        ({"worker_groups": {"a": {"cpu": 1, "worker_cpu": 2}}}, "worker_groups: a says cpu twice"),
    ],
)
def test_what_has_no_meaning_is_refused(given, said):
    with pytest.raises(UsageError, match=said.split(", got")[0].replace("(", r"\(")):
        Arguments(**given).wanted()


@pytest.mark.parametrize(
    ("wait", "total", "count"),
    [(True, 7, 7), (False, 7, 0), (None, 7, 0), (3, 7, 3), (0.3, 10, 3), (0.3, 7, 3), (0.3, 0, 0), (1.0, 7, 7),
     (0, 7, 0), (1, 7, 1)],
)  # fmt: skip
def test_how_many_are_waited_for(wait, total, count):
    assert awaited(wait, total) == count


@pytest.mark.parametrize("wait", [8, -1, 1.5, "all", -0.1])
def test_who_waits_for_what_cannot_be_is_told(wait):
    with pytest.raises(UsageError, match="wait_for_workers must be"):
        awaited(wait, 7)


@pytest.mark.parametrize(
    ("given", "made"), [(4, None), (None, None), ((1, 4), (1, 4)), ([0, 1], (0, 1)), ((3, 3), None)]
)
def test_only_a_range_scales_by_itself(given, made):
    assert bounds(given) == made
