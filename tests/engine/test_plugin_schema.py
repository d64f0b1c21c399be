"""The plugin that we build must take the inputs that the published SDK sends."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
from typing import Any

import pytest

from coiled_pulumi.engine import locate

pytestmark = [
    pytest.mark.engine,
    # Importing pulumi_aws.ec2 and pulumi_aws.s3 warns about names of theirs that we don't use.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

_TOKEN = re.compile(r'"aws_\w+":\s+"(aws:[\w/:]+)"')
_NOT_INPUTS = {"__self__", "resource_name", "opts", "__props__"}


def mapped_types() -> list[str]:
    """Return the tokens of the resource types in the recipe."""
    text = (locate.recipe_folder() / "provider" / "types.go").read_text("utf-8")
    section = text.split("var resourceTypes", 1)[1].split("\n}\n", 1)[0]
    return sorted(_TOKEN.findall(section))


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    engine = locate.find()
    if engine is None or engine.plugin is None:
        pytest.skip("no AWS plugin: run `coiled-pulumi engine install`")
    if engine.source != "build":
        pytest.skip(f"{engine.plugin} is not our build")
    answer = subprocess.run([str(engine.plugin), "-schema"], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)["resources"]


def test_schema_has_exactly_the_types_of_the_recipe(resources: dict[str, Any]) -> None:
    assert sorted(resources) == mapped_types()


@pytest.mark.parametrize("token", mapped_types())
def test_inputs_are_those_of_the_sdk(token: str, resources: dict[str, Any]) -> None:
    _, module, name = token.split(":")
    cls = getattr(importlib.import_module(f"pulumi_aws.{module.split('/')[0]}"), name)
    theirs = {
        _folded(key) for key in inspect.signature(cls._internal_init).parameters if key not in _NOT_INPUTS
    }
    ours = {_folded(key) for key in resources[token].get("inputProperties", {})}
    assert (sorted(ours - theirs), sorted(theirs - ours)) == ([], []), f"{token}: (plugin only, SDK only)"


def _folded(name: str) -> str:
    """Make camelCase and snake_case the same; where words begin inside `dnsARecord` is a matter of taste."""
    return name.replace("_", "").lower()
