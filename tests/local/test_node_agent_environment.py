"""The Python that Dask runs in, made for real: virtual environments from wheels made here, and a container's start.

There is no container engine where tests run: a small program named `docker` stands for it. It is a real process that
writes down what it was given and runs the module with the Python of the tests, in nothing but what it was handed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from coiled_pulumi.node.environment import InstallError, handed_on, prepare, process_environ
from coiled_pulumi.node.paths import Paths

_OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def _wheel(folder: Path, name: str, version: str, *, needs: str = "") -> None:
    """Make a wheel, which is a zip file, of one module that says its version."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for file, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{file},sha256={digest},{len(text.encode())}\n"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for file, text in (files | {f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}).items():
            archive.writestr(file, text)


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels, which is all that installers may use."""
    folder = tmp_path / "wheels"
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    _wheel(folder, "distributed", metadata.version("distributed"))
    return folder


def _prepare(tmp_path, said=None, **asked):
    return prepare(asked, Paths(tmp_path / "root"), gpu=False, tell=(said if said is not None else []).append)


def _ask(launch, code: str, tmp_path) -> str:
    environ = process_environ(launch, {}, tmp_path, dict(os.environb))
    command = [*launch.command, "-c", code]
    done = subprocess.run(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"packages": [], "python": _OWN, "container": None},
        {"packages": ["distributed>=2024", "dask[array]", 'none-such; python_version < "3"'], "python": None},
    ],
)
def test_a_prepared_image_is_used_as_it_is(tmp_path, asked):
    assert _prepare(tmp_path, **asked).argv("coiled_pulumi.node.worker", ["A"]) == [
        sys.executable, "-m", "coiled_pulumi.node.worker",
    ]  # fmt: skip


def test_what_is_missing_is_installed_beside_and_our_package_comes_along(tmp_path, wheels):
    _wheel(wheels, "tiny_thing", "1.2")
    said = []
    launch = _prepare(tmp_path, said, packages=["tiny-thing==1.2"], python=None)

    assert said == [f"installing Python {_OWN} with tiny-thing==1.2"]
    assert launch.command == (str(tmp_path / "root/opt/coiled-pulumi/environment/bin/python"),)
    code = "import tiny_thing, distributed, coiled_pulumi.node as n; print(tiny_thing.VERSION, distributed.VERSION)"
    assert _ask(launch, code, tmp_path) == f"1.2 {metadata.version('distributed')}"
    where = "import coiled_pulumi.values as v; print(v.__file__)"
    assert _ask(launch, where, tmp_path).startswith(str(tmp_path / "root"))
    # Of the agent's own libraries it sees none.
    found = "import importlib.util as u; print(u.find_spec('botocore'))"
    assert _ask(launch, found, tmp_path) == "None"


def test_another_version_than_the_images_is_installed(tmp_path, wheels):
    _wheel(wheels, "botocore", "99.0")
    launch = _prepare(tmp_path, packages=["botocore>=99"], python=_OWN)

    assert _ask(launch, "import botocore; print(botocore.VERSION)", tmp_path) == "99.0"


def test_an_installers_last_words_are_told(tmp_path, wheels):
    with pytest.raises(InstallError) as caught:
        _prepare(tmp_path, packages=["no-such-thing-anywhere==3"], python=None)

    assert "failed with exit code" in caught.value.what
    assert "no-such-thing-anywhere" in caught.value.detail


def test_without_uv_another_python_cannot_be_had(tmp_path, wheels, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(InstallError) as caught:
        _prepare(tmp_path, packages=None, python="3.99")

    assert "3.99" in str(caught.value) or "3.99" in caught.value.detail


_DOCKER = """#!{python}
import json, os, sys
with open({record!r}, "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if sys.argv[1] == "run":
    names = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "-e"]
    env = {{name.encode(): os.environb[name.encode()] for name in names}}
    os.execve({python!r}, [{python!r}, "-c", {code!r}], env)
"""
#: What the process in the container sees, and that it can import ours: the package that was lent to it.
_SEEN = """
import os, sys
import coiled_pulumi.errors
sys.stdout.buffer.write(b"\\0".join(name + b"=" + value for name, value in sorted(os.environb.items())
                                   if name != b"LC_CTYPE"))  # Python sets it where there is no locale
"""


def test_a_container_gets_our_package_and_the_variables_but_no_value_in_its_arguments(tmp_path, monkeypatch):
    record, programs = tmp_path / "record", tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(_DOCKER.format(python=sys.executable, record=str(record), code=_SEEN))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    paths = Paths(tmp_path / "root")
    user = {"TOKEN": "line 1\nline 2 ü $HOME 'x'", "EMPTY": ""}

    launch = prepare({"container": "ghcr.io/me/it:1"}, paths, gpu=True, tell=[].append)
    argv = launch.argv("coiled_pulumi.node.worker", handed_on(launch, user))
    environ = process_environ(launch, user, paths.run, dict(os.environb))
    seen = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, check=True).stdout

    root = str(tmp_path / "root")
    names = ["COILED_PULUMI_RUN", "EMPTY", "PYTHONPATH", "PYTHONUNBUFFERED", "TOKEN"]
    assert [json.loads(line) for line in record.read_text().splitlines()] == [
        ["rm", "--force", "coiled-pulumi"],
        ["pull", "--quiet", "ghcr.io/me/it:1"],
        ["run", "--network", "host", "--rm", "--name", "coiled-pulumi", "--init", "--user", "0:0",
         "-v", f"{root}/run/coiled-pulumi:{root}/run/coiled-pulumi",
         "-v", f"{root}/run/coiled-pulumi-package:{root}/run/coiled-pulumi-package:ro",
         "-v", f"{root}/var/lib/coiled-pulumi/dask:{root}/var/lib/coiled-pulumi/dask",
         "--gpus", "all", "-w", f"{root}/var/lib/coiled-pulumi/dask",
         *[part for name in names for part in ("-e", name)],
         "ghcr.io/me/it:1", "python", "-m", "coiled_pulumi.node.worker"],
    ]  # fmt: skip
    assert seen.decode().split("\0") == [
        f"COILED_PULUMI_RUN={root}/run/coiled-pulumi",
        "EMPTY=",
        f"PYTHONPATH={root}/run/coiled-pulumi-package",
        "PYTHONUNBUFFERED=1",
        "TOKEN=line 1\nline 2 ü $HOME 'x'",
    ]
