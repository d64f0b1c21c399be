"""From an empty folder and an account with nothing in it to a workspace that is up, and back."""

import hashlib
import json
import re

import pytest

pytestmark = pytest.mark.engine

FILE = "stacks/Pulumi.tiny.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("setup")


@pytest.fixture(scope="module")
def place(bench):
    """What the setup leaves: the bucket that it made, and the variables that it told."""
    return {}


def test_one_command_makes_all_from_an_empty_folder(bench, folder, place):
    done = bench.cli("setup", "aws", "--workspace", "tiny", "--yes", "--json", folder=folder)
    told = json.loads(done.stdout)
    place.update(told)

    assert {one["what"].partition(" in ")[0] for one in told["changes"] if one["kind"] == "create"} == {
        "key for secrets",
        "alias/coiled-pulumi",
        f"bucket {told['bucket']}",
        "agent of machines",
        "policy coiled-pulumi-tiny-setup",
        "policy coiled-pulumi-tiny-ongoing",
    }
    assert {one["op"] for one in told["up"]["resources"]} == {"create"}
    assert (folder / FILE).is_file()
    assert "instance" in bench.inventory("tiny")


def test_the_state_is_in_the_bucket_sealed_by_the_key(bench, place):
    s3 = bench.client("s3")
    state = json.loads(
        s3.get_object(Bucket=place["bucket"], Key=".pulumi/stacks/coiled/tiny.json")["Body"].read()
    )
    sealed = state["checkpoint"]["latest"]["secrets_providers"]

    assert sealed["type"] == "cloud"
    assert sealed["state"]["url"] == place["environment"]["COILED_PULUMI_SECRETS_PROVIDER"]


def test_machines_are_told_of_the_agent_in_the_bucket_and_may_read_it(bench, folder, place):
    """And of the bucket nothing else: the state is there, too."""
    assert f"agent: {place['agent']}\n" in (folder / FILE).read_text()
    where, _, digest = place["agent"].removeprefix("s3://").partition("#sha256=")
    bucket, _, key = where.partition("/")
    content = bench.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    policy = bench.client("iam").get_role_policy(RoleName="tiny", PolicyName="tiny")["PolicyDocument"]

    assert hashlib.sha256(content).hexdigest() == digest
    reads = [one for one in policy["Statement"] if any(action.startswith("s3:") for action in one["Action"])]
    assert [(one["Action"], one["Resource"]) for one in reads] == [
        (["s3:GetObject"], [f"arn:aws:s3:::{where}"])
    ]


def test_a_second_run_changes_nothing(bench, folder):
    mark = bench.mark()
    done = bench.cli("setup", "aws", "--yes", "--json", folder=folder)
    told = json.loads(done.stdout)

    assert (told["changes"], told["up"]["resources"]) == ([], [])
    # Pulumi writes its state and lock and seals a key for the run, and a run leaves a note of itself.
    beside = ("s3:", "kms:", "logs:PutLogEvents", "logs:CreateLogStream")
    made = {call for call in bench.mutations_since(mark) if not call.startswith(beside)}
    assert made == set()


def test_a_file_that_names_no_agent_gets_one(bench, folder, place):
    """Machines of AWS's images would power off without it."""
    named = (folder / FILE).read_text()
    (folder / FILE).write_text(named.replace(f"agent: {place['agent']}\n", "# agent: of this release\n"))
    done = bench.cli("setup", "aws", "--yes", "--json", folder=folder)
    told = json.loads(done.stdout)

    assert [one["what"] for one in told["changes"]] == [f"{FILE}: the agent that machines install"]
    assert told["up"]["resources"] == []
    assert f"agent: {place['agent']}\n" in (folder / FILE).read_text()


@pytest.fixture
def elsewhere(bench, place, tmp_path):
    """Another machine: it knows the backend, and nothing that the first one wrote down."""
    env = bench.env | {"PULUMI_BACKEND_URL": place["environment"]["PULUMI_BACKEND_URL"]}
    env.pop("PULUMI_CONFIG_PASSPHRASE")
    return type(bench)(bench.record, env | {"XDG_STATE_HOME": str(tmp_path)})


def test_another_machine_needs_the_backend_s_address_only(elsewhere, folder):
    done = elsewhere.cli("up", "--stack", "tiny", "--yes", "--json", folder=folder)
    assert json.loads(done.stdout)["resources"] == []


def test_a_cluster_beyond_the_quota_is_refused_before_anything_is_made(bench, elsewhere, folder):
    text = (folder / FILE).read_text()
    bench.cli("local", "quota", "L-1216C47A", "32", folder=folder)
    mark = bench.mark()
    try:
        (folder / FILE).write_text(re.sub(r"n_workers: \d+", "n_workers: 20", text))
        done = elsewhere.cli("up", "--stack", "tiny", "--yes", folder=folder, code=4)
    finally:
        (folder / FILE).write_text(text)
        bench.cli("local", "quota", "L-1216C47A", "100000", folder=folder)

    assert re.search(r"standard on demand: needs 60 vCPU, \d+ of 32 in use \(L-1216C47A\)", done.stderr)
    assert done.stderr.endswith("hint: coiled-pulumi setup aws --quotas\n")
    assert bench.mutations_since(mark) == []


def test_a_workspace_whose_state_is_elsewhere_is_not_made_twice(bench, elsewhere, folder):
    """The state is in the bucket; a folder is named in its place, and the other way round."""
    other = folder / "other.yaml"
    other.write_text("name: other\nnetwork: {cidr: 10.60.0.0/22, zones: [us-east-1a]}\n")
    bench.cli("up", "--file", "other.yaml", "--yes", folder=folder)
    done = bench.cli("setup", "aws", "--file", "other.yaml", "--yes", folder=folder, code=2)
    bench.cli("destroy", "--file", "other.yaml", "--yes", folder=folder)
    other.unlink()

    assert "other is up already, and its state is kept at file://" in done.stderr


def test_destroy_takes_the_workspace_and_leaves_the_place_for_the_state(bench, elsewhere, folder, place):
    elsewhere.cli("destroy", "--stack", "tiny", "--yes", folder=folder)

    assert {kind for kind in bench.inventory("tiny") if kind != "s3_bucket"} == set()
    assert place["bucket"] in {bucket["Name"] for bucket in bench.client("s3").list_buckets()["Buckets"]}
