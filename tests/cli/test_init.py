"""`init`: what it writes, what it refuses, and when it asks."""

import json
from pathlib import Path

import pytest
import yaml
from _support.updating import ROOT

from coiled_pulumi.ops import target
from coiled_pulumi.spec.load import load
from coiled_pulumi.spec.schema import stack_file_schema


def _files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


SCHEMA = "stacks/stack-file.schema.json"
WHOLE = ["Pulumi.yaml", "stacks/Pulumi.dev.yaml", "stacks/__main__.py", SCHEMA]


def test_an_empty_folder_becomes_a_project(cli, folder):
    done = cli("init")

    assert done.code == 0
    assert done.out.splitlines() == [f"wrote {folder / name}" for name in (WHOLE[0], *WHOLE[2:], WHOLE[1])]
    assert done.err == "next: coiled-pulumi plan --stack dev\n"
    assert _files(folder) == WHOLE
    assert cli("validate").out == "stacks/Pulumi.dev.yaml: workspace dev with 1 cluster is valid\n"
    assert cli("plan", "--stack", "dev").code == 0


def test_editors_find_the_schema(cli, folder):
    cli("init")
    first, *_ = (folder / WHOLE[1]).read_text().splitlines()
    assert first == "# yaml-language-server: $schema=stack-file.schema.json"
    assert json.loads((folder / SCHEMA).read_text()) == stack_file_schema()

    cli("init", "--name", "second")
    assert (folder / "stacks" / "Pulumi.second.yaml").read_text().startswith(first)
    cli("init", "--file", "alone.yaml")
    assert "$schema" not in (folder / "alone.yaml").read_text()


def test_the_project_is_run_as_it_is(cli, folder, tmp_path):
    cli("init")
    made = target.target(folder / WHOLE[1], state=tmp_path / "state")

    assert made.project == folder
    ours = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    written = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert written == {key: ours[key] for key in written}


def test_what_it_says_is_what_the_flags_said(cli, folder):
    done = cli(
        *("init", "--name", "lab", "--region", "eu-west-1", "--zone", "eu-west-1b", "--cidr", "10.9.0.0/18"),
        *("--ingress", "198.51.100.0/24", "--cluster", "etl", "--n-workers", "7", "--worker", "c7g.large"),
        *("--scheduler", "m7g.large", "--file", "sub/lab file.yaml", "--yes"),
    )
    workspace = load("sub/lab file.yaml").workspace
    cluster = workspace.clusters["etl"]

    assert (done.code, done.out) == (0, "wrote sub/lab file.yaml\n")
    assert done.err == "next: coiled-pulumi plan --file 'sub/lab file.yaml'\n"
    assert _files(folder) == ["sub/lab file.yaml"]
    assert (workspace.name, workspace.region, workspace.zone) == ("lab", "eu-west-1", "eu-west-1b")
    assert str(workspace.network.cidr) == "10.9.0.0/18"
    assert [(rule.ports, str(rule.cidr)) for rule in workspace.ingress] == [
        (("8786", "8787"), "198.51.100.0/24")
    ]
    assert (cluster.n_workers, cluster.worker.instance_type) == ((7, 7), ("c7g.large",))
    assert cluster.scheduler.instance_type == ("m7g.large",)


def test_as_json(cli, folder):
    done = cli("init", "--json")

    assert done.err == ""
    assert done.data == {
        "version": 1,
        "workspace": "dev",
        "wrote": [str(folder / name) for name in (WHOLE[0], *WHOLE[2:], WHOLE[1])],
    }


def test_in_a_project_one_more_workspace_is_added_wherever_one_stands(cli, project, monkeypatch):
    before = _files(project)
    (project / "deep").mkdir()
    monkeypatch.chdir(project / "deep")
    done = cli("init", "--name", "lab")

    assert done.out == f"wrote {project / 'stacks' / 'Pulumi.lab.yaml'}\n"
    assert _files(project) == sorted([*before, "stacks/Pulumi.lab.yaml"])


def test_in_a_project_with_another_folder_for_stacks_the_file_goes_there(cli, folder):
    (folder / "Pulumi.yaml").write_text("name: coiled\nruntime: python\nstackConfigDir: config\n")
    cli("init")

    assert _files(folder) == ["Pulumi.yaml", "config/Pulumi.dev.yaml"]
    assert cli("validate", "--stack", "dev").code == 0


@pytest.mark.parametrize(
    ("there", "error"),
    [
        ("stacks/Pulumi.dev.yaml", "error: {here}/stacks/Pulumi.dev.yaml exists"),
        ("stacks/__main__.py", "error: {here}/stacks/__main__.py exists"),
        ("Pulumi.yaml", "error: {here}/Pulumi.yaml is another Pulumi project"),
    ],
)
def test_what_is_there_is_left_as_it_is(cli, folder, there, error):
    (folder / "stacks").mkdir()
    (folder / there).write_text("name: mine\n")
    done = cli("init")

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == error.format(here=folder)
    assert _files(folder) == [there]
    assert (folder / there).read_text() == "name: mine\n"


@pytest.mark.parametrize(
    ("flags", "where", "what"),
    [
        (["--name", "Bad Name"], "name", "'Bad Name'"),
        (["--name", "dev # not a comment"], "name", "'dev # not a comment'"),
        (["--name", "../up"], "name", "'../up'"),
        (["--name", "x\ny: 1"], "name", r"'x\ny: 1'"),
        (["--name", "12"], "name", "'12'"),
        (["--region", "mars"], "region", "'mars'"),
        (["--region", "us-east-1\nname: x"], "region", r"'us-east-1\nname: x'"),
        (["--zone", "us-east-1z"], "zone", "'us-east-1z'"),
        (["--cidr", "8.8.0.0/16"], "network.cidr", "'8.8.0.0/16'"),
        (["--ingress", "you"], "ingress[0].cidr", "'you'"),
        (["--cluster", "a: {}"], "clusters", "'a: {}'"),
        (["--n-workers", "0"], "clusters.main.n_workers", "0"),
        (["--worker", "m6i.mega"], "clusters.main.worker.instance_type", "'m6i.mega'"),
    ],
)
def test_wrong_flags_are_told_in_words_of_the_file_and_nothing_is_written(cli, folder, flags, where, what):
    done = cli("init", *flags)

    assert (done.code, done.out) == (2, "")
    assert f": {where}" in done.err
    assert what in done.err
    assert len(done.err.splitlines()) == 1
    assert _files(folder) == []


@pytest.mark.parametrize("flags", [[], ["--name", "null"], ["--name", "true"], ["--cluster", "no"]])
def test_words_that_mean_something_in_yaml_are_names(cli, folder, flags):
    name = flags[1] if "--name" in flags else "dev"
    done = cli("init", *flags)

    assert done.code == 0
    assert load(folder / "stacks" / f"Pulumi.{name}.yaml").workspace.name == name


def test_on_a_terminal_it_asks(terminal, folder):
    screen = terminal("init")
    screen.answer("Name of the workspace [dev]: ", "lab\n")
    screen.answer("AWS region [us-east-1]: ", "eu-west-1\n")
    done = screen.done()
    workspace = load(folder / "stacks" / "Pulumi.lab.yaml").workspace

    assert done.code == 0
    assert "Name of" not in done.out
    assert (workspace.name, workspace.region) == ("lab", "eu-west-1")


def test_ctrl_c_at_a_question_is_exit_code_8_and_nothing_is_written(terminal, folder):
    screen = terminal("init")
    screen.answer("Name of the workspace [dev]: ", "\x04")
    done = screen.done()

    assert (done.code, done.out) == (8, "")
    assert done.err.endswith("\nerror: stopped by you\n")
    assert _files(folder) == []
