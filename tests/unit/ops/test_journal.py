"""The journal of a workspace: whole lines, its owner's alone, whoever else writes at the same time."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from coiled_pulumi.aws.notifications import make
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops import journal, run_record
from coiled_pulumi.ops.events import Progress, reduce

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def one(what="it broke"):
    return make(NOW, "dev", "", "engine", "info", what)


def test_what_is_written_is_read_in_order():
    kept = journal.of("dev")
    kept.append(one("a"), one("b"), region="us-east-1")
    kept.append(one("c"), region="eu-west-1")
    kept.append(one("d"), region="us-east-1")

    assert kept.read() == [one("a"), one("b"), one("c"), one("d")]
    assert kept.regions() == ("us-east-1", "eu-west-1")
    assert journal.known() == ["dev"]


def test_nothing_is_there_at_first():
    assert (journal.of("dev").read(), journal.of("dev").regions(), journal.known()) == ([], (), [])


@pytest.mark.parametrize("rest", ['{"time": "2026', "\x00\x00", "not json\n", "[1]\n"])
def test_a_line_that_was_cut_off_spoils_no_other_one(rest):
    kept = journal.of("dev")
    kept.append(one("a"), region="r")
    with kept.file.open("a") as stream:
        stream.write(rest)
    assert kept.read() == [one("a")]
    kept.append(one("b"), region="r")

    assert kept.read() == [one("a"), one("b")]


def test_many_write_at_once():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.of("dev").append(one(f"{n}"), region="r"), range(400)))

    assert sorted(int(found.what) for found in journal.of("dev").read()) == list(range(400))


def test_backends_have_journals_of_their_own(monkeypatch):
    journal.of("dev").append(one(), region="r")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://other")

    assert journal.of("dev").read() == []


@pytest.mark.parametrize("name", ["", "../dev", "Dev", "a/b", "x" * 40])
def test_what_cannot_be_a_workspace_has_no_journal(name):
    with pytest.raises(UsageError):
        journal.of(name)


def test_a_folder_that_cannot_be_written_fails_no_run(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    run_record.note("dev", "us-east-1", "cli", "info", "hello")

    assert os.listdir(tmp_path) == ["file"]


def test_lines_say_their_region():
    journal.of("dev").append(one(), region="us-east-1")

    assert json.loads(journal.of("dev").file.read_text())["region"] == "us-east-1"


def _row(progress, urn, kind, parent=""):
    metadata = {"urn": urn, "op": "create", "type": kind, "new": {"parent": parent}}
    reduce(progress, {"resourcePreEvent": {"metadata": metadata}}, 0.0)


def test_a_resource_belongs_to_the_cluster_that_it_is_part_of():
    progress, root = Progress(), "urn:pulumi:dev::coiled::"
    cluster = f"{root}coiled:index:Workspace$coiled:index:Cluster::dev-cluster-a-b"
    network = f"{root}coiled:index:Workspace$coiled:index:Network::dev-network"
    group = f"{root}coiled:index:Workspace$coiled:index:Cluster$aws:autoscaling/group:Group::dev-cluster-a-b-workers"
    vpc = f"{root}coiled:index:Workspace$coiled:index:Network$aws:ec2/vpc:Vpc::dev-vpc"
    _row(progress, cluster, "coiled:index:Cluster")
    _row(progress, group, "aws:autoscaling/group:Group", cluster)
    _row(progress, network, "coiled:index:Network")
    _row(progress, vpc, "aws:ec2/vpc:Vpc", network)

    assert [run_record.cluster_of(progress, urn, "dev") for urn in (group, cluster, vpc, network, "", "x")] == [
        "a-b", "a-b", "", "", "", "",
    ]  # fmt: skip
