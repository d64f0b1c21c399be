"""How a failed run becomes an error."""

import pytest
from _support import streams

from coiled_pulumi.errors import (
    CancelledError,
    ChangesFoundError,
    CoiledPulumiError,
    CredentialsError,
    DeadlineError,
    DeploymentError,
    NoSuchStackError,
    PolicyError,
    UsageError,
)
from coiled_pulumi.ops.events import Diagnostic, Finding, Progress, Row
from coiled_pulumi.ops.failures import failure

LOCAL = 'or use the local AWS: eval "$(coiled-pulumi local env)"'
EXISTS = (
    "taken-logs: something of this name exists already: The specified log group already exists "
    "(ResourceAlreadyExistsException)"
)
TAKEN = "if it is left from a run of ours, delete it; if it is another's, give the workspace another `name:`"
NAT = "urn:pulumi:dev::coiled::aws:ec2/natGateway:NatGateway::dev-nat"
STACK = "urn:pulumi:dev::coiled::pulumi:pulumi:Stack::coiled-dev"
PROVIDER = "urn:pulumi:dev::coiled::pulumi:providers:aws::aws-us-east-1"


def _said(*messages: str, urn: str = "") -> Progress:
    return Progress(diagnostics=[Diagnostic("error", message, urn) for message in messages])


@pytest.mark.parametrize(
    ("code", "progress", "text", "kind", "what", "hint"),
    [
        (1, Progress(), "", CoiledPulumiError, "pulumi ended with exit code 1", ""),
        (255, Progress(), "\n  one\ntwo\n\nthree\nfour\n", CoiledPulumiError, "two\nthree\nfour", ""),
        (1, Progress(), "warning: w\nerror: a\nerror: b\nnoise", CoiledPulumiError, "a\nb", ""),
        (2, Progress(), "error: no such flag", UsageError, "no such flag", ""),
        (3, Progress(), "error: who are you", CredentialsError, "who are you", ""),
        (4, Progress(), "error: refused", DeploymentError, "refused", ""),
        (5, Progress(), "error: against policy", PolicyError, "against policy", ""),
        (
            6,
            Progress(),
            "error: no stack named 'dev' found",
            NoSuchStackError,
            "no stack named 'dev' found",
            "bring it up with: coiled-pulumi up",
        ),
        (7, Progress(), "error: changes", ChangesFoundError, "changes", ""),
        (8, Progress(), "error: cancelled", CancelledError, "cancelled", ""),
        (9, Progress(), "error: too slow", DeadlineError, "too slow", ""),
        (1, streams.progress("failed"), "", DeploymentError, EXISTS, TAKEN),
        (4, streams.progress("failed"), "error: else", DeploymentError, EXISTS, TAKEN),
        (
            4,
            streams.progress("mandatory"),
            "error: update failed",
            PolicyError,
            "a mandatory policy is violated\nlogs-kept: small-logs: Logs are kept for a year.",
            "",
        ),
        (
            1,
            Progress(findings=[Finding("p", "advisory", "mind this"), Finding("q", "mandatory", "not so")]),
            "",
            PolicyError,
            "a mandatory policy is violated\nq: not so",
            "",
        ),
        (
            4,
            _said(
                "sdk-v2/provider2.go:5: sdk.helper_schema: deleting EC2 Subnet: in use: provider=aws@7.21.0",
                f"deleting {NAT}: 1 error occurred:\n\t* deleting EC2 Subnet: in use",
                urn=NAT,
            ),
            "",
            DeploymentError,
            "dev-nat: deleting EC2 Subnet: in use",
            "",
        ),
        (4, _said("a", "b", "a"), "", DeploymentError, "a\nb", ""),
        (4, _said("the program says", urn=STACK), "", DeploymentError, "the program says", ""),
        (
            4,
            _said("reading: Missing Resource Identity After Read: gone", urn=NAT),
            "",
            DeploymentError,
            "dev-nat: reading: Missing Resource Identity After Read: gone",
            "it was deleted outside of Pulumi; make it anew: "
            f"pulumi state delete '{NAT}' && coiled-pulumi up",
        ),
        (
            255,
            Progress(),
            "error: the stack is currently locked by 1 lock(s)",
            CoiledPulumiError,
            "the stack is currently locked by 1 lock(s)",
            "another run is at work; if none is: pulumi cancel",
        ),
        (
            1,
            Progress(),
            "error: getting stack configuration: get stack secrets manager: incorrect passphrase",
            CoiledPulumiError,
            "getting stack configuration: get stack secrets manager: incorrect passphrase",
            "set PULUMI_CONFIG_PASSPHRASE to the passphrase of this backend",
        ),
        (
            1,
            Progress(),
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            CoiledPulumiError,
            "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            f"set PULUMI_BACKEND_URL, {LOCAL}",
        ),
        (
            4,
            _said(
                "1 error occurred:\n\t* No valid credential sources found: Please see the docs", urn=PROVIDER
            ),
            "",
            CredentialsError,
            "there are no AWS credentials",
            f"set AWS credentials, {LOCAL}",
        ),
        (
            4,
            _said(
                "api error ExpiredToken: The security token included in the request is expired", urn=PROVIDER
            ),
            "",
            CredentialsError,
            "the AWS credentials have expired (ExpiredToken)",
            "renew the AWS credentials, as with: aws sso login",
        ),
    ],
)
def test_a_failed_run_is_an_error_of_the_fitting_kind(code, progress, text, kind, what, hint):
    error = failure(code, progress, text)

    assert (type(error), error.what, error.hint) == (kind, what, hint)


def _urn(name: str, kind: str = "aws:ec2/instance:Instance") -> str:
    return f"urn:pulumi:dev::coiled::{kind}::{name}"


def _go(operation: str, answer: str) -> str:
    return (
        f"creating: operation error EC2: {operation}, https response error StatusCode: 400, RequestID: r-1, "
        f"api error {answer}"
    )


QUOTA = _go(
    "RunInstances", "VcpuLimitExceeded: You have requested more than your current vCPU limit of 5 allows."
)
EXPIRED = _go("CreateSubnet", "RequestExpired: Request has expired.")


def _progress(*met: tuple[str, str], done: int = 0) -> Progress:
    """Some resources that were made, and some that failed with a text."""
    progress = Progress(diagnostics=[Diagnostic("error", text, _urn(name)) for name, text in met])
    named = [(f"made-{n}", "done") for n in range(done)] + [(name, "failed") for name, _ in met]
    for name, state in [("solo", "done"), *dict(named).items()]:
        kind = "coiled:index:Workspace" if name == "solo" else "aws:ec2/instance:Instance"
        urn = _urn(name, kind)
        progress.rows[urn, "create"] = Row(urn, kind, name, "", "create", state, 0.0)
    return progress


def test_resources_that_met_the_same_fault_share_a_line():
    error = failure(4, _progress(("scheduler", QUOTA), ("workers", QUOTA), ("other", "odd")), "")

    assert error.what.splitlines() == [
        "scheduler, workers: the quota of 5 vCPUs for on-demand instances of this family is used up "
        "(VcpuLimitExceeded, quota L-1216C47A)",
        "other: odd",
    ]
    assert error.hint == (
        "ask for more: coiled-pulumi setup aws --quotas; or lower n_workers, or take a smaller worker.instance_type"
    )
    assert error.exit_code == 4


def test_a_resource_that_is_told_twice_is_named_once():
    wrapped = f"sdk-v2/provider2.go:5: sdk.helper_schema: {QUOTA}: provider=aws@7.21.0"
    listed = f"1 error occurred:\n\t* {QUOTA}\n\n"

    error = failure(4, _progress(("scheduler", wrapped), ("scheduler", listed)), "")

    assert error.what.startswith("scheduler: the quota of 5 vCPUs")
    assert len(error.what.splitlines()) == 1


def test_each_next_step_is_told_once():
    vpcs = _go("CreateVpc", "VpcLimitExceeded: The maximum number of VPCs has been reached.")
    error = failure(4, _progress(("a", QUOTA), ("vpc", vpcs), ("b", QUOTA)), "")

    assert [line.split(";")[1] for line in error.hint.splitlines()] == [
        " or lower n_workers, or take a smaller worker.instance_type",
        " or destroy a workspace that is no longer needed",
    ]


def test_credentials_that_expired_on_the_way_tell_how_far_it_came():
    error = failure(4, _progress(("subnet", EXPIRED), ("role", EXPIRED), done=12), "", verb="destroy")

    assert (type(error), error.what, error.hint) == (
        CredentialsError,
        "credentials expired after 12 of 14 resources\nsubnet, role: the AWS credentials have expired (RequestExpired)",
        "renew them, as with `aws sso login`, and run destroy again: it goes on from here",
    )


def test_credentials_that_had_expired_before_say_only_that():
    error = failure(4, _progress(("subnet", EXPIRED)), "")

    assert (type(error), error.what, error.hint) == (
        CredentialsError,
        "subnet: the AWS credentials have expired (RequestExpired)",
        "renew the AWS credentials, as with: aws sso login",
    )


def test_an_encoded_message_is_never_told():
    blob = "Ab1/" * 60
    known = _go("RunInstances", f"UnauthorizedOperation: No. Encoded authorization failure message: {blob}")
    error = failure(
        4, _progress(("a", known), ("b", f"odd: Encoded authorization failure message: {blob}")), ""
    )

    assert error.what.splitlines() == ["a: not allowed: ec2:RunInstances (UnauthorizedOperation)", "b: odd: "]


def test_what_was_only_printed_is_explained_too():
    error = failure(255, Progress(), f"error: {EXPIRED}\n")

    assert (type(error), error.what) == (
        CredentialsError,
        "the AWS credentials have expired (RequestExpired)",
    )
