"""Cluster, then workspace, then dask's configuration, then the default: each option at each pair of levels.

The levels are written as people write them: the text of a workspace file, and a file or variables of dask's.
"""

import itertools
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from _support.dask_files import configured
from _support.updating import ROOT

from coiled_pulumi.errors import SpecErrors
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import dask_config, load, settled
from coiled_pulumi.spec.settled import DEFAULTS, LEVELS, settle

#: Three values of each leaf that differ from each other and from the default; text is YAML's own.
VALUES = {
    "region": ("eu-west-1", "us-west-2", "eu-central-1"),
    "zone": ("us-east-1b", "us-east-1c", "us-east-1d"),
    "ingress": (
        [{"ports": ["1"], "cidr": "192.0.2.1/32"}],
        [],
        {"ports": ["3", "4-5"], "cidr": "192.0.2.3/32"},
    ),
    "spot": (True, False, True),
    "spot_on_demand_fallback": (True, False, True),
    "spot_on_demand_base": (1, 2, 3),
    "keypair_name": ("one", "two", "three"),
    "use_placement_group": (True, False, True),
    "ami_id": ("ami-00000001", "ami-00000002", "ami-00000003"),
    "agent": tuple(f"s3://bucket/agent.whl#sha256={digit * 64}" for digit in "123"),
    "ami_version": ("DL", "AL2023", "DL"),
    "use_scheduler_public_ip": (False, True, False),
    "capacity_reservation_id": ("cr-00000001", "cr-00000002", "cr-00000003"),
    "disk.size": (101, 102, 103),
    "disk.throughput": (200, 300, 400),
    "disk.iops": (4000, 5000, 6000),
}
#: What a leaf needs beside it to mean anything, in the workspace file.
BESIDE = {"spot_on_demand_fallback": {"spot": True}, "spot_on_demand_base": {"spot": True}}
PAIRS = list(itertools.combinations(LEVELS, 2))
#: Where the file cannot have both: all clusters of a file are in one region (see the tests of `region` below).
IMPOSSIBLE = {("region", "cluster")}
CASES = [
    pytest.param(name, stronger, weaker, flipped, id=f"{name}-{stronger}-over-{weaker}{'-flipped' * flipped}")
    for name in DEFAULTS
    for stronger, weaker in PAIRS
    for flipped in (False, True)
    if (name, stronger) not in IMPOSSIBLE
]


def _nested(name: str, value: object) -> dict:
    head, _, inner = name.partition(".")
    return {head: {inner: value}} if inner else {head: value}


def _read(tmp_path, name: str, said: dict[str, object]) -> load.Loaded:
    """Read a workspace that says something about a leaf at some levels."""
    levels = {level: _nested(name, value) for level, value in said.items()}
    machine = {"instance_type": "m6i.large"}
    file = tmp_path / "dev.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "name": "dev",
                **BESIDE.get(name, {}),
                **levels.get("workspace", {}),
                "clusters": {"main": {"scheduler": machine, "worker": machine, **levels.get("cluster", {})}},
            }
        )
    )
    folder = tmp_path / "dask"
    folder.mkdir(exist_ok=True)
    options = {key.replace("_", "-"): value for key, value in levels.get("config", {}).items()}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"coiled-pulumi": {"backend-options": options}}))
    with configured(folder if options else None):
        return load.load(file)


def _plain(value: object) -> object:
    """Give an ingress as the file has it."""
    if isinstance(value, tuple):
        return [rule.model_dump(mode="json") for rule in value]
    return [value] if isinstance(value, dict) else value


def _of_plan(loaded: load.Loaded, name: str) -> object:
    """Find in the plan what a leaf came to."""
    plan = build(loaded.workspace)
    (cluster,) = plan.clusters
    worker = cluster.workers.template
    rules = cluster.security.rules or plan.security.rules
    group = "cluster-main-scheduler-group" if cluster.security.groups else "scheduler-group"
    found = {
        "region": lambda: {plan.region, *(json.loads(worker.user_data.split("'")[3])["region"],)},
        "zone": lambda: {cluster.zone, cluster.scheduler.subnet[-10:], worker.subnet[-10:]},
        "ingress": lambda: sorted(
            (rule.from_port, rule.to_port, rule.peer) for rule in rules if rule.group == group
        ),
        "spot": lambda: cluster.workers.market.spot,
        "spot_on_demand_fallback": lambda: cluster.workers.market.fallback,
        "spot_on_demand_base": lambda: cluster.workers.market.on_demand_base,
        "keypair_name": lambda: {cluster.scheduler.key_name, worker.key_name},
        "use_placement_group": lambda: cluster.placement is not None,
        "ami_id": lambda: {cluster.scheduler.image, worker.image},
        "agent": lambda: {_agent(cluster.scheduler.user_data), _agent(worker.user_data)},
        "ami_version": lambda: {cluster.scheduler.image, worker.image},
        "use_scheduler_public_ip": lambda: cluster.scheduler.public_address,
        "capacity_reservation_id": lambda: {worker.capacity_reservation},
    }
    if name.startswith("disk."):
        key = name.removeprefix("disk.")
        return {getattr(cluster.scheduler.disk, key), getattr(worker.disk, key)}
    return found[name]()


def _agent(user_data: str) -> str | None:
    """Find the hash of the wheel that a machine installs."""
    found = re.search(r"/agent\.whl#sha256=([0-9a-f]{64})", user_data)
    return found and found[1]


def _expected_in_plan(name: str, value: object) -> object:
    if name == "ingress":
        rows = []
        for rule in _plain(value):
            for port in rule["ports"]:
                first, _, last = port.partition("-")
                rows.append((int(first), int(last or first), rule["cidr"]))
        return sorted(rows)
    if name == "ami_version":
        return {"image-dl-x86-64" if value == "DL" else "image-x86-64"}
    if name == "ami_id":
        return {value or "image-x86-64"}
    if name == "agent":
        return {value and value[-64:]}
    if name == "disk.size" and value is None:
        return {30, 100}
    if isinstance(value, bool) or name == "spot_on_demand_base":
        return value
    return {value if value is not None or name != "zone" else "us-east-1a"}


def test_every_leaf_has_values():
    assert VALUES.keys() == DEFAULTS.keys()
    for name, values in VALUES.items():
        assert values[0] != values[1] != values[2], name


@pytest.mark.parametrize(("name", "stronger", "weaker", "flipped"), CASES)
def test_the_stronger_level_counts(tmp_path, name, stronger, weaker, flipped):
    values = VALUES[name][1:] if flipped else VALUES[name][:2]
    said = dict(zip((stronger, weaker), values, strict=True))
    said.pop("default", None)
    loaded = _read(tmp_path, name, said)
    cluster = loaded.workspace.clusters["main"]
    counts = settle(loaded.workspace, cluster)
    winner = said.get(stronger, DEFAULTS[name])

    shown = getattr(counts.disk, name[5:]) if name.startswith("disk.") else getattr(counts, name)
    assert _plain(shown) == _plain(winner)
    assert _of_plan(loaded, name) == _expected_in_plan(name, winner)
    chain = settled.chain(name, cluster=cluster, workspace=loaded.written, config=loaded.config.options)
    assert (chain[0][0], _plain(chain[0][1])) == (stronger, _plain(winner))
    assert [level for level, _ in chain] == [level for level in LEVELS if level in said or level == "default"]


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_default_counts_where_nobody_says_anything(tmp_path, name):
    loaded = _read(tmp_path, name, {})

    assert loaded.config == dask_config.NOTHING
    assert _of_plan(loaded, name) == _expected_in_plan(name, DEFAULTS[name] if name != "zone" else None)


# Regions


def test_a_cluster_of_a_file_cannot_be_in_another_region(tmp_path):
    with pytest.raises(SpecErrors, match=r"clusters\.main\.region: must be the workspace's region us-west-2"):
        _read(tmp_path, "region", {"cluster": "eu-west-1", "workspace": "us-west-2"})


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"region": "eu-west-1"}, ("eu-west-1", "eu-west-1a")),
        ({"region_name": "eu-west-1", "zone_name": "eu-west-1c"}, ("eu-west-1", "eu-west-1c")),
        ({}, ("us-west-2", "us-west-2b")),
        ({"zone": "us-west-2c"}, ("us-west-2", "us-west-2c")),
    ],
    ids=str,
)
def test_a_cluster_beside_the_file_may_be_in_another_region(said, place):
    workspace = load.parse("name: dev\nregion: us-west-2\nzone: us-west-2b\n", source="f").workspace
    cluster = load.validate_cluster("main", said, workspace=workspace)
    counts = settle(workspace, cluster)

    assert (counts.region, counts.zone) == place


@pytest.mark.parametrize(
    ("workspace", "config", "place"),
    [
        ({"region": "eu-west-1"}, {"zone": "us-east-1b"}, ("eu-west-1", "eu-west-1a")),
        ({"region": "eu-west-1"}, {"zone": "eu-west-1b"}, ("eu-west-1", "eu-west-1b")),
        ({}, {"zone": "us-east-1b"}, ("us-east-1", "us-east-1b")),
        ({}, {"region": "eu-west-1", "zone": "eu-west-1b"}, ("eu-west-1", "eu-west-1b")),
        ({"zone": "eu-west-1c"}, {"region": "eu-west-1", "zone": "eu-west-1b"}, ("eu-west-1", "eu-west-1c")),
        (
            {"region": "us-west-2"},
            {"region": "eu-west-1", "zone": "eu-west-1b"},
            ("us-west-2", "us-west-2a"),
        ),
    ],
    ids=str,
)
def test_a_zone_of_a_region_that_does_not_count_is_not_heard(tmp_path, workspace, config, place):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"coiled-pulumi": {"backend-options": config}}))
    with configured(tmp_path):
        loaded = load.validate({"name": "dev", **workspace}, source="f")
    counts = settle(loaded.workspace)

    assert (counts.region, counts.zone) == place


def test_a_zone_that_contradicts_the_region_beside_it_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"coiled-pulumi": {"backend-options": {"region": "eu-west-1"}}})
    )
    with configured(tmp_path), pytest.raises(SpecErrors, match="zone: must be a zone of eu-west-1"):
        load.validate({"name": "dev", "zone": "us-east-1b"}, source="f")


def test_parts_of_a_disk_come_from_different_levels(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"coiled-pulumi": {"backend-options": {"disk": {"size": 1, "iops": 6000}}}}).replace(
            "size: 1", "size: 301"
        )
    )
    text = """
name: dev
disk: {throughput: 500}
clusters:
  main:
    disk: {size: 302}
    worker: {disk: {size: 303}}
"""
    with configured(tmp_path):
        (cluster,) = build(load.parse(text, source="f").workspace).clusters
    disks = [
        (disk.size, disk.throughput, disk.iops)
        for disk in (cluster.scheduler.disk, cluster.workers.template.disk)
    ]

    assert disks == [(302, 500, 6000), (303, 500, 6000)]


# Dask's configuration


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"REGION": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"REGION_NAME": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"SPOT": "True", "SPOT_ON_DEMAND_BASE": "2"}, {"spot": True, "spot_on_demand_base": 2}),
        ({"DISK__SIZE": "50"}, {"disk": {"size": 50}}),
        (
            {"FIREWALL": "{'ports': [22], 'cidr': 'me'}"},
            {"ingress": [{"ports": ["22"], "cidr": "me"}]},
        ),
    ],
    ids=str,
)
def test_variables(variables, options):
    prefix = "DASK_COILED_PULUMI__BACKEND_OPTIONS__"
    environ = {prefix + key: value for key, value in variables.items()}
    with configured(variables=environ):
        config = dask_config.read(environ)

    assert config.options.model_dump(mode="json", exclude_none=True) == options
    assert set(config.origins.values()) <= set(environ)


def _write(folder, ours: object = None, coileds: object = None):
    document = {"coiled": {"backend-options": coileds}, "coiled-pulumi": {"backend-options": ours}}
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize(
    ("ours", "coileds", "options"),
    [
        ({"region": "eu-west-1"}, {"region": "us-west-2"}, {"region": "eu-west-1"}),
        ({"region": "eu-west-1"}, {"region_name": "us-west-2"}, {"region": "eu-west-1"}),
        (None, {"region_name": "us-west-2", "spot": True}, {"region": "us-west-2", "spot": True}),
        ({"spot": False}, {"region": "us-west-2", "spot": True}, {"region": "us-west-2", "spot": False}),
        (None, {"region": "us-west-2", "gcp_project": "x", "network": {}}, {"region": "us-west-2"}),
        (None, {"gcp_project": "x"}, {}),
        ({"region": None, "spot": None}, {"region": None}, {}),
        ({"disk": {"size": 50}}, {"disk": {"iops": 4000}}, {"disk": {"iops": 4000, "size": 50}}),
        (None, "text", {}),
    ],
    ids=str,
)
def test_coileds_own_section_is_below_ours(tmp_path, ours, coileds, options):
    _write(tmp_path, ours, coileds)
    with configured(tmp_path):
        config = dask_config.read({"DASK_CONFIG": str(tmp_path)})

    assert config.options.model_dump(mode="json", exclude_none=True) == options
    assert config.origins.keys() == options.keys()


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (
            {"regio": "eu-west-1"},
            "FILE:5: coiled-pulumi.backend-options.regio: is not a known key; did you mean region",
        ),
        (
            {"spot": True, "region": "eu-wst-1"},
            "FILE:5: coiled-pulumi.backend-options.region: must be an AWS region, got 'eu-wst-1';"
            " did you mean eu-west-1",
        ),
        (
            {"zone_name": 1},
            "FILE:5: coiled-pulumi.backend-options.zone_name: must be text, got 1; quote it",
        ),
        (
            {"disk": {"size": 1}},
            "FILE:6: coiled-pulumi.backend-options.disk.size: must be at least 8, got 1",
        ),
        (
            {"region": "eu-west-1", "region_name": "eu-west-1"},
            "FILE:6: coiled-pulumi.backend-options.region_name: is the same as region, write one of them",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_mistake_in_ours_names_the_file_and_the_line(tmp_path, ours, told):
    file = _write(tmp_path, ours)
    with configured(tmp_path), pytest.raises(SpecErrors) as caught:
        dask_config.read({"DASK_CONFIG": str(tmp_path)})

    assert str(caught.value).replace(str(file), "FILE") == told


def test_a_mistake_in_coileds_own_section_names_the_file_and_the_line(tmp_path):
    file = _write(tmp_path, coileds={"region": "eu-wst-1"})
    with configured(tmp_path), pytest.raises(SpecErrors) as caught:
        dask_config.read({"DASK_CONFIG": str(tmp_path)})

    assert str(caught.value).startswith(f"{file}:3: coiled.backend-options.region: must be an AWS region")


def test_a_mistake_in_a_variable_names_the_variable():
    environ = {"DASK_COILED_PULUMI__BACKEND_OPTIONS__SPOT": "maybe"}
    with configured(variables=environ), pytest.raises(SpecErrors) as caught:
        dask_config.read(environ)

    assert str(caught.value) == (
        "DASK_COILED_PULUMI__BACKEND_OPTIONS__SPOT: coiled-pulumi.backend-options.spot:"
        " must be true or false, got 'maybe'"
    )


def test_mistakes_of_two_places_name_both(tmp_path):
    file = _write(tmp_path, {"spot": "maybe"})
    environ = {"DASK_CONFIG": str(tmp_path), "DASK_COILED_PULUMI__BACKEND_OPTIONS__REGION": "eu-wst-1"}
    with configured(tmp_path, environ), pytest.raises(SpecErrors) as caught:
        dask_config.read(environ)

    assert {line.split(": ")[0] for line in str(caught.value).splitlines()} == {
        f"{file}:5",
        "DASK_COILED_PULUMI__BACKEND_OPTIONS__REGION",
    }


def test_a_rule_that_the_config_breaks_is_told_where_the_config_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    file = _write(tmp_path, {"zone": "us-east-1c"})
    with configured(tmp_path), pytest.raises(SpecErrors) as caught:
        load.parse("name: dev\nnetwork: {zones: [us-east-1a]}\n", source="f")

    assert str(caught.value).replace(str(file), "FILE") == (
        "FILE:5: zone: must be one of network.zones, got 'us-east-1c'; it lists 'us-east-1a'"
    )


def test_what_a_program_sets_counts_too():
    import dask.config

    with configured(), dask.config.set({"coiled-pulumi.backend-options.region": "eu-west-1"}):
        config = dask_config.read({})

    assert (config.options.region, config.origins) == ("eu-west-1", {"region": "dask.config"})


@pytest.mark.parametrize("extra", [{}, {"DASK_ROOT_CONFIG": "/nowhere"}, {"DASK_CONFIG": "/some/file.yaml"}])
def test_folders_are_those_of_dask(monkeypatch, extra):
    import dask.config

    monkeypatch.delenv("DASK_ROOT_CONFIG")
    for name, value in extra.items():
        monkeypatch.setenv(name, value)

    assert [str(path) for path in dask_config.folders(os.environ)] == dask.config._get_paths()


@pytest.mark.parametrize(
    ("file", "variables", "told"),
    [
        ("", {}, ["", "", "False"]),
        ("coiled-pulumi: {backend-options: {region: eu-west-1}}", {}, ["eu-west-1", "FILE:1", "True"]),
        (
            "coiled-pulumi: {backend-options: {region: eu-west-1}}",
            {"DASK_COILED_PULUMI__BACKEND_OPTIONS__REGION": "us-west-2"},
            ["us-west-2", "DASK_COILED_PULUMI__BACKEND_OPTIONS__REGION", "True"],
        ),
    ],
    ids=["nothing", "file", "variable"],
)
def test_a_process_of_its_own(tmp_path, file, variables, told):
    """Dask is imported only where its configuration may say something of ours: it takes a fifth of a second."""
    place = tmp_path / "mine.yaml"
    place.write_text(file)
    code = (
        "import sys; from coiled_pulumi.spec import dask_config; found = dask_config.read();"
        "print(found.options.region or '', found.origins.get('region', ''), 'dask' in sys.modules, sep='|')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DASK_CONFIG": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip().replace(str(place), "FILE").split("|") == told


def _explained_by_a_process(tmp_path, name, text, **variables):
    """Read the configuration in a process of its own, as dask reads it when it is imported."""
    (tmp_path / "dask").mkdir()
    (tmp_path / "dask" / name).write_text(text)
    program = (
        "from coiled_pulumi.errors import SpecErrors\nfrom coiled_pulumi.spec import dask_config\n"
        "try:\n    print(dask_config.read().options.model_dump(exclude_none=True))\n"
        "except SpecErrors as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "DASK_CONFIG": str(tmp_path / "dask"), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.replace(f"{tmp_path}{os.sep}", "").splitlines()


def test_a_file_of_dasks_that_is_no_yaml_is_named(tmp_path):
    (told,) = _explained_by_a_process(tmp_path, "coiled-pulumi.yaml", "coiled-pulumi:\n  region: [us\n")
    assert told.startswith("dask/coiled-pulumi.yaml:2: is no YAML, so dask reads none of its files: expected")


@pytest.mark.parametrize(
    ("text", "variables", "told"),
    [
        ("coiled-pulumi: us-west-2\n", {}, "dask/ours.yaml:1: coiled-pulumi: must be a mapping with the key"),
        ("coiled-pulumi:\n  region: us-west-2\n", {},
         "dask/ours.yaml:2: coiled-pulumi.region: stands outside of backend-options; options stand under"),
        ("coiled-pulumi:\n  regoin: us-west-2\n", {},
         "dask/ours.yaml:2: coiled-pulumi.regoin: is not a known key; options stand under"),
        ("", {"DASK_COILED_PULUMI__REGION": "us-west-2"},
         "DASK_COILED_PULUMI__REGION: coiled-pulumi.region: stands outside of backend-options; options"),
    ],
)  # fmt: skip
def test_what_stands_beside_our_section_is_told(tmp_path, text, variables, told):
    (line,) = _explained_by_a_process(tmp_path, "ours.yaml", text, **variables)
    assert line.startswith(told)


@pytest.mark.parametrize("text", ["coiled: x\n", "coiled:\n  token: x\n", "coiled-pulumi:\n"])
def test_what_is_coileds_alone_is_passed_over(tmp_path, text):
    assert _explained_by_a_process(tmp_path, "coiled.yaml", text) == ["{}"]


@pytest.mark.parametrize("name", ["REGION", "REGION_NAME"])
def test_our_region_leaves_the_zone_of_coileds_section_behind(tmp_path, name):
    text = "coiled:\n  backend-options:\n    region: eu-west-1\n    zone_name: eu-west-1b\n    spot: true\n"
    variables = {f"DASK_COILED_PULUMI__BACKEND_OPTIONS__{name}": "us-west-2"}

    found = _explained_by_a_process(tmp_path, "coiled.yaml", text, **variables)
    assert found == [str({"region": "us-west-2", "spot": True})]
