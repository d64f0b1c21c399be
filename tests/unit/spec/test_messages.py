"""How a mistake is told."""

import pytest

from coiled_pulumi.errors import MAX_ECHO, echo
from coiled_pulumi.spec import load
from coiled_pulumi.spec.base import suggest
from coiled_pulumi.spec.messages import known_keys, line_of
from coiled_pulumi.spec.workspace import Workspace

OPTIONS = [
    "region", "zone", "ingress", "spot", "spot_on_demand_fallback", "spot_on_demand_base", "keypair_name",
    "use_placement_group", "ami_id", "agent", "ami_version", "use_scheduler_public_ip", "capacity_reservation_id",
    "disk",
]  # fmt: skip
SIZES = [
    "n_workers", "scheduler", "worker", "worker_groups", "idle_timeout", "no_client_timeout", "cluster_timeout",
    "scheduler_timeout", "tags", "rotation",
]  # fmt: skip
SOFTWARE = ["packages", "python", "container", "environ", "dask_config"]
MACHINE = ["instance_type", "cpu", "memory", "gpu", "architecture", "disk"]
DISK = ["size", "throughput", "iops"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (False, "false"), (5, "5"), (-1.5, "-1.5"), ("", "''"),
        ("dev", "'dev'"),
        ("a\nb", "'a\\nb'"), ("\x1b[31m", "'\\x1b[31m'"), ("\u202e", "'\\u202e'"), ("ü", "'\\xfc'"),
        ([], "an empty list"), ([1], "a list"), ((1,), "a list"), ({}, "an empty mapping"),
        ({"a": 1}, "a mapping"),
    ],
)  # fmt: skip
def test_echo(value, text):
    assert echo(value) == text


@pytest.mark.parametrize("length", [MAX_ECHO - 2, MAX_ECHO - 1, MAX_ECHO, 10_000])
def test_echo_is_clipped(length):
    text = echo("x" * length)

    assert len(text) <= MAX_ECHO
    assert text.endswith("...") == (length > MAX_ECHO - 2)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ((), ["name", "account", *OPTIONS, "network", "logs", "iam", "tags", "clusters"]),
        (("network",), ["cidr", "zones", "nat", "existing", "layout"]),
        (("network", "existing"), ["vpc_id", "subnets"]),
        (("network", "existing", "subnets", "us-east-1a"), ["private", "public"]),
        (("disk",), DISK),
        (("iam",), ["instance_policies", "s3"]),
        (("iam", "s3", 0), ["bucket", "access"]),
        (("ingress", 3), ["ports", "cidr"]),
        (("logs",), ["retention_days"]),
        (("clusters", "any"), [*SIZES, *SOFTWARE, *OPTIONS]),
        (("clusters", "any", "worker_groups", "big"), [*MACHINE, "n_workers", "resources"]),
        (("clusters", "any", "environ"), []),
        (("clusters", "any", "worker"), MACHINE),
        (("clusters", "any", "scheduler", "disk"), DISK),
        (("clusters", "any", "disk"), DISK),
        (("tags",), []),
        (("network", "cidr"), []),
        (("nowhere", "at", "all"), []),
    ],
)
def test_known_keys(path, keys):
    assert known_keys(Workspace, path) == keys


def test_known_keys_are_lower_case_so_that_a_near_one_is_found_from_any_case():
    def walk(path):
        for key in known_keys(Workspace, path):
            assert key == key.lower()
            for inner in ((*path, key), (*path, key, 0), (*path, key, "x")):
                walk(inner)

    walk(())


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "did you mean a"), (["a", "b", "c"], "did you mean a, b or c")]
)
def test_suggest(words, text):
    assert suggest(words) == text


def test_line_of_the_nearest_thing_around():
    lines = {(): 1, ("network",): 3}

    assert line_of(lines, ("network", "cidr")) == 3
    assert line_of(lines, ("name",)) == 1
    assert line_of({}, ("name",)) == 0


def test_values_of_pulumi_have_no_lines():
    with pytest.raises(Exception, match=r"^Pulumi\.dev\.yaml: name: is required$"):
        load.validate({}, source="Pulumi.dev.yaml")


def test_hints_beyond_the_listed_problems_are_not_looked_for():
    value = {"name": "dev", **{f"regio{i:02}": 1 for i in range(30)}}
    with pytest.raises(load.SpecErrors) as caught:
        load.validate(value, source="f")

    assert [bool(problem.hint) for problem in caught.value.problems] == [True] * 20 + [False] * 10
