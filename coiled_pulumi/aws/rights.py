"""What the caller may do, asked without doing it."""

from __future__ import annotations

import re
from typing import Any, Final

from coiled_pulumi.aws import faults, session

#: EC2's answers to a dry run: it would have worked, or it is not allowed.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
_ALLOWED: Final = "DryRunOperation"
_REFUSED: Final = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_ASSUMED: Final = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/")


def dry_run(action: str, options: dict[str, Any], *, region: str, profile: str | None = None) -> bool:
    """Ask EC2 whether it would carry a call out; nothing is made.

    Args:
        action: the method of boto3's client, as `run_instances`.
        options: its parameters, as they would really be: policies may look at tags and types.
        region: where.
        profile: with whose credentials.

    Raises:
        CoiledPulumiError: EC2 refuses for another reason, so nothing is known about the right.
    """
    from botocore.exceptions import ClientError

    with session.told():
        client = session.client("ec2", region, profile)
        try:
            getattr(client, action)(**options, DryRun=True)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _ALLOWED:
                return True
            if code in _REFUSED:
                return False
            raise faults.of(error) from None
    return True


def simulate(
    arn: str, actions: tuple[str, ...], *, region: str, profile: str | None = None
) -> dict[str, bool]:
    """Ask IAM which actions a caller's policies allow on anything.

    Conditions that a real call would meet are not known here: what a policy allows only with the workspace's tags
    counts as not allowed by this answer, so a `False` is a warning and no proof.

    Raises:
        CoiledPulumiError: it may not be asked, as most callers may not.
    """
    with session.told():
        pages = (
            session.client("iam", region, profile)
            .get_paginator("simulate_principal_policy")
            .paginate(PolicySourceArn=principal(arn), ActionNames=list(actions))
        )
        rows = [row for page in pages for row in page["EvaluationResults"]]
    return {row["EvalActionName"]: row["EvalDecision"] == "allowed" for row in rows}


def principal(arn: str) -> str:
    """Give the user or role behind a caller: sessions of a role have ARNs of their own.

    A role's path is not part of its sessions' ARNs, so a role with one is not found by what this gives.
    """
    match = _ASSUMED.match(arn)
    return f"arn:{match['partition']}:iam::{match['account']}:role/{match['role']}" if match else arn


def is_root(arn: str) -> bool:
    """Tell whether the caller is the account itself, whom no policy of IAM binds."""
    return arn.endswith(":root")
