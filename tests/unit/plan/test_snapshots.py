"""The plan of each example, whole. A difference here is one that people meet who upgrade.

`COILED_PULUMI_UPDATE_SNAPSHOTS=1 pytest tests/unit/plan` rewrites them.
"""

from _support import examples
from _support.updating import SNAPSHOTS, check_snapshot

from coiled_pulumi.plan import model


@examples.each
def test_plan(example):
    check_snapshot(SNAPSHOTS / example / "plan.json", model.to_json(examples.plan(example)))


@examples.each
def test_the_workspace_has_the_name_of_its_stack(example):
    assert examples.loaded(example).workspace.name == example


def test_there_are_examples_to_look_at():
    assert "dev" in examples.NAMES
