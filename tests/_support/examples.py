"""The stack files that come with the repository."""

import pytest

from _support.updating import ROOT
from coiled_pulumi.plan import model
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load

FILES = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
NAMES = [file.name.split(".")[1] for file in FILES]

each = pytest.mark.parametrize("example", NAMES)


def loaded(name: str) -> load.Loaded:
    """Read the stack file of an example."""
    return load.load(ROOT / "stacks" / f"Pulumi.{name}.yaml")


def plan(name: str) -> model.Workspace:
    """Plan an example."""
    return build(loaded(name).workspace)
