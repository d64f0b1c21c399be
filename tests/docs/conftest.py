"""The reader of pages stands beside its tests, and the generator in `tools`."""

import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
for folder in (HERE, ROOT / "tools"):
    sys.path.insert(0, str(folder))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the Pulumi project, to stand in."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
