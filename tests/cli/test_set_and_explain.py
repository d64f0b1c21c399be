"""`set` and `explain`: what they write and how they end."""

import pytest
from _support.dask_files import configured

FILE = """\
name: lab
zone_name: us-east-1b  # the cheap one
clusters:
  main:
    worker: {cpu: 4}  # small
"""


@pytest.fixture
def lab(folder):
    """A workspace file in the folder."""
    file = folder / "lab.yaml"
    file.write_text(FILE)
    return file


def test_set_shows_the_lines_and_writes_them(cli, lab):
    done = cli("set", "clusters.main.worker.cpu=8", "zone=us-east-1c", "--file", "lab.yaml", "--yes")

    assert (done.code, done.err) == (0, "wrote lab.yaml\n")
    assert done.out == (
        "--- lab.yaml\n+++ lab.yaml\n@@ -1,5 +1,5 @@\n name: lab\n"
        "-zone_name: us-east-1b  # the cheap one\n+zone_name: us-east-1c  # the cheap one\n"
        " clusters:\n   main:\n-    worker: {cpu: 4}  # small\n+    worker: {cpu: 8}  # small\n"
    )
    assert lab.read_text() == FILE.replace("1b", "1c").replace("cpu: 4", "cpu: 8")


def test_set_of_a_cluster_and_of_nothing(cli, lab):
    done = cli("set", "worker.memory=32 GiB", "worker.cpu=", "-c", "main", "--file", "lab.yaml", "--yes")

    assert done.code == 0
    assert lab.read_text() == FILE.replace("cpu: 4", "memory: 32 GiB")


def test_set_as_json(cli, lab):
    done = cli("set", "spot=true", "--file", "lab.yaml", "--dry-run", "--json")

    assert done.data == {
        "version": 1, "file": "lab.yaml", "workspace": "lab", "changed": True, "written": False,
        "diff": "--- lab.yaml\n+++ lab.yaml\n@@ -3,3 +3,4 @@\n clusters:\n   main:\n"
        "     worker: {cpu: 4}  # small\n+spot: true\n",
    }  # fmt: skip
    assert lab.read_text() == FILE
    done = cli("set", "zone=us-east-1b", "--file", "lab.yaml", "--json")
    assert (done.data["changed"], done.data["written"]) == (False, False)


WITH_VARIABLE = """\
name: lab
clusters:
  main:
    environ:
      TOKEN: geheim
    idle_timeout: 20 minutes
"""


@pytest.mark.parametrize(
    "words",
    [
        ("set", "clusters.main.n_workers=[0, 20]", "clusters.main.idle_timeout=2h", "--yes"),
        ("set", "clusters.main.environ.OTHER=geheim2", "--yes"),
        ("set", "clusters.main.environ.TOKEN=geheim2", "--yes", "--json"),
        ("set", "clusters.main.environ.TOKEN=", "--yes"),
        ("set", "clusters.main.environ.TOKEN=12345", "--yes"),
        ("explain", "clusters.main"),
        ("explain", "clusters.main.environ"),
        ("explain", "clusters.main.environ.TOKEN", "--json"),
        ("plan", "--json"),
        ("plan", "--tree"),
        ("validate", "--json"),
        ("iam", "--json"),
    ],
    ids=" ".join,
)
def test_no_verb_prints_the_value_of_a_variable(cli, lab, words):
    lab.write_text(WITH_VARIABLE)
    done = cli(*words, "--file", "lab.yaml")

    assert done.out + done.err
    assert "geheim" not in done.out + done.err
    assert "12345" not in done.out + done.err


def test_set_what_runs_on_the_machines(cli, lab):
    lab.write_text(WITH_VARIABLE)
    keys = ("n_workers=[0, 20]", "idle_timeout=2h", "environ.OTHER=x", "worker_groups.big.n_workers=2")
    done = cli("set", *keys, "-c", "main", "--file", "lab.yaml", "--yes")

    assert done.code == 0
    assert cli("explain", "n_workers", "-c", "main", "--file", "lab.yaml").out.startswith(
        "clusters.main.n_workers = [0, 20]\n"
    )
    assert cli("explain", "idle_timeout", "-c", "main", "--file", "lab.yaml").out.startswith(
        "clusters.main.idle_timeout = 2 hours\n"
    )
    assert "OTHER: x\n" in lab.read_text()


@pytest.mark.parametrize(
    ("settings", "err"),
    [
        (["spot=true"], "error: there is no terminal to ask on\nhint: add --yes\n"),
        (["spot"], "error: must be KEY=VALUE, got 'spot'\nhint: as in region=us-west-2\n"),
        (["spot=true", "spot=false"], "error: spot is given twice\n"),
        (["spot=[", "--yes"], "error: spot: is not valid YAML: "),
        (["spt=true", "--yes"], "lab.yaml: spt: is not a known key; did you mean spot\n"),
        (["spt=", "--yes"], "lab.yaml: spt: is not a known key; did you mean spot\n"),
        (["clusters.main.worker.cpu=x", "--yes"], "lab.yaml:5: clusters.main.worker.cpu: must be a whole"),
        (["cpu=1", "--cluster", "mian"], "error: lab.yaml has no cluster 'mian'\nhint: did you mean main\n"),
        (["zone.x=1", "--yes"], "error: lab.yaml:2: zone_name.x: cannot be edited in place"),
    ],
    ids=" ".join,
)
def test_set_refuses(cli, lab, settings, err):
    done = cli("set", *settings, "--file", "lab.yaml")

    assert done.code == 2
    assert done.err.startswith(err)
    assert lab.read_text() == FILE


def test_a_workspace_of_a_project_keeps_the_name_of_its_stack(cli, project, lab):
    done = cli("set", "name=other", "--file", "stacks/Pulumi.dev.yaml", "--yes")
    assert (done.code, done.err) == (
        2,
        "stacks/Pulumi.dev.yaml:5: name: must be the stack's name 'dev', got 'other'\n",
    )
    assert cli("set", "name=other", "--file", "lab.yaml", "--yes").code == 0


def test_set_asks(terminal, lab):
    started = terminal("set", "spot=true", "--file", "lab.yaml")
    started.answer("Write lab.yaml? [y/N]", "n\n")
    assert started.done().code == 8
    assert lab.read_text() == FILE

    started = terminal("set", "spot=true", "--file", "lab.yaml")
    started.answer("Write lab.yaml? [y/N]", "y\n")
    assert started.done().code == 0
    assert lab.read_text() == FILE + "spot: true\n"


def test_explain_a_key(cli, lab):
    done = cli("explain", "zone", "--file", "lab.yaml")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "zone = us-east-1b",
        "  set by      workspace, lab.yaml:2",
        "  what it is  Availability zone, also `zone_name`.",
        "  takes       text",
        "  default     the region's first",
        "  on change   replaces the cluster",
        "  also named  zone_name",
    ]
    assert cli("explain", "zone", "--cluster", "main", "--file", "lab.yaml").out.startswith(
        "clusters.main.zone = us-east-1b\n"
    )


def test_explain_as_json(cli, lab):
    (key,) = cli("explain", "zone", "--file", "lab.yaml", "--json").data["keys"]

    assert key == {
        "path": "zone", "value": "us-east-1b", "level": "workspace", "place": "lab.yaml:2", "note": "",
        "overridden": [], "type": "text", "bounds": "", "default": "the region's first", "required": False,
        "description": "Availability zone, also `zone_name`.", "on_change": "replaces the cluster",
        "levels": ["cluster", "workspace", "config"], "aliases": ["zone_name"],
    }  # fmt: skip


def test_explain_without_a_path_is_a_table(cli, lab, monkeypatch):
    said = {"DASK_COILED_PULUMI__BACKEND_OPTIONS__SPOT": "true"}
    with configured(variables=said):
        monkeypatch.setenv(*said.popitem())
        rows = cli("explain", "--file", "lab.yaml").out.splitlines()

    assert len(rows) == 17
    assert [row.split() for row in rows if row.startswith("spot ")] == [
        ["spot", "true", "dask's", "configuration,", "DASK_COILED_PULUMI__BACKEND_OPTIONS__SPOT"]
    ]
    paths = [
        key["path"] for key in cli("explain", "--cluster", "main", "-f", "lab.yaml", "--json").data["keys"]
    ]
    assert paths[:2] == ["clusters.main.region", "clusters.main.zone"]


def test_explain_a_mapping_lists_what_is_in_it(cli, lab):
    out = cli("explain", "clusters.main.worker", "--file", "lab.yaml").out.splitlines()

    assert out[0].startswith("clusters.main.worker has instance_type, cpu, ")
    assert [line.split()[:2] for line in out if ".worker.cpu" in line] == [["clusters.main.worker.cpu", "4"]]


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["regoin"], "error: regoin: 'regoin' is not a known key\nhint: did you mean region\n"),
        (["--cluster", "mian"], "error: lab.yaml has no cluster 'mian'\nhint: did you mean main\n"),
    ],
    ids=str,
)
def test_explain_refuses(cli, lab, words, err):
    done = cli("explain", *words, "--file", "lab.yaml")

    assert (done.code, done.out, done.err) == (2, "", err)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("explain --file lab.yaml clusters.main.worker.d", "clusters.main.worker.disk clusters.main.worker.disk.size "
         "clusters.main.worker.disk.throughput clusters.main.worker.disk.iops"),
        ("explain --file lab.yaml network.n", "network.nat"),
        ("explain --file lab.yaml --cluster main zo", "zone"),
        ("explain --file lab.yaml --cluster m", "main"),
        ("explain --file nosuch.yaml regio", "region"),
        ("set --file lab.yaml key", "keypair_name="),
        ("set --file lab.yaml zone=us", ""),
    ],
)  # fmt: skip
def test_paths_are_completed(lab, monkeypatch, capfd, line, offered):
    from coiled_pulumi.cli.app import run

    monkeypatch.setenv("_COILED_PULUMI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"coiled-pulumi {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))

    assert run([]) == 0
    assert capfd.readouterr().out.split() == offered.split()
