"""The reducer on what the real engine said."""

import copy

import pytest
from _support import streams
from hypothesis import given, settings
from hypothesis import strategies as st

from coiled_pulumi.ops.events import QUIET, Diagnostic, Finding, Progress, Row, name_of, plain, reduce

law = settings(max_examples=40, deadline=None)
each = pytest.mark.parametrize("name", streams.NAMES)


def _rows(name: str) -> list[tuple]:
    return [streams.told(row) for row in streams.progress(name).rows.values()]


def _urn(workspace: str, types: str, name: str) -> str:
    return f"urn:pulumi:{workspace}::coiled::{types}::{name}"


ROWS = {
    "advisory": [
        ("create", "coiled-taken", "done", 2.0, 2.0, ()),
        ("create", "taken", "done", 2.0, 2.0, ()),
        ("create", "taken-vpc", "done", 2.0, 2.0, ()),
        ("create", "taken-cluster-group", "done", 3.0, 3.0, ()),
    ],
    "change": [
        ("same", "coiled-solo", "done", 1.0, 32.0, ()),
        ("same", "solo", "done", 2.0, 2.0, ()),
        ("same", "solo-logs", "done", 2.0, 2.0, ()),
        ("update", "solo-logs", "done", 2.0, 2.0, ("retentionInDays",)),
        ("create", "solo-policy", "done", 2.0, 2.0, ()),
        ("create", "solo-scheduler-ingress-8787-from-me", "done", 2.0, 2.0, ()),
        ("update", "solo-cluster-one-scheduler", "done", 2.0, 32.0, ("rootBlockDevice",)),
        (
            "update",
            "solo-cluster-one-workers",
            "done",
            2.0,
            2.0,
            ("capacityReservationSpecification", "desiredCapacity", "maxSize", "minSize"),
        ),
        ("delete", "solo-scheduler-ingress-8786-from-me", "done", 32.0, 32.0, ()),
    ],
    "destroy": [
        ("delete", "solo-nat", "done", 0.0, 20.0, ()),
        ("delete", "solo-cluster-one-scheduler", "done", 0.0, 11.0, ()),
        ("delete", "solo-vpc", "done", 26.0, 26.0, ()),
        ("delete", "solo-logs", "done", 26.0, 26.0, ()),
        ("delete", "solo-logs", "done", 26.0, 26.0, ()),
        ("delete", "solo", "done", 26.0, 26.0, ()),
        ("delete", "coiled-solo", "done", 26.0, 26.0, ()),
    ],
    "failed": [
        ("create", "coiled-taken", "running", 2.0, 0.0, ()),
        ("create", "taken", "done", 3.0, 3.0, ()),
        ("create", "taken-network", "running", 3.0, 0.0, ()),
        ("create", "taken-logs", "running", 3.0, 0.0, ()),
        ("create", "taken-vpc", "done", 3.0, 3.0, ()),
        ("create", "taken-logs", "failed", 3.0, 3.0, ()),
    ],
    "mandatory": [
        ("create", "coiled-small", "running", 1.0, 0.0, ()),
        ("create", "small", "done", 2.0, 2.0, ()),
        ("create", "small-logs", "running", 2.0, 0.0, ()),
        ("create", "small-vpc", "done", 2.0, 2.0, ()),
        ("create", "small-role", "done", 2.0, 2.0, ()),
    ],
    "preview": [
        ("create", "coiled-solo", "done", 1.0, 1.0, ()),
        ("create", "solo", "done", 1.0, 1.0, ()),
        ("create", "solo-network", "done", 2.0, 2.0, ()),
        ("create", "solo-cluster-one", "done", 2.0, 2.0, ()),
        ("create", "solo-logs", "done", 2.0, 2.0, ()),
        ("create", "solo-vpc", "done", 2.0, 2.0, ()),
        ("create", "solo-logs", "done", 2.0, 2.0, ()),
        ("create", "solo-cluster-one-scheduler", "done", 2.0, 2.0, ()),
    ],
    "refresh": [
        ("same", "coiled-solo", "done", 1.0, 1.0, ()),
        ("same", "solo", "done", 1.0, 1.0, ()),
        ("same", "solo-logs", "done", 1.0, 1.0, ()),
        ("delete", "solo-policy", "done", 1.0, 1.0, ()),
        ("update", "solo-logs", "done", 1.0, 1.0, ("retentionInDays",)),
        ("same", "solo-vpc", "done", 1.0, 1.0, ()),
    ],
    "replace-failed": [
        ("same", "coiled-small", "running", 1.0, 0.0, ()),
        ("same", "small", "done", 1.0, 1.0, ()),
        ("same", "small-network", "done", 1.0, 2.0, ()),
        ("create-replacement", "small-vpc", "done", 1.0, 1.0, ("cidrBlock",)),
        ("replace", "small-vpc", "done", 1.0, 1.0, ("cidrBlock",)),
        ("update", "small-internet", "done", 1.0, 1.0, ("vpcId",)),
        ("create-replacement", "small-nat", "failed", 2.0, 2.0, ("subnetId",)),
    ],
    "same": [
        ("same", "coiled-solo", "done", 2.0, 3.0, ()),
        ("same", "solo", "done", 2.0, 2.0, ()),
        ("same", "solo-network", "done", 2.0, 2.0, ()),
        ("same", "solo-vpc", "done", 2.0, 2.0, ()),
    ],
    "stopped": [
        ("create", "coiled-stopme", "running", 1.0, 0.0, ()),
        ("create", "stopme", "done", 1.0, 1.0, ()),
        ("create", "stopme-network", "running", 1.0, 0.0, ()),
        ("create", "stopme-vpc", "done", 1.0, 1.0, ()),
        ("create", "stopme-role", "done", 1.0, 1.0, ()),
    ],
    "up": [
        ("create", "coiled-solo", "done", 1.0, 17.0, ()),
        ("create", "solo", "done", 1.0, 1.0, ()),
        ("create", "solo-network", "done", 1.0, 2.0, ()),
        ("create", "solo-logs", "done", 1.0, 2.0, ()),
        ("create", "solo-cluster-one", "done", 1.0, 17.0, ()),
        ("create", "solo-vpc", "done", 1.0, 2.0, ()),
        ("create", "solo-logs", "done", 1.0, 2.0, ()),
        ("create", "solo-nat", "done", 2.0, 2.0, ()),
        ("create", "solo-cluster-one-scheduler", "done", 7.0, 17.0, ()),
        ("create", "solo-cluster-one-workers", "done", 12.0, 13.0, ()),
    ],
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    assert _rows(name) == ROWS[name]


def test_there_is_a_table_for_each_stream():
    assert sorted(ROWS) == streams.NAMES


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("advisory", {"create": 3}),
        ("change", {"same": 2, "update": 3, "create": 2, "delete": 1}),
        ("destroy", {"delete": 6}),
        ("failed", {"create": 2}),
        ("mandatory", {"create": 3}),
        ("preview", {"create": 7}),
        ("refresh", {"same": 3, "delete": 1, "update": 1}),
        ("replace-failed", {"same": 2, "replace": 1, "update": 1}),
        ("same", {"same": 3}),
        ("stopped", {"create": 3}),
        ("up", {"create": 9}),
    ],
)
def test_counts_are_the_summary_of_the_engine(name, counts):
    assert streams.progress(name).counts() == counts


@each
def test_what_changed_is_what_is_not_left_as_it_is(name):
    progress = streams.progress(name)

    assert progress.changed == [row for row in progress.rows.values() if row.op not in QUIET]
    assert (progress.changed == []) == (name == "same")


NAT = _urn("small", "coiled:index:Workspace$coiled:index:Network$aws:ec2/natGateway:NatGateway", "small-nat")
REFUSED = (
    "creating EC2 NAT Gateway: operation error EC2: CreateNatGateway, https response error StatusCode: 400, "
    "RequestID: 0123456789ABCDEF, api error Resource.AlreadyAssociated: "
    "Resource 127.1.0.3 is already associated."
)
SAID_TWICE = [
    Diagnostic("error", f"sdk-v2/provider2.go:571: sdk.helper_schema: {REFUSED}: provider=aws@7.21.0", NAT),
    Diagnostic("error", f"1 error occurred:\n\t* {REFUSED}", NAT),
]


def test_diagnostics():
    progress = streams.progress("replace-failed")

    assert progress.diagnostics == [*SAID_TWICE, Diagnostic("error", "update failed", "")]
    assert progress.errors == SAID_TWICE
    assert progress.rows[NAT, "create-replacement"].message == SAID_TWICE[-1].message


def test_what_the_engine_says_after_every_failure_is_an_error_where_there_is_no_other():
    progress = streams.progress("stopped")
    progress.diagnostics[0] = Diagnostic("error", "update failed")

    assert progress.errors == [Diagnostic("error", "update failed")]


@pytest.mark.parametrize("name", sorted({"same", "up", "destroy", "preview"}))
def test_debugging_output_is_no_diagnostic(name):
    assert any(event.get("diagnosticEvent", {}).get("severity") == "debug" for event in streams.events("up"))
    assert streams.progress(name).diagnostics == []


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        (
            "mandatory",
            Finding(
                "logs-kept",
                "mandatory",
                "Logs are kept for a year.",
                _urn(
                    "small",
                    "coiled:index:Workspace$coiled:index:Logs$aws:cloudwatch/logGroup:LogGroup",
                    "small-logs",
                ),
            ),
        ),
        (
            "advisory",
            Finding(
                "ssh-not-open-to-the-world",
                "advisory",
                "can't run policy 'ssh-not-open-to-the-world' from policy pack 'coiled-pulumi@v0.0.1' during "
                "preview: "
                "ingress of SecurityGroup 'taken-cluster-group' is not known yet; "
                "it is judged during the update; "
                "ingress of SecurityGroup 'taken-scheduler-group' is not known yet; "
                "it is judged during the update; "
                "ingress of DefaultSecurityGroup 'taken-default-group' is not known yet; "
                "it is judged during the update",
                _urn("taken", "pulumi:pulumi:Stack", "coiled-taken"),
            ),
        ),
    ],
)
def test_findings_of_policies(name, finding):
    assert streams.progress(name).findings == [finding]


def test_outputs_are_those_of_the_stack():
    assert streams.progress("up").outputs == {
        "workspace": {
            "clusters": {
                "one": {
                    "groups": {
                        "workers": {
                            "name": "solo-cluster-one-workers-b4f30a3",
                            "least": 1,
                            "most": 1,
                            "runtime": False,
                        }
                    },
                    "n_workers": 1,
                    "rotation": 0,
                    "scheduler_address": "127.1.0.2",
                    "scheduler_id": "i-8ede",
                    "scheduler_private_address": "10.50.224.5",
                    "security": "[secret]",
                    "worker_group": "solo-cluster-one-workers-b4f30a3",
                    "zone": "us-east-1a",
                }
            },
            "groups": {"cluster-group": "sg-feb2", "scheduler-group": "sg-6d00"},
            "declared": {"name": "solo", "region": "us-east-1"},
            "instance_profile": "solo",
            "log_group": "solo",
            "name": "solo",
            "nat_addresses": {"us-east-1a": "127.1.0.1"},
            "region": "us-east-1",
            "role_arn": "arn:aws:iam::123456789012:role/solo",
            "route_tables": {"private": "rtb-5c11", "public": "rtb-2d40"},
            "subnets": {"private-us-east-1a": "subnet-9313", "public-us-east-1a": "subnet-0dd5"},
            "version": 3,
            "vpc_id": "vpc-83f8",
            "zone": "us-east-1a",
        }
    }


def test_a_refresh_that_ends_as_something_else_keeps_when_it_began():
    progress = Progress()
    metadata = {"urn": "urn:pulumi:s::p::t:m:T::n", "type": "t:m:T", "op": "refresh"}
    (began,) = reduce(progress, {"resourcePreEvent": {"metadata": metadata}}, 1.0)
    (ended,) = reduce(progress, {"resOutputsEvent": {"metadata": metadata | {"op": "delete"}}}, 3.0)

    assert began.op == "refresh"
    assert list(progress.rows.values()) == [ended]
    assert (ended.op, ended.state, ended.seconds) == ("delete", "done", 2.0)


def test_leftovers_of_earlier_replacements_that_share_a_name_are_one_row_that_begins_again():
    progress = Progress()
    metadata = {"urn": "urn:pulumi:s::p::t:m:T::n", "type": "t:m:T", "op": "delete-replaced"}
    states = []
    for at, kind in enumerate(["resourcePreEvent", "resOutputsEvent"] * 2):
        (row,) = reduce(progress, {kind: {"metadata": metadata}}, float(at))
        states.append((row.state, row.started, row.seconds))

    assert states == [("running", 0.0, 0.0), ("done", 0.0, 1.0), ("running", 2.0, 0.0), ("done", 2.0, 1.0)]


def test_a_cut_run_counts_what_was_seen():
    progress = Progress()
    for event in streams.events("replace-failed"):
        if "summaryEvent" not in event:
            reduce(progress, event, 0.0)

    assert progress.counts() == {"same": 2, "replace": 2, "update": 1}


@pytest.mark.parametrize(
    ("diagnostic", "kept"),
    [
        ({"severity": "info#err", "message": "said on stderr\n"}, [Diagnostic("info", "said on stderr")]),
        (
            {"severity": "warning", "message": "<{%reset%}>warning: old<{%reset%}>"},
            [Diagnostic("warning", "old")],
        ),
        ({"severity": "info", "message": "passing", "ephemeral": True}, []),
        ({"severity": "error", "message": " \n"}, []),
        ({}, []),
    ],
    ids=["stderr", "markup", "ephemeral", "blank", "nothing"],
)
def test_a_diagnostic_is_told_without_marks(diagnostic, kept):
    progress = Progress()
    reduce(progress, {"diagnosticEvent": diagnostic}, 0.0)

    assert progress.diagnostics == kept


def test_names_and_marks():
    assert name_of("urn:pulumi:dev::coiled::aws:ec2/vpc:Vpc::dev-vpc") == "dev-vpc"
    assert plain("<{%fg 1%}>red<{%reset%}> and {%plain%}") == "red and {%plain%}"


def _reduced(stream: list[dict]) -> Progress:
    progress = Progress()
    for event, at in zip(stream, streams.times(stream), strict=True):
        reduce(progress, event, at)
    return progress


prefixes = st.sampled_from(streams.NAMES).flatmap(
    lambda name: st.integers(1, len(streams.events(name))).map(lambda end: streams.events(name)[:end])
)


@law
@given(prefixes)
def test_any_beginning_of_a_stream_gives_a_consistent_picture(stream):
    begun = {event["resourcePreEvent"]["metadata"]["urn"] for event in stream if "resourcePreEvent" in event}
    progress = _reduced(stream)
    rows = list(progress.rows.values())

    assert {row.urn for row in rows} == begun
    assert all(key == (row.urn, row.op) for key, row in progress.rows.items())
    assert all(row.ended >= row.started for row in rows if row.state != "running")
    assert all(row.ended == 0.0 and row.seconds == 0.0 for row in rows if row.state == "running")
    assert all(row in rows for row in progress.changed)
    assert all(count > 0 for count in progress.counts().values())
    assert (progress.changes is not None) == ("summaryEvent" in str(stream))


@law
@given(prefixes)
def test_reducing_is_deterministic_and_leaves_the_events_alone(stream):
    before = copy.deepcopy(stream)

    assert _reduced(stream) == _reduced(stream)
    assert stream == before


UNKNOWN = st.dictionaries(
    st.sampled_from(["newEvent", "stdoutEvent", "preludeEvent", "cancelEvent", "sequence", "timestamp"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3),
)


@law
@given(prefixes, UNKNOWN)
def test_unknown_events_change_nothing(stream, event):
    progress = _reduced(stream)
    before = copy.deepcopy(progress)

    assert reduce(progress, event, 99.0) == []
    assert progress == before


@law
@given(prefixes)
def test_the_rows_given_are_the_rows_that_changed(stream):
    progress = Progress()
    before: dict[tuple[str, str], Row] = {}
    for event in stream:
        given_back = reduce(progress, event, 1.0)
        changed = [row for key, row in progress.rows.items() if before.get(key) != row]
        assert [row for row in changed if row not in given_back] == []
        before = copy.deepcopy(progress.rows)
