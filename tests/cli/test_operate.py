"""preview, up, refresh, destroy and outputs, on an engine that tells what the real one told before."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from _support import streams

FILE = ("--file", "solo.yaml")


@pytest.fixture(autouse=True)
def _files(solo, pulumi):
    pass


def test_preview_lists_what_is_to_come_and_says_nothing_is_done(cli, pulumi):
    pulumi.does("preview", stream="preview")
    done = cli("preview", *FILE)

    assert done.code == 0
    assert [line.rstrip() for line in done.out.splitlines()] == [
        "+  Vpc       solo-vpc",
        "+  LogGroup  solo-logs",
        "+  Instance  solo-cluster-one-scheduler",
        "7 to create",
    ]
    assert done.err == "preview solo ...\npreview solo took 0 s\n"


def test_the_stack_is_made_without_touching_the_user_s_file(cli, pulumi, solo, tmp_path):
    pulumi.does("preview", stream="preview")
    before = solo.read_bytes()
    cli("preview", *FILE)
    init, preview = pulumi.calls()

    assert init[0] == "stack init"
    assert init[init.index("--stack") + 1] == "solo"
    own = init[init.index("-C") + 1]
    assert own.startswith(str(os.environ["XDG_STATE_HOME"]))
    assert preview[preview.index("--config-file") + 1] == f"{own}/Pulumi.solo.yaml"
    assert "--non-interactive" in preview
    assert solo.read_bytes() == before


def test_a_stack_that_exists_elsewhere_is_used(cli, pulumi):
    pulumi.does("stack init", code=255, stderr="error: stack 'solo' already exists\n")
    pulumi.does("up", stream="same")

    assert cli("up", *FILE, "--yes").code == 0
    assert pulumi.verbs() == ["stack init", "stack export", "up"]


def test_as_json(cli, pulumi):
    pulumi.does("up", stream="change")
    done = cli("up", *FILE, "--yes", "--json")
    data = done.data

    assert {key: data[key] for key in data if key not in ("resources", "seconds")} == {
        "version": 1,
        "verb": "up",
        "stack": "solo",
        "changes": {"same": 2, "update": 3, "create": 2, "delete": 1},
        "policies": [],
        "diagnostics": [],
        "workers": {},
    }
    assert [(row["op"], row["name"], row["diffs"]) for row in data["resources"]] == [
        (row.op, row.name, list(row.diffs)) for row in streams.progress("change").changed
    ]


def test_expecting_no_changes(cli, pulumi):
    pulumi.does("preview", stream="same")
    assert cli("preview", *FILE, "--expect-no-changes").code == 0

    pulumi.does("preview", stream="preview")
    done = cli("preview", *FILE, "--expect-no-changes", "--json")
    assert done.code == 7
    assert done.data["changes"] == {"create": 7}
    assert done.err.splitlines()[-1] == "error: there are changes where none were expected"


def test_a_refresh_says_what_was_found_not_what_was_done(cli, pulumi):
    pulumi.does("refresh", stream="refresh")
    done = cli("refresh", *FILE, "--yes")

    assert [line.rstrip() for line in done.out.splitlines()] == [
        "-  RolePolicy  solo-policy",
        "~  LogGroup    solo-logs    retentionInDays",
        "1 changed outside of Pulumi, 1 gone, 3 unchanged",
    ]
    assert [line[8:] for line in done.err.splitlines()[1:-1]] == [
        "- RolePolicy solo-policy gone",
        "~ LogGroup solo-logs changed outside of Pulumi",
    ]


@pytest.mark.parametrize("verb", ["refresh", "destroy"])
def test_only_telling_asks_nothing_and_changes_nothing(cli, pulumi, verb):
    pulumi.does(verb, stream=verb)

    assert cli(verb, *FILE, "--preview-only").code == 0
    assert [("--preview-only" in call, "--yes" in call) for call in pulumi.calls()] == [(True, False)]


@pytest.mark.parametrize("verb", ["up", "refresh", "destroy"])
def test_without_a_terminal_nothing_is_begun_without_yes(cli, pulumi, verb):
    done = cli(verb, *FILE)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: there is no terminal to ask on\nhint: add --yes\n"

    done = cli(verb, *FILE, "--json")
    assert done.code == 2
    assert done.data["error"]["what"] == ["with --json nothing is asked"]
    assert pulumi.calls() == []


def test_a_failure_is_exit_code_4_with_what_aws_said_once(cli, pulumi):
    pulumi.does("up", stream="failed", code=4)
    done = cli("up", *FILE, "--yes", "--json")

    assert done.code == 4
    (what,) = done.data["error"]["what"]
    assert what == (
        "taken-logs: something of this name exists already: The specified log group already exists "
        "(ResourceAlreadyExistsException)"
    )
    lines = [line[8:] for line in done.err.splitlines() if line.endswith(" failed")]
    assert lines == ["+ LogGroup taken-logs failed"]
    assert done.err.endswith(f"error: {what}\nhint: {done.data['error']['hint']}\n")


def test_a_violated_policy_is_found_before_anything_is_made(cli, pulumi, folder):
    (folder / "pack").mkdir()
    pulumi.does("preview", stream="mandatory", code=4)
    done = cli("up", *FILE, "--yes", "--policy-pack", "pack")

    assert (done.code, done.out) == (5, "")
    assert done.err.splitlines()[-2:] == [
        "error: a mandatory policy is violated",
        "logs-kept: small-logs: Logs are kept for a year.",
    ]
    assert pulumi.verbs() == ["stack init", "preview"]
    assert str(folder / "pack") in pulumi.calls()[-1]


def test_advice_of_policies_is_shown(cli, pulumi):
    pulumi.does("preview", stream="advisory")
    lines = cli("preview", *FILE, "--policy-pack", "pack").out.splitlines()

    assert lines[-2].startswith("advisory ssh-not-open-to-the-world: can't run policy ")
    assert lines[-1] == "3 to create"


def test_outputs(cli, pulumi):
    outputs = streams.progress("up").outputs
    pulumi.does("stack output", stdout=json.dumps(outputs))

    assert cli("outputs", *FILE, "--json").data == outputs["workspace"]
    assert [line.rstrip() for line in cli("outputs", *FILE).out.splitlines()] == [
        "workspace         solo",
        "region            us-east-1",
        "vpc               vpc-83f8",
        "nat address       127.1.0.1",
        "role              arn:aws:iam::123456789012:role/solo",
        "instance profile  solo",
        "log group         solo",
        "subnets           2 in 1 zone",
        "",
        "cluster  zone        workers  scheduler  private address  instance",
        "one      us-east-1a  1        127.1.0.2  10.50.224.5      i-8ede",
    ]


@pytest.mark.parametrize(
    ("code", "text", "exit_code", "what", "hint"),
    [
        (
            6,
            "error: no stack named 'solo' found",
            6,
            "no stack named 'solo' found",
            "bring it up with: coiled-pulumi up",
        ),
        (0, "", 1, "the stack has no workspace outputs", "bring it up with: coiled-pulumi up"),
    ],
    ids=["no-stack", "empty"],
)
def test_no_outputs(cli, pulumi, code, text, exit_code, what, hint):
    pulumi.does("stack output", code=code, stderr=text, stdout="" if code else "{}")
    done = cli("outputs", *FILE)

    assert (done.code, done.out) == (exit_code, "")
    assert done.err == f"error: {what}\nhint: {hint}\n"


@pytest.mark.parametrize("verb", ["preview", "up", "refresh", "destroy", "outputs"])
def test_without_an_engine_or_a_place_for_state_nothing_is_asked_or_begun(cli, pulumi, monkeypatch, verb):
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    done = cli(verb, *FILE)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: there is no place for Pulumi's state: PULUMI_BACKEND_URL is not set ")

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = cli(verb, *FILE)
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no Pulumi on this machine\nhint: coiled-pulumi engine install\n"
    assert pulumi.calls() == []


def test_up_on_a_terminal_shows_asks_and_applies(terminal, pulumi):
    pulumi.does("preview", stream="preview")
    pulumi.does("up", stream="up")
    screen = terminal("up", *FILE, "--no-wait")
    screen.answer("Apply these changes to solo? [y/N]: ", "y\n")
    done = screen.done()

    assert done.code == 0
    assert done.out.startswith("+  Vpc       solo-vpc")
    assert [verb for verb in pulumi.verbs() if verb != "stack init"] == ["preview", "up"]
    assert [line for line in done.out.splitlines() if "create" in line] == ["7 to create", "9 created"]


def test_a_no_is_exit_code_8_and_changes_nothing(terminal, pulumi):
    pulumi.does("preview", stream="preview")
    screen = terminal("up", *FILE)
    screen.answer("[y/N]: ", "n\n")
    done = screen.done()

    assert done.code == 8
    assert done.err.endswith("error: nothing was changed\n")
    assert "up" not in pulumi.verbs()


def test_destroy_on_a_terminal_names_what_will_be_gone(terminal, pulumi):
    screen = terminal("destroy", *FILE)
    screen.interrupt("Delete everything of solo (clusters: one), its logs included? [y/N]: ")
    done = screen.done()

    assert done.code == 8
    assert pulumi.calls() == []


def test_ctrl_c_waits_for_the_engine(pulumi):
    pulumi.does("up", stream="stopped", wait=True, linger=0.3, code=1)
    child = subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi", "up", *FILE, "--yes"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = ""
    while "Vpc" not in told:
        told += child.stderr.readline()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert (child.returncode, out) == (8, "")
    assert "stopping: the engine ends what it has begun; Ctrl-C again stops at once" in err
    assert err.endswith("error: stopped by you\nhint: the next `coiled-pulumi up` goes on from here\n")
    assert pulumi.interruptions() == 1


def test_ctrl_c_on_a_terminal_reaches_the_engine_once(terminal, pulumi):
    pulumi.does("destroy", stream="stopped", wait=True, linger=0.3, code=1)
    screen = terminal("destroy", *FILE, "--yes")
    screen.answer("destroy solo", "")
    limit = time.monotonic() + 15
    while "destroy" not in pulumi.verbs() and time.monotonic() < limit:
        time.sleep(0.02)
    screen.type("\x03")
    done = screen.done()

    assert (done.code, done.out) == (8, "")
    assert "stopping: " in done.err
    assert pulumi.interruptions() == 1
    assert done.err.endswith("hint: the next `coiled-pulumi destroy` goes on from here\n")
