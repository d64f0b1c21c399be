"""Whatever stands in a file: a workspace, or problems of one line each. Never another exception."""

import json

from _support.strategies import workspaces
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.errors import SpecErrors, UsageError
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import dask_config, load
from coiled_pulumi.spec.aliases import ALIASES
from coiled_pulumi.spec.options import Options

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    | st.sampled_from(["me", "us-east-1a", "10.0.0.0/16", "m6i.xlarge", "name", "\n", "\u2028", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
YAML_SIGNS = "ab01:-[]{},\n #&*!|>'\"%@`?~\t=<.\\/\r"


def _check(read) -> None:
    try:
        loaded = read()
    except UsageError as error:
        lines = str(error).splitlines()
        assert 1 <= len(lines) <= 21
        assert all(line.startswith("f:") and line.isprintable() for line in lines)
    else:
        assert build(loaded.workspace).name == loaded.workspace.name


def _containers(value):
    """Give every mapping and list in a tree."""
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _containers(item)


@st.composite
def mutated(draw):
    """Draw a valid workspace, then drop, replace or add one to three things anywhere in it."""
    data = json.loads(json.dumps(draw(workspaces())))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(_containers(data))))
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        match draw(st.sampled_from(["drop", "replace", "add"])):
            case "drop" if keys:
                del place[draw(st.sampled_from(keys))]
            case "replace" if keys:
                place[draw(st.sampled_from(keys))] = draw(json_values)
            case _ if isinstance(place, dict):
                place[draw(st.text(max_size=8))] = draw(json_values)
            case _:
                place.append(draw(json_values))
    return data


@given(mutated())
def test_mutated_values(data):
    _check(lambda: load.validate(data, source="f"))


@given(mutated())
def test_mutated_files(data):
    _check(lambda: load.parse(json.dumps(data, ensure_ascii=False), source="f"))


@given(json_values)
def test_any_values(data):
    _check(lambda: load.validate(data, source="f"))


@given(
    st.dictionaries(st.sampled_from([*Options.model_fields, *ALIASES]) | st.text(max_size=6), json_values),
    st.sampled_from(["coiled", "coiled-pulumi"]),
)
def test_any_dask_configuration(data, space):
    import dask.config

    with dask.config.set({space: {"backend-options": data}}):
        try:
            dask_config.read({})
        except SpecErrors as error:
            lines = str(error).splitlines()
            assert 1 <= len(lines) <= 21
            assert all(line.startswith("dask.config: ") and line.isprintable() for line in lines)


@given(st.text(max_size=60) | st.text(YAML_SIGNS, max_size=60))
def test_any_text(text):
    _check(lambda: load.parse(text, source="f"))


@given(workspaces(), st.data())
def test_a_file_with_a_few_characters_changed(data, draw):
    text = json.dumps(data, indent=1)
    start = draw.draw(st.integers(0, len(text)))
    end = draw.draw(st.integers(start, min(len(text), start + 4)))
    _check(
        lambda: load.parse(text[:start] + draw.draw(st.text(YAML_SIGNS, max_size=4)) + text[end:], source="f")
    )
