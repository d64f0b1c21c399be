"""The wheel of the agent, as pip and a machine's Python see it."""

import subprocess
import sys
import sysconfig
import zipfile

import pytest

from coiled_pulumi.ops import agent_wheel
from coiled_pulumi.spec.workspace import Workspace

WHEEL = agent_wheel.build()
#: Finds every module of the agent's in a folder, and tells which of ours were imported with it, and from where.
IMPORT = """
import sys
sys.path[:0] = sys.argv[1:]
import coiled_pulumi.node.agent
ours = [module for name, module in sys.modules.items() if name.startswith("coiled_pulumi")]
print(*{module.__file__.startswith(sys.argv[1]) for module in ours})
"""


def _pip(*arguments):
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--quiet",
        *map(str, arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path):
    made = tmp_path / WHEEL.name
    made.write_bytes(WHEEL.content)
    return made


def test_the_same_modules_are_the_same_bytes():
    assert agent_wheel.build() == WHEEL


def test_its_address_is_one_that_the_file_takes():
    address = WHEEL.address("bucket")

    assert address == f"s3://bucket/{WHEEL.key}#sha256={WHEEL.hash}"
    assert Workspace(name="lab", agent=address).agent == address


def test_it_has_what_a_machine_needs_and_no_more(file):
    names = zipfile.ZipFile(file).namelist()
    beside = {"coiled_pulumi/__init__.py", "coiled_pulumi/errors.py", "coiled_pulumi/values.py"}

    assert {
        name for name in names if not name.startswith(("coiled_pulumi/node/", "coiled_pulumi-"))
    } == beside
    assert "coiled_pulumi/node/__main__.py" in names


def test_pip_installs_it_and_the_agent_starts_from_there(file, tmp_path):
    there = tmp_path / "there"
    done = _pip("--target", there, f"file://{file}#sha256={WHEEL.hash}")
    assert (done.returncode, done.stderr) == (0, "")

    # Without the packages of this environment but botocore's: nothing else is on such a machine.
    command = [sys.executable, "-I", "-S", "-c", IMPORT, str(there), sysconfig.get_paths()["purelib"]]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == "True\n"


def test_pip_refuses_another_one(file, tmp_path):
    done = _pip("--target", tmp_path / "there", f"file://{file}#sha256={'0' * 64}")

    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
