"""The examples, run as whoever copies them runs them: from an empty folder, with nothing but what a shell has."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
#: What they write, as far as it is always the same.
WRITTEN = {
    "first_computation.py": "2 workers\nsum of squares: 332833500\n",
    "adaptive.py": "at first 0 workers\n40 results\nat the end 0 workers\n",
    "worker_groups.py": "2 workers\n10 of 10 tasks ran on the large one\n",
}
ATTACHED = "attach.py"


@pytest.fixture(scope="module")
def ran(lab, tmp_path_factory):
    """What each of them wrote, all run at the same time."""

    def run(name, *words):
        return subprocess.run(
            [sys.executable, str(EXAMPLES / name), *words],
            cwd=tmp_path_factory.mktemp("empty"), env=lab.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=400,
        )  # fmt: skip

    def attach():
        lab.cli("cluster", "start", "board", "--workspace", "lab", "--n-workers", "2", "--no-wait")
        return run(ATTACHED, "board", "--workspace", "lab", "--n-workers", "2")

    with ThreadPoolExecutor() as pool:
        attached = pool.submit(attach)
        done = dict(zip(WRITTEN, pool.map(run, WRITTEN), strict=True))
        yield done | {ATTACHED: attached.result()}
    lab.cli("cluster", "stop", "board", "--workspace", "lab", "--yes", code=None)


@pytest.mark.engine
@pytest.mark.parametrize("name", WRITTEN)
def test_an_example_writes_what_it_always_does_and_leaves_nothing(ran, lab, name):
    assert (ran[name].returncode, ran[name].stdout) == (0, WRITTEN[name]), ran[name].stderr
    listed = json.loads(lab.cli("cluster", "list", "--workspace", "lab", "--json").stdout)["clusters"]
    assert [one["name"] for one in listed] == ["board"]


@pytest.mark.engine
def test_attaching_tells_who_did_how_much_and_leaves_the_cluster_up(ran, lab):
    done = ran[ATTACHED]
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    tasks = {
        name: int(count)
        for name, count in (re.fullmatch(r"(\S+) +(\d+) tasks", row).groups() for row in rows)
    }
    assert sorted(tasks) == lab.role("board", "worker")
    assert sum(tasks.values()) == 200
    assert last == "pi is about 3.1418"


def test_the_workspace_with_gpus_asks_for_the_machines_and_packages_that_it_names(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "coiled_pulumi", "plan", "--file", str(EXAMPLES / "gpu.yaml"), "--json"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (cluster,) = json.loads(done.stdout)["clusters"]
    workers, node = cluster["workers"], cluster["node"]["config"]
    assert (workers["instance_types"], workers["n_workers"], workers["most"]) == (
        ["g5.xlarge", "g4dn.xlarge"],
        0,
        4,
    )
    assert workers["template"]["image"] == "image-dl-x86-64"
    assert '"group": "workers"' in workers["template"]["user_data"]
    assert "coiled_pulumi.node" in workers["template"]["user_data"]
    assert node["groups"]["workers"]["gpu"] == 1
    assert node["environment"]["packages"][:3] == ["dask", "distributed", "torch"]
    assert node["timers"]["idle"] == 600
    assert cluster["scheduler"]["image"] == "image-x86-64"


def test_every_example_is_told_of_and_tried():
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md", "__pycache__"}
    assert files == {*WRITTEN, ATTACHED, "gpu.yaml"}
    listed = re.findall(r"^- \[(.*?)\]\((.*?)\): ", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {name for name, link in listed if name == link} == files
