"""The README from a bare checkout, in one shell, from `./run demo` to `./run down`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import fences
import pytest

from coiled_pulumi.engine import locate

pytestmark = pytest.mark.engine

#: As it was when tests were collected: the fixtures of single tests change it.
AMBIENT = dict(os.environ)
#: What would make the run depend on the shell that the tests were started from.
STRAY = ("AWS_", "PULUMI_", "COILED_", "VIRTUAL_ENV", "PYTHON", "COLUMNS")
#: A part of what the demo ends with: the row of its one cluster.
ROW = re.compile(r"^main +us-east-1a +5 +127\.\d+\.\d+\.\d+ +10\.10\.\d+\.\d+ +i-[0-9a-f]+ *$", re.MULTILINE)
#: What it computed: a row for each worker.
TASKS = re.compile(r"^(i-[0-9a-f]+) +\d+ tasks$", re.MULTILINE)
MARK = "##### "


def copy_of_checkout(target: Path) -> None:
    """Copy what git knows, or would take: nothing that happens to lie about here helps the run."""
    command = ["git", "-C", str(fences.ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if shutil.which("git") is None or not (fences.ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (fences.ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(fences.ROOT / name, target / name)


def processes_with(text: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_the_readme_works_and_leaves_nothing(tmp_path):
    if locate.find(AMBIENT) is None:
        pytest.fail("this test needs the engine: coiled-pulumi engine install")
    checkout, state = tmp_path / "checkout", tmp_path / "state"
    copy_of_checkout(checkout)
    env = {name: value for name, value in AMBIENT.items() if not name.startswith(STRAY)}
    # The engine that is there already is found; everything else goes where this test can look at it.
    env["XDG_STATE_HOME"] = str(state)
    steps = [f"echo '{MARK}{index}'\n{text}" for index, text in enumerate(fences.session())]
    script = "\n".join(["set -eo pipefail", *steps, f"echo '{MARK}end'"])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    try:
        outputs = re.split(rf"^{MARK}\w+\n", done.stdout, flags=re.MULTILINE)[1:]
        last = fences.session()[min(len(outputs), len(fences.session())) - 1]
        assert done.returncode == 0, f"ended in: {last}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
        said = dict(zip(fences.session(), outputs, strict=False))
        assert ROW.search(said["./run demo"])
        assert len(TASKS.findall(said["./run demo"])) == 5
        assert "\n5 of 5 workers joined; " in said["./run demo"]
        assert ROW.search(said["coiled-pulumi outputs --stack dev"])
        assert said["python examples/first_computation.py"] == "2 workers\nsum of squares: 332833500\n"
        assert said["coiled-pulumi cluster dashboard main --stack dev"].startswith("https://127.")
        count = re.search(r"^(\d+) created$", said["./run demo"], re.MULTILINE)[1]
        assert f"({count} resources" in fences.README.read_text("utf-8")
        assert f"{count} unchanged" in said["coiled-pulumi preview --stack dev"]
        assert re.search(rf"^ +{count} unchanged", said["pulumi preview -s dev"], re.MULTILINE)
        assert f"{count} deleted" in said["coiled-pulumi destroy --stack dev --yes"]
        assert re.fullmatch(
            r"local AWS: running on .*\ncalls: \d+\nhosts: .*\n", said["coiled-pulumi local status"]
        )
        assert processes_with(str(state)) == []
        assert not (checkout / ".venv").exists()
        assert not (checkout / "network.svg").exists()
        assert [path for path in state.rglob("*") if not path.is_dir()] == []
    finally:
        if (checkout / ".venv").exists():
            subprocess.run(["./run", "down"], cwd=checkout, env=env, capture_output=True, check=False)
