"""`setup aws` on servers of their own: from an empty account, from half a run, and with nothing left to do."""

import json

import pytest
from _support import on_aws

from coiled_pulumi.aws import bootstrap, sealing
from coiled_pulumi.cli import app
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError, DeploymentError
from coiled_pulumi.local import calls, daemon, inventory, state
from coiled_pulumi.ops import agent_wheel, setup, setup_policies

REGION = "us-east-1"
ACCOUNT = "123456789012"
DOCUMENTS = {
    part: {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Reads", "Effect": "Allow", "Action": ["ec2:DescribeVpcs"], "Resource": "*"}],
    }
    for part in ("setup", "ongoing")
}


@pytest.fixture
def fresh(home, monkeypatch, tmp_path):
    """An account with nothing in it, worked with from an empty folder."""
    record = daemon.up(home=home)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with on_aws.working(record, monkeypatch, region=REGION):
        yield record


@pytest.fixture
def client(fresh):
    return inventory.clients(fresh)


def changes(where: setup.Place, documents=DOCUMENTS) -> tuple[setup.Change, ...]:
    agent = setup.agent_changes(where, agent_wheel.build())
    return (*setup.state_changes(where), *agent, *setup_policies.policy_changes(where, "lab", documents))


def make_all(documents=DOCUMENTS) -> setup.Place:
    where = setup.place(setup.who(REGION))
    setup.make(changes(where, documents), lambda _: None)
    return where


def test_an_empty_account_gets_key_bucket_and_policies(client):
    where = make_all()
    s3, bucket = client("s3", REGION), where.bucket

    assert bucket.startswith(f"coiled-pulumi-state-{ACCOUNT}-")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (len(blocked), set(blocked.values())) == (4, {True})
    owned = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": where.key,
    }
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    (tls,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    kms = client("kms", REGION)
    assert kms.describe_key(KeyId="alias/coiled-pulumi")["KeyMetadata"]["Arn"] == where.key
    assert kms.get_key_rotation_status(KeyId=where.key)["KeyRotationEnabled"] is True
    (agent,) = s3.list_objects_v2(Bucket=bucket, Prefix="agent/")["Contents"]
    assert s3.head_object(Bucket=bucket, Key=agent["Key"])["ServerSideEncryption"] == "AES256"
    policies = client("iam", REGION).list_policies(Scope="Local", PathPrefix="/coiled-pulumi/")["Policies"]
    assert {(policy["PolicyName"], policy["AttachmentCount"]) for policy in policies} == {
        ("coiled-pulumi-lab-setup", 0),
        ("coiled-pulumi-lab-ongoing", 0),
    }


def test_a_second_run_finds_all_and_changes_nothing(fresh):
    first = make_all()
    log = state.calls_file(fresh.home)
    mark = calls.count(log)
    second = setup.place(setup.who(REGION))

    assert changes(second) == ()
    assert (second.bucket, second.key, second.url) == (first.bucket, first.key, first.url)
    assert calls.mutating(calls.read(log, mark)) == []


def test_the_policy_for_daily_work_has_what_the_state_takes(client):
    where = make_all()
    document = sealing.read_policy(ACCOUNT, "coiled-pulumi-lab-ongoing", region=REGION)
    by_sid = {one["Sid"]: one for one in document["Statement"]}

    assert by_sid["StateObjects"]["Resource"] == f"arn:aws:s3:::{where.bucket}/*"
    assert by_sid["StateKey"]["Condition"] == {
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/coiled-pulumi"}
    }
    assert "StateKey" not in str(sealing.read_policy(ACCOUNT, "coiled-pulumi-lab-setup", region=REGION))


def test_a_run_that_is_cut_off_anywhere_is_gone_on_with(client):
    """Each round looks anew, as another run would, and is cut off after one step."""
    made = []
    while todo := changes(setup.place(setup.who(REGION))):
        todo[0].make()
        made.append(todo[0].what.partition(" in ")[0])

    assert len(made) == len(set(made)) == 5 + len(bootstrap.SETTINGS) + len(DOCUMENTS)
    assert len(client("s3", REGION).list_buckets()["Buckets"]) == 1
    assert len(client("kms", REGION).list_keys()["Keys"]) == 1


def test_a_failure_in_the_middle_says_what_was_made(fresh):
    def fail() -> None:
        raise DeploymentError("no", "do")

    done = []
    todo = (setup.Change("one", "create", lambda: None), setup.Change("two", "create", fail))
    with pytest.raises(DeploymentError) as caught:
        setup.make(todo, lambda change: done.append(change.what))
    assert done == ["one"]
    assert caught.value.what == "two: no\nmade before it: one\nthe next run goes on from here"
    assert caught.value.hint == "do"


def test_settings_that_somebody_undid_are_made_again_and_others_stay(client):
    where = make_all()
    s3 = client("s3", REGION)
    s3.put_bucket_versioning(Bucket=where.bucket, VersioningConfiguration={"Status": "Suspended"})
    own = {"Sid": "Own", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}
    s3.put_bucket_policy(
        Bucket=where.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [own]})
    )

    assert [change.what for change in changes(where)] == ["bucket: versioned", "bucket: only over TLS"]
    make_all()
    policy = json.loads(s3.get_bucket_policy(Bucket=where.bucket)["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["Own", "OnlyTls"]


def widened(*actions: str) -> dict:
    statement = DOCUMENTS["setup"]["Statement"][0] | {"Action": ["ec2:DescribeVpcs", *actions]}
    return DOCUMENTS | {"setup": {"Version": "2012-10-17", "Statement": [statement]}}


def test_a_policy_that_differs_is_shown_by_action_and_gets_a_new_version(client):
    make_all(widened("ec2:CreateVpc"))
    where = setup.place(setup.who(REGION))
    (change,) = changes(where, widened("ec2:CreateSubnet"))

    assert (change.kind, change.what) == ("update", "policy coiled-pulumi-lab-setup")
    assert change.lines == ("+ Reads: ec2:CreateSubnet", "- Reads: ec2:CreateVpc")
    change.make()
    assert changes(where, widened("ec2:CreateSubnet")) == ()


def test_at_five_versions_the_oldest_that_is_not_in_force_goes(client):
    for number in range(8):
        make_all(widened(f"ec2:Describe{number}"))
    iam = client("iam", REGION)
    arn = sealing.policy_arn(ACCOUNT, "coiled-pulumi-lab-setup")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]

    assert {one["VersionId"]: one["IsDefaultVersion"] for one in versions} == {
        "v4": False, "v5": False, "v6": False, "v7": False, "v8": True,
    }  # fmt: skip


def test_an_action_in_two_statements_is_counted_once():
    both = [{"Sid": sid, "Action": ["ec2:CreateTags", f"ec2:{sid}"]} for sid in ("A", "B")]
    assert setup_policies._count({"Statement": both}) == 3


def test_differences_do_not_count_order_or_one_value_for_a_list():
    one = {"Statement": {"Sid": "A", "Action": "x:Y", "Resource": "*"}}
    same = {"Statement": [{"Sid": "A", "Action": ["x:Y"], "Resource": ["*"]}]}
    other = {
        "Statement": [{"Sid": "A", "Action": ["x:Y"], "Resource": ["*"], "Condition": {"Bool": {"a": "b"}}}]
    }

    assert setup_policies.differences(one, same) == ()
    assert setup_policies.differences(one, other) == ("~ A: Condition",)


@pytest.mark.parametrize(
    ("arn", "command"),
    [
        ("iam::1:user/team/ann", "aws iam attach-user-policy --user-name ann --policy-arn P"),
        ("sts::1:assumed-role/admin/ann", "aws iam attach-role-policy --role-name admin --policy-arn P"),
        (
            "sts::1:assumed-role/AWSReservedSSO_Admin_0/ann",
            "IAM Identity Center: name them in the permission set as customer managed, path /coiled-pulumi/",
        ),
        ("iam::1:root", "you are root: attach them to a user or role, and work as that"),
    ],
)
def test_how_to_attach(arn, command):
    who = setup.discover.Identity("1", f"arn:aws:{arn}", "", REGION, "")
    expected = (
        command.replace("P", "arn:aws:iam::1:policy/coiled-pulumi/x") if command.endswith(" P") else command
    )
    assert setup_policies.attach_commands(who, ("x",)) == (expected,)


def test_update_policies_makes_only_the_two(fresh, client, capsys):
    make_all()
    mark = calls.count(state.calls_file(fresh.home))
    assert app.run(["setup", "aws", "--update-policies", "--workspace", "lab", "--yes", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert {change["what"] for change in told["changes"]} == {
        "policy coiled-pulumi-lab-setup",
        "policy coiled-pulumi-lab-ongoing",
    }
    log = calls.read(state.calls_file(fresh.home), mark)
    assert {call.action for call in calls.mutating(log)} == {"CreatePolicyVersion"}


def test_update_policies_before_there_is_a_place_for_the_state(fresh, capsys):
    assert app.run(["setup", "aws", "--update-policies", "--yes"]) == 2
    assert "the account has no place for the state yet" in capsys.readouterr().err


def test_who_is_named_before_anything_is_asked_and_without_yes_nothing_is_made(fresh, capsys):
    mark = calls.count(state.calls_file(fresh.home))
    assert app.run(["setup", "aws"]) == 2
    lines = capsys.readouterr().err.splitlines()

    assert lines[0].startswith(f"account {ACCOUNT} as arn:aws:")
    assert lines[1] == f"region {REGION} (from AWS_REGION)"
    assert lines[-2:] == ["error: there is no terminal to ask on", "hint: add --yes"]
    assert calls.mutating(calls.read(state.calls_file(fresh.home), mark)) == []


@pytest.mark.parametrize("how", ["none", "profile"])
def test_without_credentials_the_way_is_cloudshell(fresh, monkeypatch, capsys, how):
    arguments = ["setup", "aws", "--region", "eu-west-1"]
    if how == "profile":
        arguments += ["--profile", "nobody"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")  # put back afterwards, whatever --profile does
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "x")
    monkeypatch.delenv("AWS_PROFILE")

    assert app.run(arguments) == CredentialsError.exit_code
    said = capsys.readouterr().err
    assert "https://console.aws.amazon.com/cloudshell" in said
    assert "run: coiled-pulumi setup aws --region eu-west-1" in said


def test_an_account_that_may_not_be_read_says_so(fresh, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(CoiledPulumiError):
        setup.who(REGION)
