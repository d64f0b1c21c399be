"""The verbs that need a file and nothing else: validate, plan, schema."""

import dataclasses
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import jsonschema
import pytest
import yaml
from _support import examples
from _support.updating import ROOT, SNAPSHOTS, check_snapshot

from coiled_pulumi.plan import model
from coiled_pulumi.plan.draw import MOST, draw

WRONG = "name: Lab\nregion: mars\n"
SVG = "{http://www.w3.org/2000/svg}"


@examples.each
def test_validate(cli, project, example):
    done = cli("validate", "--stack", example)

    clusters = {"dev": "1 cluster", "prod": "2 clusters", "staging": "1 cluster"}[example]
    assert (done.code, done.err) == (0, "")
    assert done.out == f"stacks/Pulumi.{example}.yaml: workspace {example} with {clusters} is valid\n"


def test_validate_as_json(cli, project):
    assert cli("validate", "-s", "dev", "--json").data == {
        "version": 1,
        "file": "stacks/Pulumi.dev.yaml",
        "workspace": "dev",
        "valid": True,
    }


@pytest.mark.parametrize("verb", ["validate", "plan", "preview", "up", "refresh", "destroy", "outputs"])
def test_what_is_wrong_is_on_stderr_with_file_and_line_and_exit_code_2(cli, folder, verb):
    (folder / "lab.yaml").write_text(WRONG)
    done = cli(verb, "--file", "lab.yaml")

    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("lab.yaml:1: name: ")
    assert second.startswith("lab.yaml:2: region: ")


def test_what_is_wrong_is_a_list_of_lines_in_json(cli, folder):
    (folder / "lab.yaml").write_text(WRONG)
    done = cli("validate", "--file", "lab.yaml", "--json")

    assert done.code == 2
    assert done.data == {
        "version": 1,
        "error": {"kind": "SpecErrors", "what": done.err.splitlines(), "hint": "", "exit_code": 2},
    }


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "error: which workspace? found: dev, prod, staging\nhint: name it with --stack\n"),
        (
            ["-s", "lab"],
            6,
            "error: no workspace 'lab' here (found: dev, prod, staging)\n"
            "hint: coiled-pulumi init --name lab\n",
        ),
        (
            ["-f", "none.yaml"],
            2,
            "error: none.yaml: no such file or directory\nhint: coiled-pulumi init writes a workspace file\n",
        ),
        (["-f", "stacks"], 2, "error: stacks: is a folder\nhint: name the workspace file in it\n"),
        (
            ["-s", "dev", "-f", "x.yaml"],
            2,
            "error: --stack and --file exclude each other\nhint: --file names the workspace by its file\n",
        ),
    ],
    ids=["which", "unknown", "no-file", "folder", "both"],
)
def test_a_workspace_that_is_not_clear(cli, project, arguments, code, error):
    done = cli("plan", *arguments)

    assert (done.code, done.out, done.err) == (code, "", error)


def test_a_file_that_names_another_workspace_is_refused(cli, project):
    file = project / "stacks" / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("name: dev", "name: prod"))
    done = cli("destroy", "--stack", "dev", "--yes")

    assert done.code == 2
    assert done.err.endswith(": name: must be the stack's name 'dev', got 'prod'\n")


@examples.each
def test_plan_as_json_is_the_plan(cli, project, example):
    done = cli("plan", "--stack", example, "--json")

    assert done.err == ""
    assert done.out.rstrip("\n") == model.to_json(examples.plan(example)).rstrip("\n")


def test_plan_table(cli, project):
    done = cli("plan", "--stack", "prod")

    assert (done.code, done.err) == (0, "")
    assert [line.rstrip() for line in done.out.splitlines()] == [
        "prod in us-east-1, network 10.30.0.0/16, logs 90 days",
        "",
        "zone        private         public",
        "us-east-1a  10.30.0.0/19    10.30.224.0/22",
        "us-east-1b  10.30.32.0/19   10.30.228.0/22  NAT gateway",
        "us-east-1c  10.30.64.0/19   10.30.232.0/22",
        "us-east-1d  10.30.96.0/19   10.30.236.0/22",
        "us-east-1e  10.30.128.0/19  10.30.240.0/22",
        "us-east-1f  10.30.160.0/19  10.30.244.0/22",
        "",
        "way out (network.nat)  USD a month  USD a GB",
        "gateway                36.50        0.045     chosen; list prices of us-east-1, before traffic",
        "per-zone               219.00       0.045",
        "instance               7.36         none",
        "none                   219.00       0.010",
        "",
        "opens  to               for",
        "8786   198.51.100.0/24  Dask protocol",
        "8787   198.51.100.0/24  Dask dashboard",
        "",
        "cluster  zone        workers  worker                scheduler",
        "etl      us-east-1b  40       m6i.4xlarge, 200 GiB  m6i.2xlarge, 30 GiB",
        "reports  us-east-1c  10       m7g.2xlarge, 100 GiB  m7g.xlarge, 30 GiB",
    ]


def test_plan_of_a_closed_workspace_without_clusters(cli, folder):
    (folder / "lab.yaml").write_text("name: lab\nnetwork: {zones: [us-east-1a]}\ningress: []\n")
    shown = cli("plan", "-f", "lab.yaml").out

    assert shown.splitlines()[-1] == "nothing reaches the schedulers from outside"
    assert "cluster " not in shown


def test_plan_tree(cli, solo):
    done = cli("plan", "--file", "solo.yaml", "--tree")

    assert done.err == ""
    assert done.out.splitlines() == [
        "solo us-east-1",
        "├── network 10.50.0.0/16",
        "│   ├── us-east-1a",
        "│   │   ├── private 10.50.0.0/19",
        "│   │   └── public 10.50.224.0/22",
        "│   ├── NAT gateway in public-us-east-1a",
        "│   └── endpoint com.amazonaws.us-east-1.s3",
        "├── security groups",
        "│   ├── cluster-group",
        "│   │   ├── egress-all-to-0-0-0-0-0",
        "│   │   └── ingress-all-from-self",
        "│   └── scheduler-group",
        "│       └── ingress-8786-from-me",
        "├── role and instance profile solo",
        "├── log group solo, 30 days",
        "└── cluster one in us-east-1a",
        "    ├── scheduler m6i.xlarge in public-us-east-1a",
        "    └── 1 workers m6i.xlarge or m5.xlarge in private-us-east-1a",
    ]


def test_in_a_pipe_nothing_is_cut_coloured_or_wrapped(cli, project, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    done = cli("plan", "--stack", "prod")

    assert "\x1b" not in done.out + done.err
    assert "etl      us-east-1b  40       m6i.4xlarge, 200 GiB  m6i.2xlarge, 30 GiB\n" in done.out


def test_the_picture_of_the_network(cli, project):
    done = cli("plan", "--stack", "prod", "--svg", "-")

    assert (done.code, done.err) == (0, "")
    check_snapshot(SNAPSHOTS / "prod" / "network.svg", done.out)


def test_the_picture_goes_into_a_file_beside_the_table(cli, project):
    done = cli("plan", "--stack", "prod", "--svg", "net.svg")

    assert done.err == "network drawn in net.svg\n"
    assert done.out == cli("plan", "--stack", "prod").out
    assert (project / "net.svg").read_text() == draw(examples.plan("prod"))


def test_a_picture_that_cannot_be_written_is_an_error_of_one_line(cli, project):
    done = cli("plan", "--stack", "prod", "--svg", "none/net.svg")

    assert (done.code, done.err) == (1, "error: none/net.svg: no such file or directory\n")


@examples.each
def test_everything_of_the_plan_is_in_the_picture(example):
    plan = examples.plan(example)
    picture = ET.fromstring(draw(plan))  # noqa: S314 our own
    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    titles = [element.text or "" for element in picture.iter(f"{SVG}title")]

    assert picture.tag == f"{SVG}svg"
    for subnet in plan.network.subnets:
        assert texts.count(f"{subnet.tier} {subnet.cidr}") == 1
    for cluster in plan.clusters:
        assert f"{cluster.name}: scheduler {cluster.scheduler.instance_type}" in titles
        workers = cluster.workers
        many = f"{workers.n_workers} \N{MULTIPLICATION SIGN} {workers.template.instance_type}"
        assert f"{cluster.name}: {many}" in titles


def test_names_are_escaped_in_the_picture():
    odd = "<b>&\"'x"
    plan = examples.plan("prod")
    clusters = tuple(dataclasses.replace(cluster, name=odd) for cluster in plan.clusters)
    picture = ET.fromstring(draw(dataclasses.replace(plan, name=odd, clusters=clusters)))  # noqa: S314
    titles = [element.text for element in picture.iter(f"{SVG}title")]

    assert titles[0] == f"Network of the workspace {odd}"
    assert f"{odd}: 40 \N{MULTIPLICATION SIGN} m6i.4xlarge" in titles


def test_many_clusters_are_counted_in_the_picture():
    plan = examples.plan("dev")
    many = tuple(dataclasses.replace(plan.clusters[0], name=f"c{i}") for i in range(MOST + 4))

    assert draw(dataclasses.replace(plan, clusters=many)).count("and 4 more</title>") == 2


def test_schema_accepts_the_examples_and_refuses_what_it_does_not_know(cli):
    schema = cli("schema").data
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for file in examples.FILES:
        stack = yaml.safe_load(file.read_text())
        validator.validate(stack)
        stack["config"]["coiled:workspace"]["colour"] = "red"
        assert [error.validator for error in validator.iter_errors(stack)] == ["additionalProperties"]


def test_bare_schema_is_of_the_workspace_alone(cli):
    validator = jsonschema.Draft202012Validator(cli("schema", "--bare", "--json").data)
    validator.validate({"name": "lab"})

    assert not validator.is_valid({"config": {"coiled:workspace": {"name": "lab"}}})


def test_a_reader_that_goes_away_is_nothing_to_complain_about(project):
    command = f"{sys.executable} -m coiled_pulumi plan --stack prod --json | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=project,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


def test_the_examples_are_found_from_the_repository():
    done = subprocess.run(
        [sys.executable, "-m", "coiled_pulumi", "plan", "--stack", "dev", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "docs" if (ROOT / "docs").is_dir() else ROOT,
    )

    assert json.loads(done.stdout) == json.loads(model.to_json(examples.plan("dev")))
    assert done.stderr == ""
