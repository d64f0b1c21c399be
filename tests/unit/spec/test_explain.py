"""What `explain` says is what the plan has, for every backend option and every two levels that say it."""

import itertools
import re

import pytest

from coiled_pulumi.errors import UsageError
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import aliases, explain, load, reference
from coiled_pulumi.spec.dask_config import Config
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.settled import DEFAULTS
from coiled_pulumi.spec.workspace import Workspace

#: Two values of each option that no default has, and that go together with nothing else said.
VALUES = {
    "zone": ("us-east-1b", "us-east-1c"),
    "ingress": ([{"ports": [8786], "cidr": "10.0.0.0/8"}], [{"ports": [22], "cidr": "192.0.2.0/24"}]),
    "spot": (True, True),
    "spot_on_demand_fallback": (True, True),
    "spot_on_demand_base": (1, 2),
    "keypair_name": ("one", "two"),
    "use_placement_group": (True, True),
    "ami_id": ("ami-0123456789abcdef0", "ami-0123456789abcdef1"),
    "agent": tuple(f"https://host/agent.whl#sha256={digit * 64}" for digit in "12"),
    "ami_version": ("DL", "DL"),
    "use_scheduler_public_ip": (False, False),
    "capacity_reservation_id": ("cr-0123456789abcdef0", "cr-0123456789abcdef1"),
    "disk.size": (90, 91),
    "disk.throughput": (130, 140),
    "disk.iops": (4000, 5000),
}
#: From the strongest to the weakest; the workers' own word is only for disks.
LEVELS = ("machine", "cluster", "workspace", "config")
#: Said in the workspace, where the options that are about spot machines need it.
NEEDS = {"spot_on_demand_fallback": {"spot": True}, "spot_on_demand_base": {"spot": True}}
PLACES = {"machine": "x", "cluster": "x", "workspace": "x", "config": "here:1"}


def loaded(said: dict, needs: dict) -> load.Loaded:
    """A workspace in which levels say options, as pairs of a leaf and its value."""

    def keys(level: str) -> dict:
        if level not in said:
            return {}
        name, value = said[level]
        outer, _, inner = name.partition(".")
        return {outer: {inner: value} if inner else value}

    cluster = keys("cluster") | ({"worker": keys("machine")} if "machine" in said else {})
    value = {"name": "dev", **needs, **keys("workspace"), "clusters": {"main": cluster}}
    normal = aliases.options(keys("config"), (), aliases.Normal(None))
    config = Config(Options.model_validate(normal, strict=False), dict.fromkeys(normal, "here:1"))
    return load.validate(value, source="x", config=config)


def planned(workspace: Workspace, name: str) -> object:
    """What the plan has for an option of the cluster `main`, in the form of a file."""
    plan = build(workspace)
    (cluster,) = plan.clusters
    market, template = cluster.workers.market, cluster.workers.template
    rules = [rule for rule in plan.security.rules if rule.group == "scheduler-group"]
    rules = list(cluster.security.rules) or rules
    return {
        "zone": cluster.zone,
        "ingress": sorted((rule.from_port, rule.peer) for rule in rules),
        "spot": market.spot,
        "spot_on_demand_fallback": market.fallback,
        "spot_on_demand_base": market.on_demand_base,
        "keypair_name": template.key_name,
        "use_placement_group": cluster.placement is not None,
        "ami_id": template.image if template.image.startswith("ami-") else None,
        "agent": found[1] if (found := re.search(r"'(https://host/.*)'", template.user_data)) else None,
        "ami_version": "DL" if "dl" in template.image else "AL2023",
        "use_scheduler_public_ip": cluster.scheduler.public_address,
        "capacity_reservation_id": template.capacity_reservation,
        "disk.size": template.disk.size,
        "disk.throughput": template.disk.throughput,
        "disk.iops": template.disk.iops,
    }[name]


def told(one: explain.Explained, name: str) -> object:
    if name == "ingress":
        return sorted((port, rule["cidr"]) for rule in one.value for port in rule["ports"])
    return "AL2023" if name == "ami_version" and one.value is None else one.value


def pairs() -> list:
    found = []
    for name in VALUES:
        levels = LEVELS if name.startswith("disk.") else LEVELS[1:]
        found += [(name, pair) for pair in itertools.combinations(levels, 2)]
        found += [(name, (level,)) for level in levels] + [(name, ())]
    return found


@pytest.mark.parametrize(("name", "levels"), pairs(), ids=str)
def test_explain_agrees_with_the_plan(name, levels):
    values = dict(zip(levels, VALUES[name], strict=False))
    said = {level: (name, value) for level, value in values.items()}
    found = loaded(said, NEEDS.get(name, {}))

    path = f"clusters.main.{'worker.' if name.startswith('disk.') else ''}{name}"
    one = explain.explain(found, path)

    assert told(one, name) == planned(found.workspace, name)
    if not levels:
        assert (one.level, one.place, one.overridden) == ("default", "", ())
        return
    assert (one.level, one.value, one.place) == (levels[0], values[levels[0]], PLACES[levels[0]])
    assert [(weaker.level, weaker.value, weaker.place) for weaker in one.overridden] == [
        (level, values[level], PLACES[level]) for level in levels[1:]
    ]


def test_every_backend_option_is_in_the_table():
    assert {*VALUES, "region"} == set(DEFAULTS)


@pytest.mark.parametrize(("levels", "region"), [((), "us-east-1"), (("config",), "us-west-2")])
def test_the_region_and_its_first_zone(levels, region):
    found = loaded(dict.fromkeys(levels, ("region", region)), {})

    assert explain.explain(found, "region").value == build(found.workspace).region == region
    zone = explain.explain(found, "clusters.main.zone")
    assert (zone.value, zone.level, zone.note) == (f"{region}a", "default", f"the first of {region}")


def test_a_zone_of_a_region_that_does_not_count_is_told_as_such():
    found = loaded({"workspace": ("region", "us-west-2"), "config": ("zone", "us-east-1b")}, {})
    zone = explain.explain(found, "zone")

    assert (zone.value, zone.level) == ("us-west-2a", "default")
    assert zone.overridden == (explain.Said("config", "us-east-1b", "here:1", "of another region"),)


FILE = """\
config:
  coiled:workspace:
    name: dev
    region_name: us-west-2
    firewall: {ports: [8786, 8787], cidr: me}
    tags: {a.b: x}
    network:
      nat: none
    clusters:
      main:
        zone_name: us-west-2b
        disk:
          size: 80
        worker:
          cpu: [4, 8]
          memory: 32 GiB
      gpu:
        worker:
          gpu: 1
        scheduler:
          instance_type: [m6i.large, m5.large]
"""


@pytest.fixture(scope="module")
def file() -> load.Loaded:
    return load.parse(FILE, source="dev.yaml")


@pytest.mark.parametrize(
    ("path", "value", "level", "line"),
    [
        ("name", "dev", "workspace", 3),
        ("account", None, "default", 0),
        ("region", "us-west-2", "workspace", 4),
        ("region_name", "us-west-2", "workspace", 4),
        ("ingress", [{"ports": [8786, 8787], "cidr": "me"}], "workspace", 5),
        ("ingress[0].ports[1]", 8787, "workspace", 5),
        ("clusters.main.firewall[0].cidr", "me", "workspace", 5),
        ("tags.a.b", "x", "workspace", 6),
        ("network.nat", "none", "workspace", 8),
        ("network.cidr", "10.0.0.0/16", "default", 0),
        ("network.zones[1]", "us-west-2b", "default", 0),
        ("logs.retention_days", 30, "default", 0),
        ("clusters.main.zone", "us-west-2b", "cluster", 11),
        ("clusters.gpu.zone", "us-west-2a", "default", 0),
        ("clusters.main.n_workers", 4, "default", 0),
        ("clusters.main.scheduler.disk.size", 80, "cluster", 13),
        ("clusters.main.worker.cpu", [4, 8], "machine", 15),
        ("clusters.main.worker.memory", "32 GiB", "machine", 16),
        ("clusters.gpu.worker.memory", None, "default", 0),
        ("clusters.gpu.worker.gpu", 1, "machine", 19),
        ("clusters.gpu.worker.disk.size", 100, "default", 0),
        ("clusters.gpu.scheduler.disk.size", 30, "default", 0),
        ("clusters.gpu.scheduler.instance_type", ["m6i.large"], "machine", 21),
    ],
)
def test_a_key_is_told_with_its_line(file, path, value, level, line):
    one = explain.explain(file, path)

    assert (one.value, one.level, one.place) == (value, level, f"dev.yaml:{line}" if line else "")


def test_chosen_types_are_those_of_the_plan_with_what_was_asked(file):
    plans = {cluster.name: cluster for cluster in build(file.workspace).clusters}
    for name, cluster in plans.items():
        worker = explain.explain(file, f"clusters.{name}.worker.instance_type")
        scheduler = explain.explain(file, f"clusters.{name}.scheduler.instance_type")
        assert (tuple(worker.value), scheduler.value) == (
            cluster.workers.instance_types,
            [cluster.scheduler.instance_type],
        )

    one = explain.explain(file, "clusters.main.worker.instance_type")
    assert (one.level, one.place) == ("machine", "dev.yaml:15")
    assert one.note == (
        "chosen for cpu [4, 8] (dev.yaml:15), memory 32 GiB (dev.yaml:16), of what us-west-2b offers: "
        "the fewest vCPUs, then the least memory, then the newest generation"
    )


SOFTWARE = """\
name: dev
clusters:
  main:
    n_workers: [0, 20]
    idle_timeout: 7200
    environ: {TOKEN: geheim, OTHER: {secure: "v1:geheim"}}
    packages: [pandas==2.2.3]
    worker_groups:
      big:
        n_workers: 3
        memory: 64 GiB
        resources: {BIG: 1}
"""


@pytest.mark.parametrize(
    ("path", "value", "level", "line"),
    [
        ("n_workers", [0, 20], "cluster", 4),
        ("n_workers[1]", 20, "cluster", 4),
        ("idle_timeout", "2 hours", "cluster", 5),
        ("cluster_timeout", "never", "default", 0),
        ("scheduler_timeout", "5 minutes", "default", 0),
        ("environ", {"TOKEN": "(set)", "OTHER": "(set)"}, "cluster", 6),
        ("environ.TOKEN", "(set)", "cluster", 6),
        ("packages[0]", "pandas==2.2.3", "cluster", 7),
        ("worker_groups.big.n_workers", 3, "group", 10),
        ("worker_groups.big.memory", "64 GiB", "machine", 11),
        ("worker_groups.big.resources", {"BIG": 1}, "group", 12),
        ("worker_groups.big.disk.size", 100, "default", 0),
        ("rotation", 0, "default", 0),
    ],
)
def test_what_runs_on_the_machines(path, value, level, line):
    one = explain.explain(load.parse(SOFTWARE, source="dev.yaml"), f"clusters.main.{path}")

    assert (one.value, one.level, one.place) == (value, level, f"dev.yaml:{line}" if line else "")


def test_no_value_of_a_variable_is_told():
    loaded = load.parse(SOFTWARE, source="dev.yaml")
    told = [explain.explain(loaded, path) for path in explain.paths(loaded)]

    assert "geheim" not in repr(told + explain.below(loaded, "clusters.main"))
    assert "clusters.main.worker_groups.big.cpu" in explain.paths(loaded)
    with pytest.raises(UsageError) as caught:
        explain.explain(loaded, "clusters.main.environ.TOKN")
    assert "geheim" not in str(caught.value)


def test_a_group_that_is_not_there_is_refused_with_what_is_near():
    loaded = load.parse(SOFTWARE, source="dev.yaml")

    with pytest.raises(UsageError) as caught:
        explain.explain(loaded, "clusters.main.worker_groups.bog.cpu")
    assert str(caught.value) == "cluster main has no group of workers 'bog'\nhint: did you mean big"


def test_every_path_that_completion_offers_can_be_explained(file):
    for path in explain.paths(file):
        assert explain.explain(file, path).key.description, path
    assert "clusters.gpu.worker.cpu" in explain.paths(file)


@pytest.mark.parametrize(
    ("path", "what", "hint"),
    [
        ("regoin", "regoin: 'regoin' is not a known key", "did you mean region"),
        ("firewal", "firewal: 'firewal' is not a known key", "did you mean firewall"),
        ("network.net", "network.net: 'net' is not a known key", "did you mean nat"),
        ("logs.x", "logs.x: 'x' is not a known key", "known are retention_days"),
        ("clusters.mian.zone", "dev.yaml has no cluster 'mian'", "did you mean main"),
        ("clusters.main.wrker.cpu", "clusters.main.wrker.cpu: 'wrker' is not a known key", "did you mean worker"),
        ("ingress[7]", "ingress[7]: ingress has no 7", "it is [{ports: [8786, 8787], cidr: me}]"),
        ("tags.q", "tags.q: tags has no 'q'", "it is {a.b: x}"),
        ("a..b", "must be a path of the workspace file, got 'a..b'", "as in clusters.main.worker.cpu"),
        ("", "must be a path of the workspace file, got ''", "as in clusters.main.worker.cpu"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_what_is_near(file, path, what, hint):
    with pytest.raises(UsageError) as caught:
        explain.explain(file, path)

    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_below_a_mapping_is_every_value_in_it(file):
    def below(path):
        return [one.path for one in explain.below(file, path)]

    assert below("network") == ["network.cidr", "network.zones", "network.nat", "network.layout"]
    assert below("disk") == ["disk.size", "disk.throughput", "disk.iops"]
    assert below("region") == []
    assert {path.split(".")[1] for path in below("clusters")} == {"main", "gpu"}


def test_an_existing_network_has_none_of_our_own_keys():
    value = {
        "name": "dev",
        "network": {
            "existing": {
                "vpc_id": "vpc-0123456789abcdef0",
                "subnets": {"us-east-1a": {"private": "subnet-0123456789abcdef0"}},
            }
        },
    }
    found = load.validate(value, source="x")

    assert explain.explain(found, "network.nat").note == "the network is an existing one"
    assert [one.path for one in explain.below(found, "network.existing")] == [
        "network.existing.vpc_id",
        "network.existing.subnets.us-east-1a.private",
        "network.existing.subnets.us-east-1a.public",
    ]


def test_every_key_of_every_model_says_what_it_is_and_what_a_change_does():
    keys = reference.keys().values()
    assert [key.text for key in keys if not key.description] == []
    assert [key.text for key in keys if not key.inner and not key.on_change] == []
    assert [key.text for key in keys if not key.inner and not (key.default or key.required)] == []


def test_what_docstrings_say_of_defaults_is_true():
    """A default that is a value stands in words too: the words have to begin with it."""
    wrong = []
    for name, field in Options.model_fields.items():
        default = DEFAULTS.get(name)
        text = " ".join((field.description or "").split()).partition("Default: ")[2]
        if default is not None and name != "ingress":
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            wrong += [] if text == f"{shown}." else [(name, text)]
    assert wrong == []
