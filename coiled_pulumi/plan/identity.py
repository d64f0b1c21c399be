"""The plan of what instances may do: write their own logs, read and write their own parameters."""

from __future__ import annotations

from coiled_pulumi.plan.model import Identity
from coiled_pulumi.plan.tagging import Tagger

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def parameter_path(workspace: str) -> str:
    """Give the path in the parameter store under which everything of a workspace stands."""
    return f"/coiled-pulumi/{workspace}"


def plan_identity(tagger: Tagger, region: str) -> Identity:
    """Plan the role and the instance profile; both bear the workspace's name."""
    return Identity(
        role=tagger.item("role"),
        profile=tagger.item("profile"),
        policy=tagger.item("policy"),
        trust_document=_TRUST,
        policy_document=_policy(tagger.workspace, region),
    )


def _policy(workspace: str, region: str) -> dict:
    # The account is left open in the ARNs: a role cannot reach another account's log groups or parameters by an
    # identity policy alone, and the plan stays free of the account that it is applied to.
    group = f"arn:aws:logs:{region}:*:log-group:{workspace}"
    parameters = f"arn:aws:ssm:{region}:*:parameter{parameter_path(workspace)}/*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteOwnLogs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                "Resource": [group, f"{group}:log-stream:*"],
            },
            {
                "Sid": "OwnParameters",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
                "Resource": [parameters],
            },
        ],
    }
