"""The lines of a file as everybody may see them: no part of a variable's value is in them, and nothing else is gone."""

import pytest

from coiled_pulumi.spec import edit
from coiled_pulumi.spec.secret_lines import masked

FILE = """\
name: dev
clusters:
  main:
    environ: &shared
      A: geheim1  # note
      "B": 'geheim2'
      C: |
        geheim3

        geheim4
      D:
        secure: v1:geheim5
      E: geheim6
        geheim7
      F: >-
        geheim8
    idle_timeout: 20 minutes
  two:
    environ: {X: geheim9, Y: "geheim10",
      Z: geheim11}
    rotation: 1
  three: {environ: *shared}
  environ: {n_workers: 2}
"""


def _shown(text: str) -> str:
    lines = text.splitlines(keepends=True)
    shown = masked(lines)
    return "".join(shown.get(line, line) for line in lines)


def test_no_value_is_left():
    assert (
        _shown(FILE)
        == """\
name: dev
clusters:
  main:
    environ: &shared
      A: (set)  # note
      "B": (set)
      C: (set)
        (set)

        (set)
      D:
        (set)
      E: (set)
        (set)
      F: (set)
        (set)
    idle_timeout: 20 minutes
  two:
    environ: {X: (set), Y: (set),
      Z: (set)}
    rotation: 1
  three: {environ: *shared}
  environ: {n_workers: 2}
"""
    )


@pytest.mark.parametrize("text", ["", "a: [", "name: dev\n", "- 1\n", "environ: x\n"])
def test_nothing_to_hide(text):
    assert _shown(text) == text


def test_a_file_of_pulumi():
    text = "config:\n  coiled:workspace:\n    clusters:\n      main:\n        environ:\n          A: geheim"

    assert _shown(text).endswith("A: (set)")


def test_a_diff_tells_of_a_changed_value_that_it_changed():
    shown = edit.diff(FILE, FILE.replace("geheim1 ", "geheim0 ").replace("rotation: 1", "rotation: 2"), "f")

    assert "geheim" not in shown
    assert "-      A: (set)  # note\n+      A: (set)  # note\n" in shown
    assert "-    rotation: 1\n+    rotation: 2\n" in shown
