"""Errors hold data, keep it across processes, and have Pulumi's exit codes."""

import pickle

import pytest

from coiled_pulumi import errors
from coiled_pulumi.errors import Problem, SpecErrors


def _tree(root=errors.CoiledPulumiError) -> list:
    return [root, *(kind for child in root.__subclasses__() for kind in _tree(child))]


OWN = [kind for kind in _tree() if kind.__module__ == "coiled_pulumi.errors"]
PLAIN = [kind for kind in OWN if kind is not SpecErrors]
PROBLEMS = (
    Problem("b", "must be b, got a", 4, "write b"),
    Problem("a", "is required", 2),
    Problem("", "is empty"),
)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("args", [("it broke",), ("it broke", "mend it")], ids=["plain", "hint"])
def test_pickle_keeps_the_text(kind, args):
    error = kind(*args)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes

    assert (type(copy), str(copy), copy.what, copy.hint) == (kind, str(error), error.what, error.hint)


def test_pickle_keeps_problems():
    error = SpecErrors("f.yaml", PROBLEMS)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes

    assert (str(copy), copy.source, copy.problems) == (str(error), error.source, error.problems)


def test_text_of_an_error_with_a_hint():
    assert str(errors.UsageError("no such flag", "see --help")) == "no such flag\nhint: see --help"


def test_problems_are_told_in_order_of_line():
    assert str(SpecErrors("f.yaml", PROBLEMS)).split("\n") == [
        "f.yaml: is empty",
        "f.yaml:2: a: is required",
        "f.yaml:4: b: must be b, got a; write b",
    ]


@pytest.mark.parametrize(
    ("count", "last"), [(20, "f:20: is wrong"), (21, "f: and 1 more"), (1000, "f: and 980 more")]
)
def test_more_problems_than_fit_a_screen_are_counted(count, last):
    lines = str(SpecErrors("f", tuple(Problem("", "is wrong", line) for line in range(1, count + 1)))).split(
        "\n"
    )

    assert len(lines) == min(count, 21)
    assert lines[-1] == last


def test_the_same_problem_is_told_once():
    assert len(SpecErrors("f", (Problem("a", "is wrong"), Problem("a", "is wrong"))).problems) == 1


def test_exit_codes_are_pulumis():
    assert {kind.__name__: kind.exit_code for kind in OWN} == {
        "CoiledPulumiError": 1,
        "UsageError": 2,
        "SpecErrors": 2,
        "CredentialsError": 3,
        "DeploymentError": 4,
        "PolicyError": 5,
        "WorkersMissingError": 4,
        "NoSuchStackError": 6,
        "ChangesFoundError": 7,
        "CancelledError": 8,
        "DeadlineError": 9,
        "EngineError": 1,
    }


def test_the_tree_is_drawn_in_the_docstring():
    assert [kind.__name__ for kind in OWN if kind.__name__ not in errors.__doc__] == []
