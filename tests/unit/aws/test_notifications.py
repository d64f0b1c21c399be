"""What a notification holds, and what it never does."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from coiled_pulumi.aws import notification_log
from coiled_pulumi.aws.notifications import (
    MAX_TEXT,
    from_data,
    make,
    of_activities,
    of_instance,
    redact,
    to_data,
)

NOW = datetime(2026, 11, 23, 12, 3, 4, 567, tzinfo=UTC)


def one(what="it broke", time=NOW, **more):
    return make(time, "dev", "main", "engine", "error", what, **more)


def test_plain_values_are_stable_and_read_back():
    made = one(resource="dev-vpc", hint="mend it")

    assert to_data(made) == {
        "time": "2026-11-23T12:03:04.000567Z",
        "workspace": "dev",
        "cluster": "main",
        "source": "engine",
        "level": "error",
        "what": "it broke",
        "resource": "dev-vpc",
        "hint": "mend it",
        "id": "0749f2e6325f5f52",
    }
    assert from_data(json.loads(json.dumps(to_data(made)))) == made


def test_times_are_utc():
    east = NOW.astimezone(timezone(timedelta(hours=9)))

    assert one(time=east) == one()
    assert to_data(one(time=east))["time"].endswith("Z")


def test_the_same_thing_has_the_same_id_whoever_reads_it():
    assert one(same_as="activity-1").id == one("otherwise told", same_as="activity-1").id
    assert one().id != one("else").id


def test_keys_that_a_later_version_adds_are_passed_over():
    assert from_data(to_data(one()) | {"region": "us-east-1", "more": 1}) == one()


@pytest.mark.parametrize("data", [None, 1, "x", [], {}, {"time": "soon"}, {"time": NOW.isoformat()}])
def test_what_is_no_notification(data):
    assert from_data(data) is None


def test_long_texts_are_cut():
    assert len(one("x y " * 2000).what) == MAX_TEXT


SECRET = "abcdefgh12345678"  # noqa: S105 it is none
AFTER = f"the sentence stays and {SECRET} too"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key [...] is unknown"),
        ("ASIAIOSFODNN7EXAMPLE", "[...]"),
        ("the secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is bare", "the secret [...] is bare"),
        (
            "proxy http://ana:hunter2@proxy.example:3128/ refused",
            "proxy http://[...]@proxy.example:3128/ refused",
        ),
        (
            "commit 504820c0123456789abcdef0123456789abcdef0",
            "commit 504820c0123456789abcdef0123456789abcdef0",
        ),
        (f"secret_access_key={SECRET}, region=x", "secret_access_key=[...], region=x"),
        (f'"SecretAccessKey": "{SECRET}"', '"SecretAccessKey": [...]'),
        (f"PULUMI_ACCESS_TOKEN={SECRET} is set", "PULUMI_ACCESS_TOKEN=[...] is set"),
        (f"token: {SECRET}", "token: [...]"),
        (f"passphrase='{SECRET} two words'", "passphrase=[...]"),
        (f"https://x/?a=1&X-Amz-Signature={SECRET}&b=2", "https://x/?a=1&X-Amz-Signature=[...]&b=2"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer [...]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is a token", "[...] is a token"),
        ("ghp_0123456789abcdefghij0123", "[...]"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nend", "[...]\nend"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "[...]"),
        (
            "set PULUMI_CONFIG_PASSPHRASE to the passphrase of this backend",
            "set PULUMI_CONFIG_PASSPHRASE to the passphrase of this backend",
        ),
        (AFTER, AFTER),
        ("arn:aws:iam::123456789012:role/dev", "arn:aws:iam::123456789012:role/dev"),
        ("subnet-0123456789abcdef0 is full", "subnet-0123456789abcdef0 is full"),
    ],
)
def test_what_looks_like_a_key_goes_and_the_rest_stays(text, kept):
    assert redact(text) == kept
    assert one(text, hint=text).what == one(text, hint=text).hint == kept


def test_batches_are_in_order_and_not_larger_than_aws_takes():
    many = [one(f"{n}", NOW - timedelta(minutes=n)) for n in range(3000)]
    batches = list(notification_log.batches(many))
    times = [event["timestamp"] for batch in batches for event in batch]

    assert sum(map(len, batches)) == 3000
    assert times == sorted(times)
    for batch in batches:
        assert len(batch) <= 1000
        assert batch[-1]["timestamp"] - batch[0]["timestamp"] <= 23 * 3600 * 1000


def test_batches_count_bytes():
    many = [one("x y " * 500, NOW, resource=str(n)) for n in range(900)]
    sizes = [sum(len(event["message"]) + 26 for event in batch) for batch in notification_log.batches(many)]

    assert len(sizes) == 2
    assert max(sizes) <= 1_000_000


def activity(number, status, cause="c", description="Launching a new EC2 instance: i-1", message=None):
    return {
        "ActivityId": f"a{number}",
        "AutoScalingGroupName": "g",
        "AutoScalingGroupARN": "arn:g",
        "Description": description,
        "Cause": cause,
        "StartTime": NOW,
        "EndTime": NOW + timedelta(seconds=number),
        "StatusCode": status,
        "StatusMessage": message,
    }


def told(*activities):
    return [(o.level, o.what, o.time - NOW) for o in of_activities(list(activities), "dev", "main")]


def test_launches_of_one_cause_are_one_notification():
    assert told(*(activity(n, "Successful") for n in range(3))) == [
        ("info", "3 workers started", timedelta(seconds=2))
    ]


def test_launches_that_are_not_over_are_not_counted_yet():
    assert told(activity(1, "Successful"), activity(2, "InProgress")) == []


def test_starts_and_ends_are_told_apart():
    end = "Terminating EC2 instance: i-1"
    assert [
        what for _, what, _ in told(activity(1, "Successful"), activity(2, "Successful", description=end))
    ] == [
        "1 worker started",
        "1 worker ended",
    ]


def test_each_failure_is_told():
    message = "We currently do not have sufficient m6i.large capacity. Launching EC2 instance failed."
    found = told(
        activity(1, "Failed", message=message),
        activity(2, "Failed", message="Odd. Launching EC2 instance failed."),
    )

    assert [level for level, _, _ in found] == ["error", "error"]
    assert "InsufficientInstanceCapacity" in found[0][1]
    assert found[1][1] == "a worker could not be started: Odd."


def instance(code, message="", transition=""):
    tags = [
        {"Key": "coiled-pulumi:cluster", "Value": "main"},
        {"Key": "coiled-pulumi:role", "Value": "worker"},
    ]
    return {
        "InstanceId": "i-1",
        "LaunchTime": NOW,
        "StateReason": {"Code": code, "Message": message},
        "StateTransitionReason": transition,
        "Tags": tags,
    }


@pytest.mark.parametrize(
    ("code", "message", "level"),
    [
        ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination", "warning"),
        ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown", "warning"),
        ("Client.VolumeLimitExceeded", "Client.VolumeLimitExceeded: Volume limit exceeded", "error"),
        ("Server.InternalError", "Server.InternalError: Internal error on launch", "error"),
    ],
)  # fmt: skip
def test_why_an_instance_ended(code, message, level):
    found = of_instance(instance(code, message, "x (2026-11-23 11:00:00 GMT)"), "dev", NOW)

    assert (found.cluster, found.source, found.level, found.resource) == ("main", "instance", level, "i-1")
    assert found.what.startswith("a worker ended: ")
    assert found.time == datetime(2026, 11, 23, 11, tzinfo=UTC)


@pytest.mark.parametrize("code", ["", "Client.UserInitiatedShutdown"])
def test_what_somebody_ended_is_not_told(code):
    assert of_instance(instance(code), "dev", NOW) is None
