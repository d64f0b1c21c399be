"""What costs nothing: help, the version, completion, and what is said to a mistyped line."""

import re
import subprocess
import sys

import pytest
import typer.main
from _support.updating import ROOT

from coiled_pulumi.cli.app import app

HEAVY = ("pulumi", "pulumi_aws", "pydantic", "boto3", "moto", "rich", "yaml", "distributed", "hypothesis")
GROUP = typer.main.get_command(app)
VERBS = {
    (name, *([sub] if sub else []))
    for name, command in GROUP.commands.items()
    for sub in getattr(command, "commands", {"": None})
}
each_verb = pytest.mark.parametrize("verb", sorted(VERBS), ids=" ".join)


def test_the_verbs_are_these():
    assert {" ".join(verb) for verb in VERBS} == {
        *["init", "validate", "plan", "preview", "up", "refresh", "outputs", "destroy", "schema", "doctor"],
        *["explain", "notifications", "preflight", "set"],
        "setup aws",
        *(f"catalog {verb}" for verb in ("show", "update")),
        *(f"cluster {verb}" for verb in ("start", "status", "list", "logs", "dashboard")),
        *(f"cluster {verb}" for verb in ("scale", "rotate", "stop")),
        *(f"local {verb}" for verb in ("up", "down", "status", "env", "quota", "approve", "no-capacity")),
        *(f"local {verb}" for verb in ("kill", "spot-interrupt")),
        *(f"iam {verb}" for verb in ("setup", "ongoing", "instance")),
        "engine install",
    }


@each_verb
def test_each_verb_has_help_and_json(cli, verb):
    done = cli(*verb, "--help")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: coiled-pulumi {' '.join(verb)} [OPTIONS]")
    assert "--json" in done.out
    # Types stand nowhere but behind the name of an argument, where typer writes them by itself.
    told = re.sub(r"^  [A-Z_=]+ <[^>]+>", "", done.out, flags=re.MULTILINE)
    assert not re.search(r"<[a-z]|list\[", told)


def test_the_list_of_verbs_is_not_cut(cli):
    shown = cli("--help").out + cli("local", "--help").out + cli("engine", "--help").out

    assert [line for line in shown.splitlines() if line.endswith("...") and "[ARGS]" not in line] == []
    assert re.search(r"^  up +Make what the file says\.$", shown, re.MULTILINE)
    assert "8 cancelled\n" in shown


EXAMPLES = sorted(
    line.strip()
    for verb in VERBS
    for line in (GROUP.commands[verb[0]].epilog or "").splitlines()
    if line.strip().startswith("coiled-pulumi")
)


@pytest.mark.parametrize("example", sorted(set(EXAMPLES)))
def test_examples_have_only_options_that_exist(cli, example):
    words = example.partition(">")[0].split()[1:]

    assert cli(*words, "--help").code == 0


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from coiled_pulumi.cli.app import run\n"
        "codes = [run([]), run(['--help']), run(['--version'])]\n"
        f"print(codes, [name for name in {HEAVY!r} if name in sys.modules])\n"
        "codes = [run([verb, '--help']) for verb in ('up', 'plan', 'init', 'local', 'cluster')]\n"
        f"print(codes, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    told = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert told[0] == "[2, 0, 0] []"
    # Newer typer itself reads options that are paths or numbers by pydantic.
    assert told[1] in ("[0, 0, 0, 0, 0] []", "[0, 0, 0, 0, 0] ['pydantic']")


def test_version(cli):
    done = cli("--version")

    assert re.fullmatch(r"coiled-pulumi \d+\.\d+\.\d+\n", done.out)
    assert done.code == 0


@pytest.mark.parametrize(
    ("line", "about", "hint"),
    [
        ("nope", "no such command 'nope'", "coiled-pulumi --help"),
        ("plan --stack", "option '--stack' requires an argument", "coiled-pulumi --help"),
        ("plan --nope", "no such option: --nope", "coiled-pulumi plan --help"),
        ("local up --port 70000", "invalid value for '--port': ", "coiled-pulumi local up --help"),
        ("init --n-workers many", "invalid value for '--n-workers': ", "coiled-pulumi init --help"),
        ("plan extra", "got unexpected extra argument", "coiled-pulumi plan --help"),
    ],
)
def test_a_mistyped_line_is_exit_code_2_with_a_hint(cli, line, about, hint):
    done = cli(*line.split())
    error, *rest = done.err.splitlines()

    assert (done.code, done.out) == (2, "")
    assert error.lower().startswith(f"error: {about}")
    assert rest == [f"hint: {hint}"]


def test_a_group_without_a_verb_shows_its_help(cli):
    done = cli("local")

    assert (done.code, done.out) == (2, "")
    assert "Commands:\n  up " in done.err


def test_a_mistyped_line_is_json_where_json_was_asked_for(cli):
    done = cli("nope", "--json")

    assert done.code == 2
    assert done.data == {
        "version": 1,
        "error": {
            "kind": "UsageError",
            "what": ["no such command 'nope'"],
            "hint": "coiled-pulumi --help",
            "exit_code": 2,
        },
    }


@pytest.mark.parametrize(("typed", "offered"), [("", "dev prod staging"), ("st", "staging"), ("x", "")])
def test_stacks_are_completed(project, monkeypatch, capfd, typed, offered):
    from coiled_pulumi.cli.app import run

    monkeypatch.setenv("_COILED_PULUMI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"coiled-pulumi plan --stack {typed}")
    monkeypatch.setenv("COMP_CWORD", "3")

    assert run([]) == 0
    assert capfd.readouterr().out.split() == offered.split()
