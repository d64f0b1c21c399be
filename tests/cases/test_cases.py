"""Every file is a case: `*.happy.yaml` is accepted, `*.error.yaml` refused with the very lines at its top.

A new case needs no Python: write the file, run with COILED_PULUMI_UPDATE_SNAPSHOTS=1, and read its new top.
"""

import time
from pathlib import Path

import pytest
from _support.updating import UPDATE

from coiled_pulumi.errors import MAX_PROBLEMS, SpecErrors
from coiled_pulumi.plan.build import build
from coiled_pulumi.spec import load

HERE = Path(__file__).parent
MARK = "# error: "
#: A mistake is told at once; measured are 0.02 s for the slowest case, the rest is room for slow machines.
MAX_SECONDS = 0.5


def _cases(kind: str) -> list:
    return [pytest.param(file, id=file.name.split(".")[0]) for file in sorted(HERE.glob(f"*.{kind}.yaml"))]


def _refusal(file: Path) -> SpecErrors:
    with pytest.raises(SpecErrors) as caught:
        load.load(file)
    return caught.value


def _told(file: Path) -> list[str]:
    """Give the lines that a user sees, without the file's name."""
    return [line.removeprefix(f"{file}:").lstrip() for line in str(_refusal(file)).split("\n")]


def _expected(file: Path) -> list[str]:
    return [line.removeprefix(MARK) for line in file.read_text().splitlines() if line.startswith(MARK)]


def _rewrite(file: Path) -> None:
    body = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith(MARK)]
    for _ in range(2):  # the lines at the top move the lines that they name
        head = [f"{MARK}{line}\n" for line in _told(file)]
        file.write_text("".join(head + body))


@pytest.mark.parametrize("file", _cases("happy"))
def test_accepted(file):
    start = time.perf_counter()
    loaded = load.load(file)
    seconds = time.perf_counter() - start

    assert build(loaded.workspace).name == loaded.workspace.name
    assert seconds < MAX_SECONDS


@pytest.mark.parametrize("file", _cases("error"))
def test_refused_with_these_lines(file):
    if UPDATE:
        _rewrite(file)

    assert _told(file) == _expected(file)


@pytest.mark.parametrize("file", _cases("error"))
def test_one_line_for_each_problem_and_no_more_than_a_screen(file):
    start = time.perf_counter()
    error = _refusal(file)
    lines = str(error).splitlines()  # also splits at what only some programs take for the end of a line
    seconds = time.perf_counter() - start

    shown = min(len(error.problems), MAX_PROBLEMS)
    assert len(lines) == shown + (len(error.problems) > MAX_PROBLEMS)
    assert all(line.startswith(f"{file}:") for line in lines)
    assert all(line.isprintable() for line in lines)
    assert seconds < MAX_SECONDS


def test_the_folder_holds_the_cases():
    assert len(_cases("error")) >= 320
    assert len(_cases("happy")) >= 20
