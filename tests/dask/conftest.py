"""One local AWS whose machines really run, and one workspace on it, for all tests of a session."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from _support.lab import FILE, Lab

from coiled_pulumi.engine import locate
from coiled_pulumi.local import daemon


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[Lab]:
    engine = locate.find()
    if engine is None:
        pytest.fail("these tests need the engine: coiled-pulumi engine install")
    home = tmp_path_factory.mktemp("living-aws")
    record = daemon.up(home=home)
    ambient = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    ambient |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COILED_PULUMI_LOCAL_HOME": str(home),
        "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state")),
        "COILED_PULUMI_ME": "127.0.0.1/32",
        "COILED_PULUMI_WORKSPACE": "lab",
        "COLUMNS": "160",
    }
    env = daemon.applied(record, ambient)
    folder = tmp_path_factory.mktemp("lab")
    (folder / "lab.yaml").write_text(FILE)
    made = Lab(record, env | locate.environment(engine, env), folder, folder / "lab.yaml")
    try:
        made.cli("up", "--file", "lab.yaml", "--yes")
        yield made
    finally:
        daemon.down(home=home)


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have this process live in another environment, as if it was started there."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def inside(lab) -> Iterator[Lab]:
    """This process is one of the people who use the workspace."""
    with environment(lab.env):
        yield lab
