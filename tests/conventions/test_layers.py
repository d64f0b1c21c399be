"""The conventions that hold everywhere, and that the checker would find what breaks them."""

import layers
import pytest
from _support.updating import ROOT

PACKAGE = ROOT / "coiled_pulumi"


def _told(violations: list[layers.Violation]) -> str:
    return "\n".join(f"{item.file}:{item.line}: {item.what}" for item in violations)


def test_imports_follow_the_arrows():
    assert _told(layers.check_imports(PACKAGE)) == ""


def test_policies_stand_on_their_own():
    assert _told(layers.check_isolated(ROOT / "policies")) == ""


def test_modules_are_short():
    found = layers.check_sizes(PACKAGE) + layers.check_sizes(ROOT / "policies")

    assert _told(found) == "", "look hard at these too:\n" + "\n".join(layers.long_modules(PACKAGE))


def test_names_say_something():
    assert _told(layers.check_names(PACKAGE)) == ""


def test_components_have_annotations_that_pulumi_can_read():
    assert _told(layers.check_annotations(PACKAGE / "components")) == ""


def _planted(tmp_path, files: dict[str, str]):
    root = tmp_path / layers.PACKAGE
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("plan/a.py", "import pulumi\n", "1: plan.a must not import pulumi"),
        ("plan/a.py", "import os, pulumi.runtime\n", "1: plan.a must not import pulumi"),
        (
            "plan/a.py",
            "from coiled_pulumi.components import network\n",
            "1: plan.a must not import components",
        ),
        ("plan/a.py", "from coiled_pulumi import components\n", "1: plan.a must not import components"),
        (
            "plan/a.py",
            "import coiled_pulumi.components.network as n\n",
            "1: plan.a must not import components",
        ),
        ("plan/a.py", "def f():\n    from coiled_pulumi import ops\n", "2: plan.a must not import ops"),
        ("plan/a.py", "from .. import ops\n", "1: plan.a must not import ops"),
        ("plan/a.py", "from ..ops import stacks\n", "1: plan.a must not import ops"),
        ("plan/deep/b.py", "from ... import ops\n", "1: plan.deep.b must not import ops"),
        ("plan/__init__.py", "from ..ops import stacks\n", "1: plan must not import ops"),
        ("plan/a.py", "if TYPE_CHECKING:\n    import boto3\n", "2: plan.a must not import boto3"),
        (
            "plan/a.py",
            "try:\n    pass\nexcept ImportError:\n    import yaml\n",
            "4: plan.a must not import yaml",
        ),
        (
            "plan/a.py",
            "import importlib\nimportlib.import_module('boto3')\n",
            "2: plan.a must not import boto3",
        ),
        ("plan/a.py", "__import__('boto3')\n", "1: plan.a must not import boto3"),
        ("plan/a.py", "from coiled_pulumi import *\n", "1: plan.a must not import *"),
        ("spec/load.py", "import yaml\n", "1: spec.load must not import yaml"),
        ("errors.py", "from coiled_pulumi import values\n", "1: errors must not import values"),
        ("errors.py", "from . import values\n", "1: errors must not import values"),
        ("__init__.py", "import pydantic\n", "1: coiled_pulumi must not import pydantic"),
        ("components/a.py", "from coiled_pulumi.spec import load\n", "1: components.a must not import spec"),
        ("engine/a.py", "import pulumi\n", "1: engine.a must not import pulumi"),
        ("engine/a.py", "import grpc\n", "1: engine.a must not import grpc"),
        ("ops/a.py", "import boto3\n", "1: ops.a must not import boto3"),
        ("ops/a.py", "from coiled_pulumi.cli import app\n", "1: ops.a must not import cli"),
        ("ops/a.py", "import typer\n", "1: ops.a must not import typer"),
        ("aws/a.py", "from coiled_pulumi.ops import stacks\n", "1: aws.a must not import ops"),
        ("ops/a.py", "import distributed\n", "1: ops.a must not import distributed"),
        ("attic/a.py", "", "1: attic is in no layer: add it to ALLOWED"),
    ],
)
def test_an_import_against_the_arrows_is_found(tmp_path, file, text, what):
    root = _planted(tmp_path, {file: text})

    assert _told(layers.check_imports(root)) == f"{root / file}:{what}"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("plan/a.py", "import json, ipaddress\nfrom coiled_pulumi.spec import rules\nfrom . import model\n"),
        ("plan/a.py", "from ..values import Zone\nfrom coiled_pulumi import catalog\n"),
        ("spec/yaml12.py", "import yaml\n"),
        ("engine/language_host.py", "import grpc\nfrom pulumi.runtime import proto\n"),
        (
            "cli/app.py",
            "import typer\nfrom coiled_pulumi.ops import stacks\nfrom coiled_pulumi.cli import render\n",
        ),
        ("components/a.py", "import pulumi_aws\nfrom coiled_pulumi.components._base import Component\n"),
        ("cluster.py", "import distributed\n"),
    ],
)
def test_an_import_along_the_arrows_is_not(tmp_path, file, text):
    assert layers.check_imports(_planted(tmp_path, {file: text})) == []


@pytest.mark.parametrize(("lines", "count"), [(600, 0), (601, 1)])
def test_a_long_module_is_found(tmp_path, lines, count):
    root = _planted(tmp_path, {"plan/a.py": "x = 1\n" * lines})

    assert len(layers.check_sizes(root)) == count
    assert len(layers.long_modules(root)) == 1


@pytest.mark.parametrize("name", ["utils.py", "plan/helpers.py", "ops/manager.py", "config/__init__.py"])
def test_a_name_that_says_nothing_is_found(tmp_path, name):
    assert len(layers.check_names(_planted(tmp_path, {name: ""}))) == 1


def test_annotations_as_text_are_found(tmp_path):
    root = _planted(tmp_path, {"components/a.py": "from __future__ import annotations\n"})

    assert len(layers.check_annotations(root / "components")) == 1


@pytest.mark.parametrize(
    "text", ["import coiled_pulumi\n", "def f():\n    from coiled_pulumi.plan import cidr\n"]
)
def test_a_policy_that_leans_on_us_is_found(tmp_path, text):
    root = _planted(tmp_path, {"rules.py": text})

    assert len(layers.check_isolated(root)) == 1
