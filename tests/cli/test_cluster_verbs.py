"""`cluster`: its flags, the way to a workspace without a file, completion, and what is refused; no engine, no AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from _support import up_records

from coiled_pulumi.aws.node_logs import Mark
from coiled_pulumi.cli import cluster_options
from coiled_pulumi.cli.cluster_logs import mark_text
from coiled_pulumi.cli.cluster_status import span
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops import target
from coiled_pulumi.outputs import GroupOutputs

OF = ("--workspace", "solo")
RANGE = GroupOutputs("solo-cluster-mine-workers-1234567", 0, 20, runtime=True)
GPU = GroupOutputs("solo-cluster-mine-gpu-1234567", 1, 1, runtime=False)


@pytest.fixture
def up(pulumi):
    """The workspace `solo`, up, with clusters beside its file; nobody here has that file."""
    mine = up_records.beside("mine", groups={"workers": RANGE, "gpu": GPU})
    pulumi.has({"solo": up_records.workspace(), "solo.mine": mine, "solo.half": {}}, region=up_records.REGION)
    return pulumi


@pytest.mark.parametrize(
    ("text", "size"),
    [("5", 5), ("0-20", [0, 20]), ("0,20", [0, 20]), ("[0, 20]", [0, 20]), ("2 - 4", [2, 4]), ("007", 7)],
)
def test_a_number_of_workers_or_a_range(text, size):
    assert cluster_options.workers(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "5-", "1-2-3", "1.5", "[0, 20", "1e3", "5 5"])
def test_what_is_no_number_of_workers(text):
    with pytest.raises(UsageError) as caught:
        cluster_options.workers(text)
    assert str(caught.value) == f"not a number of workers: '{text}'\nhint: as 5, or a range as 0-20"


NO_FILE = "hint: change it there, and bring it up with: coiled-pulumi up\n"


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["start", "new", "-n", "many"], 2,
         "error: not a number of workers: 'many'\nhint: as 5, or a range as 0-20\n"),
        (["start", "new", "-n", "20-0"], 2,
         "cluster new: n_workers: must have the smaller bound first, got [20, 0]\n"),
        (["start", "new", "--env", "=1"], 2,
         "error: --env takes KEY=VALUE or KEY\nhint: as in --env OMP_NUM_THREADS=1\n"),
        (["start", "new", "--env", "A=1", "--env", "A=2"], 2, "error: --env A is given twice\n"),
        (["start", "new", "--env", "NOT_SET"], 2,
         "error: --env NOT_SET: there is no such variable here\nhint: --env NOT_SET=VALUE\n"),
        (["start", "new", "--env", "A=1", "--set", "environ.A=2"], 2, "error: environ.A is given twice\n"),
        (["start", "new", "--idle-timeout", "soon"], 2,
         "cluster new: idle_timeout: must be a span of time as 20 minutes, 2h or 90 (seconds), or never, got 'soon'\n"),
        (["start", "new", "--python", "3"], 2,
         "cluster new: python: must be a version of Python in quotes as '3.12', got '3'\n"),
        (["start", "mine", "-n", "3"], 2,
         "error: cluster mine of solo is up with other settings\nhint: coiled-pulumi cluster scale mine N gives it "
         "more or fewer workers; else take another name, or first: coiled-pulumi cluster stop mine\n"),
        (["scale", "mine", "some"], 2,
         "error: not a number of workers: 'some'\nhint: as 5, or a range as 0-20\n"),
        (["scale", "mine", "21"], 2,
         "error: group workers of cluster mine has at most 20 workers, got 21\n"
         "hint: coiled-pulumi cluster scale mine 0-21 raises the range\n"),
        (["scale", "mine", "2", "--group", "cpu"], 2,
         "error: cluster mine has no group 'cpu' (found: workers, gpu)\nhint: --group LABEL\n"),
        (["scale", "one", "2"], 2, "error: cluster one stands in the file of solo\n" + NO_FILE),
        (["rotate", "one"], 2,
         "error: cluster one stands in the file of solo\n"
         "hint: coiled-pulumi set clusters.one.rotation=1, then: coiled-pulumi up\n"),
        (["rotate", "half"], 1,
         "error: cluster half of solo never came up whole\nhint: coiled-pulumi cluster start half goes on, "
         "coiled-pulumi cluster stop half deletes it\n"),
        (["status", "half"], 1,
         "error: cluster half of solo never came up whole\nhint: coiled-pulumi cluster start half goes on, "
         "coiled-pulumi cluster stop half deletes it\n"),
        (["dashboard", "none"], 6,
         "error: no cluster 'none' was started beside the file of solo (found: half, mine)\nhint: if it is new: "
         "coiled-pulumi cluster start none; if it stands in the file: change it there, and coiled-pulumi up\n"),
        (["logs", "mine", "--role", "nanny"], 2,
         "error: --role is scheduler or worker, got 'nanny'\nhint: coiled-pulumi cluster logs --help\n"),
        (["logs", "mine", "--since", "once"], 2,
         "error: since is no time: 'once'\nhint: write 2h or 3d, or 2026-11-23T12:00\n"),
        (["stop"], 2, "error: missing argument 'NAME'\nhint: coiled-pulumi cluster stop --help\n"),
        (["stop", "mine", "--all"], 2,
         "error: --all goes without NAME\nhint: coiled-pulumi cluster stop --help\n"),
        (["stop", "--all"], 2, "error: there is no terminal to ask on\nhint: add --yes\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_mistakes_are_one_line_with_the_next_step(cli, up, words, code, err):
    done = cli("cluster", *words, *OF)

    assert (done.code, done.out, done.err) == (code, "", err)
    assert not {"up", "destroy", "stack init", "stack rm"} & set(up.verbs())


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["--workspace", "solo", "--stack", "solo"], 2,
         "error: --workspace and --stack exclude each other\nhint: --workspace is for who has no file\n"),
        (["--workspace", "solo", "--file", "solo.yaml"], 2,
         "error: --workspace and --file exclude each other\nhint: --workspace is for who has no file\n"),
        (["--workspace", ""], 2,
         "error: no workspace is called ''\nhint: lower-case letters, digits and hyphens\n"),
        (["--workspace", "So lo"], 2,
         "error: no workspace is called 'So lo'\nhint: lower-case letters, digits and hyphens\n"),
        (["--workspace", "other"], 6,
         "error: no stack named 'other' found\nhint: bring it up with: coiled-pulumi up\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_workspace_that_cannot_be_meant(cli, up, words, code, err):
    done = cli("cluster", "list", *words)
    assert (done.code, done.out, done.err) == (code, "", err)


def test_without_a_file_the_environment_or_the_backend_says_which_workspace(cli, up, monkeypatch):
    assert cli("cluster", "dashboard", "mine", "--no-token").out == "https://192.0.2.7:8787/status\n"

    up.has({"solo": up_records.workspace(), "other": {}})
    done = cli("cluster", "list")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: which workspace? found: other, solo")
    monkeypatch.setenv("COILED_PULUMI_WORKSPACE", "solo")
    assert cli("cluster", "list", "--json").data["workspace"] == "solo"


def test_the_token_is_printed_by_one_verb_alone(cli, up):
    assert cli("cluster", "dashboard", "mine", *OF).out == "https://192.0.2.7:8787/status?token=tok-en\n"
    assert cli("cluster", "dashboard", "one", *OF, "--json").data == {
        "version": 1,
        "cluster": "one",
        "dashboard": "https://192.0.2.7:8787/status?token=tok-en",
        "scheduler": "tls://192.0.2.7:8786",
    }
    listed = cli("cluster", "list", *OF)
    assert "tok-en" not in listed.out + listed.err + cli("cluster", "list", *OF, "--json").out


def test_open_hands_the_link_to_the_browser(up, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "coiled_pulumi", "cluster", "dashboard", "mine", "--open", *OF],
        env={**os.environ, "BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "opened").read_text() == done.stdout


def test_secrets_that_cannot_be_read_are_told(cli, up):
    sealed = up_records.beside("mine", security="[secret]")
    up.has({"solo": up_records.workspace(), "solo.mine": sealed})
    done = cli("cluster", "dashboard", "mine", *OF)
    assert (done.code, done.err.splitlines()[0]) == (1, "error: the certificates of cluster mine are sealed")


def test_flags_become_keys_and_values_of_variables_stand_nowhere(cli, up, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "hush-hush")
    words = ["--n-workers", "0-20", "--worker-type", "m6i.large,m5.large", "--spot", "--idle-timeout", "1h",
             "--cluster-timeout", "never", "--env", "API_TOKEN", "--env", "EMPTY=", "--package", "pandas==2.2.3",
             "--package", "s3fs", "--python", "3.12", "--set", "worker.disk.size=100"]  # fmt: skip
    done = cli("cluster", "start", "new", *words, *OF, "--no-wait")

    assert done.code == 0, done.err
    own = target.lock_of("solo.new", state=target.state_home()).parent
    config = json.loads((own / "Pulumi.solo.new.yaml").read_text())["config"]["coiled:cluster"]
    assert config["cluster"] == {
        "n_workers": [0, 20],
        "spot": True,
        "idle_timeout": "1h",
        "cluster_timeout": "never",
        "environ": {"API_TOKEN": "", "EMPTY": ""},
        "packages": ["pandas==2.2.3", "s3fs"],
        "python": "3.12",
        "worker": {"instance_type": ["m6i.large", "m5.large"], "disk": {"size": 100}},
    }
    home = Path(os.environ["XDG_STATE_HOME"])
    assert not [file for file in home.rglob("*") if file.is_file() and b"hush-hush" in file.read_bytes()]
    assert "hush-hush" not in json.dumps(up.calls())


def test_a_further_group_of_a_fixed_size_goes_through_the_engine(cli, up):
    record = up_records.beside("mine", groups={"workers": RANGE, "gpu": GPU})
    record["cluster"]["config"]["cluster"] = {"n_workers": [0, 20], "worker_groups": {"gpu": {"gpu": 1}}}
    up.has({"solo": up_records.workspace(), "solo.mine": record})
    done = cli("cluster", "scale", "mine", "3", "--group", "gpu", "--no-wait", *OF)

    assert done.code == 0, done.err
    own = target.lock_of("solo.mine", state=target.state_home()).parent
    config = json.loads((own / "Pulumi.solo.mine.yaml").read_text())["config"]["coiled:cluster"]
    assert config["cluster"]["worker_groups"] == {"gpu": {"gpu": 1, "n_workers": 3}}
    assert config["cluster"]["n_workers"] == [0, 20]


def test_rotate_gives_the_next_rotation_and_does_not_wait(cli, up):
    done = cli("cluster", "rotate", "mine", *OF, "--json")

    assert (done.code, done.data["rotation"], done.data["taken"]) == (0, 1, None)
    own = target.lock_of("solo.mine", state=target.state_home()).parent
    config = json.loads((own / "Pulumi.solo.mine.yaml").read_text())["config"]["coiled:cluster"]
    assert config["cluster"] == {"rotation": 1}


def test_all_clusters_beside_the_file_are_stopped(cli, up):
    done = cli("cluster", "stop", "--all", "--yes", *OF, "--json")

    assert [one["cluster"] for one in done.data["clusters"]] == ["half", "mine"]
    stacks = json.loads((up.folder / "stacks.json").read_text())
    assert list(stacks) == ["solo"]
    assert cli("cluster", "stop", "--all", "--yes", *OF).err == "there is no cluster to delete\n"


@pytest.fixture
def known(solo, cli, up):
    """What this machine knows of after it brought clusters up: the file's `one`, and two beside it."""
    cli("cluster", "list", "--file", "solo.yaml")
    state = target.state_home()
    for stack in ("solo.mine", "solo.more", "solo.zone.us-east-1b", "other.far"):
        target.beside(
            stack.partition(".")[0], stack, region="us-east-1", key="cluster", value={}, state=state
        )


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("cluster status", "far mine more one"),
        ("cluster status --workspace solo", "mine more one"),
        ("cluster logs --workspace other", "far"),
        ("cluster stop --workspace solo", "mine more"),
        ("cluster dashboard m", "mine more"),
        ("cluster list --workspace", "solo"),
    ],
)
def test_names_are_completed_from_what_this_machine_knows(
    known, capsys, monkeypatch, typed, offered, tmp_path
):
    from coiled_pulumi.cli.app import run

    words = typed.split()
    last = words.pop() if words[-1] == "m" else ""
    monkeypatch.setenv("_COILED_PULUMI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["coiled-pulumi", *words, last]))
    monkeypatch.setenv("COMP_CWORD", str(len(words) + 1))
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no engine to start

    assert run([]) == 0
    assert capsys.readouterr().out.split() == offered.split()


def test_a_mark_reads_as_a_sentence():
    assert mark_text(Mark("joined", "i-1", "worker", "gpu", 2.0, 1.26)) == "joined (gpu) after 1.3 s"
    assert mark_text(Mark("environment", "i-1", "worker", "workers", 2.0, None, "pip", "a\nb")) == (
        "environment: pip\na\nb"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5 seconds"), (90, "90 seconds"), (1200, "20 minutes"), (3600, "60 minutes"), (7200, "2 hours"),
     (90000, "25 hours"), (259200, "3 days")],
)  # fmt: skip
def test_spans_as_people_say_them(seconds, said):
    assert span(seconds) == said
