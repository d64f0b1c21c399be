"""The JSON Schema of the workspace file: it knows every key, says what each is for, and accepts what the spec does."""

import re
import typing

import jsonschema
import pytest
from _support import examples
from _support.updating import ROOT

from coiled_pulumi.spec import load, yaml12
from coiled_pulumi.spec.aliases import ALIASES
from coiled_pulumi.spec.base import OnChange, Spec
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.schema import stack_file_schema, workspace_schema
from coiled_pulumi.spec.workspace import Workspace

SCHEMA = workspace_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HAPPY = sorted((ROOT / "tests" / "cases").glob("*.happy.yaml"))


def _models(root: type = Workspace) -> dict[str, type[Spec]]:
    """Give every model that a file may hold, by name."""
    found = {root.__name__: root}
    for field in root.model_fields.values():
        for inner in _inside(field.annotation):
            found |= _models(inner)
    return found


def _inside(annotation: object) -> list[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _inside(part)]


KEYS = [
    pytest.param(model, key, id=f"{name}.{key}")
    for name, model in _models().items()
    for key in model.model_fields
]


def test_every_model_is_looked_at():
    assert set(_models()) == {"Workspace", *SCHEMA["$defs"]}


@pytest.mark.parametrize(("model", "key"), KEYS)
def test_every_key_says_what_it_is_for_and_what_its_change_does(model, key):
    field = model.model_fields[key]
    shown = (SCHEMA if model is Workspace else SCHEMA["$defs"][model.__name__])["properties"][key]

    assert re.fullmatch(r"[A-Z].*\.", field.description, re.DOTALL)
    assert shown["description"] == field.description
    effects = [part.effect for part in field.metadata if isinstance(part, OnChange)]
    # What holds a model leaves it to the keys in it.
    assert len(effects) == 1 or (not effects and _inside(field.annotation))
    assert [shown["x-on-change"]] == effects if effects else "x-on-change" not in shown


@pytest.mark.parametrize("level", ["Workspace", "Cluster"])
@pytest.mark.parametrize(("alias", "key"), ALIASES.items())
def test_other_names_are_keys_too(level, alias, key):
    known = (SCHEMA if level == "Workspace" else SCHEMA["$defs"][level])["properties"]
    same = {part: value for part, value in known[key].items() if part not in ("description", "title")}

    assert known[alias]["description"] == f"The same as {key}."
    assert {part: known[alias][part] for part in same} == same


def test_no_key_may_be_null():
    def texts(value):
        if isinstance(value, dict):
            yield from (text for part in value.values() for text in texts(part))
        elif isinstance(value, list):
            yield from (text for part in value for text in texts(part))
        else:
            yield value

    assert not {None, "null"} & set(texts(SCHEMA))


@pytest.mark.parametrize("file", HAPPY, ids=lambda file: file.name.split(".")[0])
def test_what_the_spec_accepts_the_schema_does(file):
    value, _ = load.workspace_of(yaml12.read(file.read_text("utf-8-sig")))

    VALIDATOR.validate(value)


@examples.each
def test_stack_files(example):
    value = yaml12.read((ROOT / "stacks" / f"Pulumi.{example}.yaml").read_text()).value

    jsonschema.Draft202012Validator(stack_file_schema()).validate(value)


@pytest.mark.parametrize(
    "said",
    [
        {"region_name": "eu-west-1", "zone_name": "eu-west-1a"},
        {"firewall": {"ports": [22, "8000-8100"], "cidr": "me"}},
        {"firewall": [{"ports": [22], "cidr": "me"}]},
        {"ingress": {"ports": [22], "cidr": "me"}},
        {"ingress": []},
        {"use_dashboard_public_ip": False},
        {"disk": {"size": 50, "throughput": 250, "iops": 4000}},
        {"spot": True, "spot_on_demand_base": 1, "spot_on_demand_fallback": True},
    ],
    ids=str,
)
def test_both_forms_at_both_levels(said):
    VALIDATOR.validate({"name": "dev", **said})
    VALIDATOR.validate({"name": "dev", "clusters": {"main": said}})


@pytest.mark.parametrize(
    "said",
    [
        {"region": "eu-west-1", "region_name": "eu-west-1"},
        {"ingress": [], "firewall": []},
        {"firewall": {"ports": 22, "cidr": "me"}},
        {"firewall": {"ports": [22]}},
        {"firewall": {"ports": [22], "cidr": "me", "cidr_block": "me"}},
        {"firewall": "open"},
        {"region": None},
        {"zone_name": 1},
        {"ami_version": "ubuntu"},
        {"capacity_reservation_id": "reservation"},
        {"spot": "yes"},
        {"spot_on_demand_base": -1},
        {"disk": 100},
        {"disk": {"throughput": 1001}},
        {"use_public_ip": True},
    ],
    ids=str,
)
def test_nonsense_is_refused_at_both_levels(said):
    assert not VALIDATOR.is_valid({"name": "dev", **said})
    assert not VALIDATOR.is_valid({"name": "dev", "clusters": {"main": said}})


@pytest.mark.parametrize(
    "machine",
    [
        {"instance_type": []}, {"instance_type": ["m6i.large"] * 41}, {"instance_type": 1}, {"cpu": 0},
        {"cpu": [1, 2, 3]}, {"cpu": "4"}, {"memory": 16}, {"memory": "16"}, {"memory": "16 GiBs"}, {"gpu": 2},
        {"architecture": "x86"}, {"disk": {"size": 7}},
    ],
    ids=str,
)  # fmt: skip
def test_machines_that_are_none(machine):
    assert not VALIDATOR.is_valid({"name": "dev", "clusters": {"main": {"worker": machine}}})


@pytest.mark.parametrize(
    "machine",
    [
        {"instance_type": "m6i.large"}, {"instance_type": ["m6i.large", "m5.large"]}, {"cpu": 4},
        {"cpu": [2, 8]}, {"memory": "16 GiB"}, {"memory": ["8GB", "0.5 TiB"]}, {"gpu": 1},
        {"architecture": "arm64"},
    ],
    ids=str,
)  # fmt: skip
def test_machines(machine):
    VALIDATOR.validate({"name": "dev", "clusters": {"main": {"worker": machine}}})


def test_every_option_has_its_keys_at_both_levels():
    for level in (SCHEMA, SCHEMA["$defs"]["Cluster"]):
        assert set(Options.model_fields) | set(ALIASES) <= set(level["properties"])
