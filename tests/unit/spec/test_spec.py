"""The models: defaults are contract."""

import pytest

from coiled_pulumi.spec import load, rules
from coiled_pulumi.spec.disk import Disk
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.machines import ROLES, resolve
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.schema import stack_file_schema, workspace_schema
from coiled_pulumi.spec.settled import settle
from coiled_pulumi.spec.workspace import Workspace


def _spec(**values) -> Workspace:
    return load.validate({"name": "dev", **values}, source="f").workspace


#: Nothing said, by level.
OPTIONS = dict.fromkeys(Options.model_fields)
DISK = dict.fromkeys(Disk.model_fields)
MACHINE = {**dict.fromkeys(Machine.model_fields), "disk": DISK}


def test_what_a_file_leaves_out_is_not_said():
    assert _spec(clusters={"main": {}}).model_dump() == {
        **OPTIONS,
        "name": "dev",
        "account": None,
        "network": {
            "cidr": "10.0.0.0/16",
            "zones": None,
            "nat": "gateway",
            "existing": None,
            "layout": 1,
        },
        "logs": {"retention_days": 30},
        "iam": {"instance_policies": (), "s3": ()},
        "tags": {},
        "clusters": {
            "main": {
                **OPTIONS,
                "n_workers": (4, 4),
                "scheduler": MACHINE,
                "worker": MACHINE,
                "worker_groups": {},
                "idle_timeout": 1200,
                "no_client_timeout": 0,
                "cluster_timeout": 0,
                "scheduler_timeout": 300,
                "tags": {},
                "rotation": 0,
                "packages": None,
                "python": None,
                "container": None,
                "environ": {},
                "dask_config": {},
            }
        },
    }


def test_defaults():
    spec = _spec(clusters={"main": {}})
    settled = settle(spec, spec.clusters["main"])

    assert (settled.region, settled.zone) == ("us-east-1", "us-east-1a")
    assert [rule.model_dump() for rule in settled.ingress] == [
        {"ports": ("22", "8787", "8786"), "cidr": "0.0.0.0/0"}
    ]
    assert [
        (machine.types, machine.architecture, machine.image, machine.disk_size)
        for machine in (resolve(Machine(), role, settled) for role in ROLES)
    ] == [
        (("m6i.xlarge",), "x86_64", "AL2023", 30),
        (("m6i.xlarge", "m5.xlarge"), "x86_64", "AL2023", 100),
    ]


def test_frozen():
    with pytest.raises(ValueError, match="frozen"):
        _spec().name = "other"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"ports": [22, "8787", "8000-8100"], "cidr": "me"}, (("22", "8787", "8000-8100"), "me")),
        ({"ports": ["80-80"], "cidr": "192.0.2.1"}, (("80",), "192.0.2.1/32")),
        ({"ports": [1, 65535], "cidr": "0.0.0.0/0"}, (("1", "65535"), "0.0.0.0/0")),
        ({"ports": [22], "cidr": "192.0.2.0/255.255.255.0"}, (("22",), "192.0.2.0/24")),
    ],
)
def test_ingress_is_read_into_one_form(written, read):
    (rule,) = _spec(ingress=[written]).ingress

    assert (rule.ports, rule.cidr) == read


def test_tags_are_sorted():
    assert list(_spec(tags={"b": "1", "a": "2"}).tags) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "zone", "zones"),
    [
        ({"region": "eu-west-1"}, "eu-west-1a", ("eu-west-1a", "eu-west-1b", "eu-west-1c")),
        ({"network": {"zones": ["us-east-1c", "us-east-1a"]}}, "us-east-1a", ("us-east-1a", "us-east-1c")),
        ({"zone": "us-east-1c", "network": {"zones": ["us-east-1c"]}}, "us-east-1c", ("us-east-1c",)),
    ],
)
def test_zones(values, zone, zones):
    spec = _spec(**values)

    assert (rules.default_zone(spec), rules.zones_of(spec)) == (zone, zones)


@pytest.mark.parametrize(
    ("prefix", "workers", "schedulers"), [(16, 8187, 1018), (17, 4091, 506), (20, 507, 58), (22, 123, 10)]
)
def test_room_in_the_subnets_of_a_zone(prefix, workers, schedulers):
    network = {"cidr": f"10.0.0.0/{prefix}"}
    many = {f"c{i}": {"n_workers": 1} for i in range(schedulers)}
    assert _spec(network=network, clusters={"main": {"n_workers": workers}})
    if schedulers <= workers:
        assert _spec(network=network, clusters=many)

    with pytest.raises(load.SpecErrors, match="must fit the public subnet"):
        _spec(network=network, clusters={**many, "one-more": {"n_workers": 1}})
    if workers < 8187:
        with pytest.raises(load.SpecErrors, match="must fit the private subnet"):
            _spec(network=network, clusters={"main": {"n_workers": workers + 1}})


def test_schema_describes_every_key():
    schema = workspace_schema()
    parts = [schema, *schema["$defs"].values()]

    assert [
        key for part in parts for key, value in part["properties"].items() if "description" not in value
    ] == []
    assert all(part["additionalProperties"] is False for part in parts)


def test_stack_file_schema_leaves_other_keys_to_pulumi():
    schema = stack_file_schema()

    assert "additionalProperties" not in schema
    assert "additionalProperties" not in schema["properties"]["config"]
    assert schema["required"] == ["config"]
