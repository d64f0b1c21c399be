"""`cluster`: what a shell may say, how mistakes end, and what is listed; no engine."""

import pytest
from _support import up_records

from coiled_pulumi.cli.cluster_start import wanted as _wanted
from coiled_pulumi.engine.lock import exclusive
from coiled_pulumi.errors import UsageError
from coiled_pulumi.ops import target

FILE = ("--file", "solo.yaml")


@pytest.fixture
def up(pulumi, solo):
    """The workspace `solo`, up, with clusters beside its file."""
    pulumi.has(
        {
            "solo": up_records.workspace(),
            "solo.far": up_records.beside("far", region="eu-west-1", zone="eu-west-1b", scheduler_address=""),
            "solo.half": {},
            "solo.zone.us-east-1b": {},
        },
        region=up_records.REGION,
    )
    return pulumi


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ([], {}),
        (["spot=true"], {"spot": True}),
        (["worker.cpu=8"], {"worker": {"cpu": 8}}),
        (["worker.cpu=8", "worker.memory=64 GiB"], {"worker": {"cpu": 8, "memory": "64 GiB"}}),
        (["worker.cpu=[2, 8]"], {"worker": {"cpu": [2, 8]}}),
        (["worker={cpu: 8}", "worker.gpu=1"], {"worker": {"cpu": 8, "gpu": 1}}),
        (["worker.instance_type=[m6i.large, m5.large]"],
         {"worker": {"instance_type": ["m6i.large", "m5.large"]}}),
        (["worker.instance_type=m6i.large,m5.large"], {"worker": {"instance_type": "m6i.large,m5.large"}}),
        (["keypair_name=a=b"], {"keypair_name": "a=b"}),
        (["keypair_name='8'"], {"keypair_name": "8"}),
        (["spot=yes"], {"spot": "yes"}),
        (["spot="], {"spot": None}),
        (["ingress=[]"], {"ingress": []}),
        (["ingress[0].cidr=me", "ingress[0].ports=[22, 8000-8100]"],
         {"ingress": [{"cidr": "me", "ports": [22, "8000-8100"]}]}),
        (["ingress[0].ports[0]=22"], {"ingress": [{"ports": [22]}]}),
    ],
    ids=" ".join,
)  # fmt: skip
def test_settings_are_keys_of_a_cluster_and_yaml(settings, wanted):
    assert _wanted(settings) == wanted


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [
        (["worker.cpu"], "--set takes KEY=VALUE, got 'worker.cpu'", "as in --set worker.cpu=8"),
        (["=8"], "--set takes KEY=VALUE, got '=8'", "as in --set worker.cpu=8"),
        (["worker..cpu=8"], "--set takes KEY=VALUE, got 'worker..cpu=8'", "as in --set worker.cpu=8"),
        (["worker.cpu=8", "worker.cpu=4"], "worker.cpu is given twice", ""),
        (["worker.cpu=8", "worker={gpu: 1}"], "worker is given twice", ""),
        (["worker=8", "worker.cpu=8"], "--set worker.cpu: worker has a value already", ""),
        (["zone=us-east-1b"], "zone is given twice", ""),
        (["worker.cpu=[2"], "--set worker.cpu: is not valid YAML: did not find expected ',' or ']'",
         "quote it for the shell"),
        (["worker={cpu: 1, cpu: 2}"], "--set worker: must not have 'cpu' twice (first in line 1)", ""),
        (["ingress[1].cidr=me"], "--set ingress[1]: there is none before it", "ingress[0] is the first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_settings_of_another_form_are_refused(settings, what, hint):
    with pytest.raises(UsageError) as caught:
        _wanted(settings, n_workers=None, zone="us-east-1a")
    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_flags_and_settings_come_together():
    wanted = _wanted(["spot=true"], n_workers=3, zone=None, region="eu-west-1")
    assert wanted == {"n_workers": 3, "region": "eu-west-1", "spot": True}


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["start"], 2, "error: missing argument 'NAME'\n"),
        (["start", "one"], 2, "error: cluster one stands in the file of solo\nhint: change it there, and"),
        (["start", "Mine"], 2, "cluster Mine: name: must be 1 to 32 lower-case letters"),
        (["start", "mine", "-n", "0"], 2, "cluster mine: n_workers: must be at least 1, got 0\n"),
        (["start", "mine", "--set", "cpu=8"], 2,
         "cluster mine: cpu: is not a known key; did you mean scheduler.cpu or worker.cpu\n"),
        (["start", "mine", "--set", "worker.gpu=2"], 2, "cluster mine: worker.gpu: must be at most 1, a w"),
        (["start", "mine", "--zone", "us-east-1z"], 2, "cluster mine: zone: must be a zone of us-east-1,"),
        (["start", "mine", "--region", "us-est-1"], 2, "cluster mine: region: must be an AWS region, got"),
        (["start", "far"], 2, "error: cluster far of solo is in eu-west-1 and does not move to us-east-1\n"
         "hint: add --region eu-west-1 --zone eu-west-1b, take another name, or first: coiled-pulumi clus"),
        (["scale", "far"], 2, "error: missing argument 'N'\n"),
        (["scale", "far", "0"], 2, "cluster far: n_workers: must be at least 1, got 0\n"),
        (["scale", "half", "2"], 1, "error: cluster half of solo never came up whole\nhint: coiled-pulumi c"),
        (["scale", "one", "2"], 2, "error: cluster one stands in the file of solo\n"),
        (["scale", "none", "2"], 6, "error: no cluster 'none' was started beside the file of solo (found: far"),
        (["stop", "none", "--yes"], 6, "error: no cluster 'none' was started beside the file of solo"),
        (["stop", "one", "--yes"], 2, "error: cluster one stands in the file of solo\n"),
        (["stop", "far"], 2, "error: there is no terminal to ask on\nhint: add --yes\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_mistakes_end_before_the_engine(cli, up, words, code, err):
    done = cli("cluster", *words, *FILE)

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(err)
    assert not {"up", "destroy", "stack init", "stack rm"} & set(up.verbs())


def test_while_the_workspace_is_down_it_says_how_to_bring_it_up(cli, pulumi, solo):
    pulumi.has({"other": {}})
    for words in (["list"], ["start", "mine"]):
        done = cli("cluster", *words, *FILE)
        assert (done.code, done.out) == (6, "")
        assert done.err == "error: no stack named 'solo' found\nhint: bring it up with: coiled-pulumi up\n"


def test_the_list_has_those_of_the_file_and_those_beside_it(cli, up):
    done = cli("cluster", "list", *FILE)

    assert done.code == 0
    # There is no AWS here to ask.
    first, second = done.err.splitlines()
    assert first.startswith("note: what still runs in eu-west-1 cannot be seen: ")
    assert second.startswith("note: what still runs in us-east-1 cannot be seen: ")
    assert [line.split() for line in done.out.splitlines()] == [
        ["cluster", "from", "state", "zone", "workers", "scheduler", "instance"],
        ["one", "file", "unknown", "us-east-1a", "2", "192.0.2.7", "i-0123456789abcdef0"],
        ["far", "start", "unknown", "eu-west-1b", "2", "10.50.224.5", "i-0123456789abcdef0"],
        ["half", "start", "incomplete"],
    ]


def test_the_list_as_json(cli, up):
    done = cli("cluster", "list", *FILE, "--json")
    data = done.data

    assert (data["version"], data["workspace"]) == (1, "solo")
    assert [(row["name"], row["from"], row["state"], row["region"]) for row in data["clusters"]] == [
        ("one", "file", "unknown", "us-east-1"),
        ("far", "start", "unknown", "eu-west-1"),
        ("half", "start", "incomplete", "us-east-1"),
    ]
    assert data["clusters"][1]["scheduler_private_address"] == "10.50.224.5"
    assert "secret" not in done.out


def test_a_start_that_is_at_work_here_is_no_broken_one(cli, up, folder):
    lock = target.lock_of("solo.half", state=target.state_home())
    with exclusive(lock, lambda _: None):
        assert cli("cluster", "list", *FILE, "--json").data["clusters"][2]["state"] == "starting"


def test_a_workspace_without_clusters_says_so(cli, pulumi, solo):
    pulumi.has({"solo": up_records.workspace(clusters={})})
    assert cli("cluster", "list", *FILE).out == "no clusters\n"
    assert cli("cluster", "list", *FILE, "--json").data["clusters"] == []


def test_help_of_the_verbs_is_whole(cli):
    said = cli("cluster", "--help").out
    assert "..." not in said.partition("Commands:")[2]
