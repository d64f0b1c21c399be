"""`coiled-pulumi iam`: documents on stdout, and why each action is in them."""

import json

import pytest

from coiled_pulumi.plan import policy_documents

NAMES = sorted(policy_documents.DOCUMENTS)
each = pytest.mark.parametrize("name", NAMES)


@each
def test_a_document_is_json_on_stdout_and_nothing_else(cli, project, name):
    done = cli("iam", name, "--stack", "dev")

    assert (done.code, done.err) == (0, "")
    assert done.data["Version"] == "2012-10-17"
    assert done.data == cli("iam", name, "--stack", "dev", "--json").data


@each
def test_a_bare_file_will_do(cli, solo, name):
    done = cli("iam", name, "--file", str(solo))

    assert (done.code, done.err) == (0, "")
    assert "solo" in done.out


@pytest.mark.parametrize(("name", "sid"), [("setup", "Setup"), ("ongoing", "Ongoing")])
def test_sids_are_those_of_coileds_page(cli, solo, name, sid):
    narrow = cli("iam", name, "--file", str(solo)).data["Statement"]
    (wide,) = cli("iam", name, "--file", str(solo), "--wide").data["Statement"]

    assert narrow[0]["Sid"] == sid
    assert (wide["Sid"], wide["Resource"]) == (sid, "*")
    assert set(wide["Action"]) == {action for row in narrow for action in row["Action"]}


@each
def test_each_action_is_explained_in_a_line(cli, solo, name):
    actions = policy_documents.actions(cli("iam", name, "--file", str(solo)).data)
    lines = cli("iam", name, "--file", str(solo), "--explain").out.splitlines()

    assert [line.split()[0] for line in lines] == list(actions)
    assert all(len(line.split()) > 2 for line in lines)


def test_explanations_are_json_where_json_was_asked_for(cli, solo):
    data = cli("iam", "ongoing", "--file", str(solo), "--explain", "--json").data

    assert (data["version"], data["document"]) == (1, "ongoing")
    (row,) = [row for row in data["actions"] if row["action"] == "iam:PassRole"]
    assert row == {
        "action": "iam:PassRole",
        "why": "give instances the workspace's role, and no other one",
        "sids": ["OngoingPass"],
    }


def test_a_document_that_is_too_long_is_told(cli, folder):
    tags = json.dumps({f"{number:03}-{'x' * 120}": "x" for number in range(40)})
    (folder / "long.yaml").write_text(f"name: long\ntags: {tags}\n")
    done = cli("iam", "ongoing", "--file", "long.yaml")

    assert done.code == 0
    assert done.data["Statement"]
    assert done.err.startswith("warning: ")
    assert "6144" in done.err


def test_a_mistake_in_the_file_is_told_as_elsewhere(cli, folder):
    (folder / "bad.yaml").write_text("name: Bad\n")
    done = cli("iam", "setup", "--file", "bad.yaml")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("bad.yaml:1: name: ")
