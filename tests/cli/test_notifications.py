"""`notifications`, on an engine that tells what the real one told before, where there is no AWS to ask."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import coiled_pulumi
from coiled_pulumi.aws import notifications as aws
from coiled_pulumi.cli.notifications import line_of
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops import journal
from coiled_pulumi.ops.notifications import moment

FILE = ("--file", "solo.yaml")
NOTE = "note: only what this machine knows: "


@pytest.fixture(autouse=True)
def _files(solo, pulumi):
    pass


def read(cli, *arguments):
    """Give what `notifications --json` lists, without ids, times and how long it took."""
    done = cli("notifications", *FILE, "--json", *arguments)
    assert done.code == 0
    assert done.data["version"] == 1
    assert done.data["workspace"] == "solo"
    return [
        (one["level"], one["resource"], re.sub(r" by \S+ on .*| (in|after) \d+ s", "", one["what"]))
        for one in done.data["notifications"]
    ]


def file_of(workspace="solo") -> Path:
    (file,) = (Path(os.environ["XDG_STATE_HOME"]) / "coiled-pulumi").glob(
        f"notifications/*/{workspace}.jsonl"
    )
    return file


def test_before_anything_was_run_there_is_nothing_to_tell(cli):
    assert read(cli) == []
    assert cli("notifications", *FILE).out == ""


def test_a_run_leaves_its_start_and_its_end(cli, pulumi):
    pulumi.does("up", stream="change")
    assert cli("up", *FILE, "--yes").code == 0

    assert read(cli) == [
        ("info", "", "up started"),
        ("info", "", "up finished: 2 created, 3 updated, 1 deleted, 2 unchanged"),
    ]


def test_what_is_only_looked_at_leaves_nothing(cli, pulumi):
    pulumi.does("preview", stream="preview")
    pulumi.does("refresh", stream="refresh")
    pulumi.does("destroy", stream="destroy")
    for line in (["preview"], ["refresh", "--preview-only"], ["destroy", "--preview-only"]):
        assert cli(*line, *FILE).code == 0

    assert read(cli) == []


def test_a_refresh_finds_and_a_destroy_deletes(cli, pulumi):
    for verb in ("refresh", "destroy"):
        pulumi.does(verb, stream=verb)
        assert cli(verb, *FILE, "--yes").code == 0

    assert [what for _, _, what in read(cli)] == [
        "refresh started",
        "refresh finished: 1 changed outside of Pulumi, 1 gone, 3 unchanged",
        "destroy started",
        "destroy finished: 6 deleted",
    ]


def test_a_failure_is_told_with_its_resource_and_once(cli, pulumi):
    pulumi.does("up", stream="failed", code=4)
    assert cli("up", *FILE, "--yes").code == 4

    start, failure, end = read(cli)
    assert start == ("info", "", "up started")
    assert failure[:2] == ("error", "taken-logs")
    assert "already exists" in failure[2]
    assert end[0] == "error"
    assert end[2].startswith("up failed: ")


def test_an_engine_that_said_nothing_of_resources_still_leaves_why(cli, pulumi):
    pulumi.does("up", code=1, stderr="error: the stack is currently locked by 1 lock(s)\n")
    assert cli("up", *FILE, "--yes").code == 1

    assert read(cli)[-1] == ("error", "", "up failed: the stack is currently locked by 1 lock(s)")


def test_a_killed_run_leaves_that_it_began(cli, pulumi):
    pulumi.does("up", stream="stopped", wait=True, code=1)
    child = subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi", "up", *FILE, "--yes"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = ""
    while "Vpc" not in told:
        told += child.stderr.readline()
    child.kill()
    child.communicate(timeout=30)
    (pulumi.folder / "interrupted").touch()

    assert read(cli) == [("info", "", "up started")]


def test_ctrl_c_is_told_as_what_it_was(cli, pulumi):
    pulumi.does("up", stream="stopped", wait=True, code=1)
    child = subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi", "up", *FILE, "--yes"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = ""
    while "Vpc" not in told:
        told += child.stderr.readline()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)

    level, _, what = read(cli)[-1]
    assert (child.returncode, level) == (8, "warning")
    assert what.startswith("up was stopped: ")


def test_the_journal_is_its_owner_s_alone(cli, pulumi):
    pulumi.does("up", stream="same")
    cli("up", *FILE, "--yes")

    assert stat.S_IMODE(file_of().stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of().parent.parent.stat().st_mode) == 0o700


def test_lines_for_people(cli, pulumi):
    pulumi.does("up", stream="same")
    cli("up", *FILE, "--yes")
    done = cli("notifications", *FILE)

    first, last = done.out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d info solo: up started by \S+ on .+", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d info solo: up finished in \d+ s: \d+ unchanged", last)
    assert done.err.startswith(NOTE)
    assert len(done.err.splitlines()) == 1


def test_of_one_cluster_since_a_while(cli):
    now = datetime.now(UTC)
    kept = journal.of("solo")
    for hours, cluster in ((5, "main"), (1, "main"), (1, "gpu"), (0, "")):
        one = aws.make(
            now - timedelta(hours=hours), "solo", cluster, "scaling", "error", f"{cluster}-{hours}"
        )
        kept.append(one, region="us-east-1")

    assert sorted(what for *_, what in read(cli)) == ["-0", "gpu-1", "main-1", "main-5"]
    assert [what for *_, what in read(cli, "--cluster", "main")] == ["main-5", "main-1"]
    assert [what for *_, what in read(cli, "--cluster", "main", "--since", "2h")] == ["main-1"]
    assert read(cli, "--cluster", "none") == []


def test_the_name_is_enough_for_who_has_no_file(cli, pulumi, tmp_path, monkeypatch):
    pulumi.does("up", stream="same")
    cli("up", *FILE, "--yes")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    for words in (["--stack", "solo"], []):
        done = cli("notifications", *words, "--json")
        assert [one["what"][:10] for one in done.data["notifications"]] == ["up started", "up finishe"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "no workspace here, and nothing was run from this machine"),
        (["--stack", "../x"], "'../x' is not the name of a workspace"),
        (["--stack", "x", "--since", "yesterday"], "since is no time: 'yesterday'"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(cli, words, what):
    done = cli("notifications", *words)

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == f"error: {what}"


def test_following_tells_what_is_new_until_ctrl_c(cli, pulumi):
    kept = journal.of("solo")
    first = aws.make(datetime.now(UTC), "solo", "", "cli", "info", "first")
    kept.append(first, region="us-east-1")
    child = subprocess.Popen(
        [sys.executable, "-m", "coiled_pulumi", "notifications", *FILE, "--follow", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(child.stdout.readline()) == aws.to_data(first)
    second = aws.make(datetime.now(UTC), "solo", "", "cli", "info", "second")
    kept.append(second, region="us-east-1")
    assert json.loads(child.stdout.readline()) == aws.to_data(second)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert (child.returncode, out) == (0, "")
    assert len(err.splitlines()) == 1


def test_from_python(pulumi, cli):
    pulumi.does("up", stream="same")
    cli("up", *FILE, "--yes")
    with pytest.warns(UserWarning, match="only what this machine knows"):
        found = coiled_pulumi.get_notifications()

    assert [one.what[:10] for one in found] == ["up started", "up finishe"]
    assert all(one.time.tzinfo is UTC for one in found)
    assert "get_notifications" in dir(coiled_pulumi)


def test_one_line_is_one_line():
    when = datetime(2026, 11, 23, 12, 3, 4, tzinfo=UTC).astimezone()
    one = aws.make(
        when, "dev", "main", "scaling", "error", "3 workers failed:\nno more", hint="ask", resource="g"
    )

    assert line_of(one, when) == f"{when:%H:%M:%S} error main: g: 3 workers failed:; no more; ask"
    assert line_of(one, when + timedelta(days=2)).startswith(f"{when:%Y-%m-%d %H:%M:%S} error")


@pytest.mark.parametrize(
    ("text", "ago"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1w", 604800), ("2026-11-23T11:00Z", 3600),
     ("2026-11-23T12:00+01:00", 3600)],
)  # fmt: skip
def test_moments(text, ago):
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    assert moment(text, now) == now - timedelta(seconds=ago)


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "99999999h", "25:00", "2026-13-01"])
def test_what_is_no_moment(text):
    with pytest.raises(UsageError):
        moment(text, datetime.now(UTC))


def test_where_nothing_is_known_it_says_so(cli):
    done = cli("notifications", *FILE, "--cluster", "nobody", "--since", "1h")

    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == "nothing is known of cluster nobody of solo since then"
