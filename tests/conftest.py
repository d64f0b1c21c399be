"""Isolation: no test sees the user's home or settings, and none talks to anything but this machine."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from _support import sockets  # noqa: E402 the folder has to be on the path first

#: These run servers on the loopback interface; nothing else needs a socket.
LOOPBACK = ("cluster", "dask", "engine", "local", "node", "policies", "unit/engine", "unit/local")
#: These run the real engine, which is installed under the user's home.
REAL_HOME = ("dask", "engine", "local", "policies")
#: These run the real engine and take minutes.
LONG = ("engine", "dask", "docs/test_readme.py")
#: Variables that would make a test's outcome depend on who runs it.
STRAY = ("AWS_", "PULUMI_", "COILED_", "FORCE_COLOR", "TTY_")
#: A folder that is never there.
NOWHERE = HERE / "no-dask-configuration"

sockets.install()


def pytest_collection_modifyitems(config, items):
    """Where processes share the tests, begin with what takes longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not any(item.path.is_relative_to(HERE / name) for name in LONG))


def _stands_in(request: pytest.FixtureRequest, folders: tuple[str, ...]) -> bool:
    return any(request.path.is_relative_to(HERE / folder) for folder in folders)


@pytest.fixture(autouse=True)
def _no_sockets(request):
    with sockets.only("loopback" if _stands_in(request, LOOPBACK) else "nothing"):
        yield


@pytest.fixture(autouse=True)
def _environment(request, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    # Whatever dask's configuration says on this machine is a level below every workspace file.
    for name in [name for name in os.environ if name.startswith("DASK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DASK_ROOT_CONFIG", str(NOWHERE))
    if (dask := sys.modules.get("dask.config")) is not None:
        for name in ("coiled", "coiled-pulumi"):
            monkeypatch.delitem(dask.config, name, raising=False)
    if _stands_in(request, REAL_HOME):
        return
    for name in os.environ:
        if name.startswith(STRAY):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
