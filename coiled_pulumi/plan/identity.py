"""The plan of what instances may do: write logs, read what they are told, and end the cluster that they schedule."""

from __future__ import annotations

from coiled_pulumi.plan.model import Attachment, Identity
from coiled_pulumi.plan.naming import logical
from coiled_pulumi.plan.tagging import Tagger
from coiled_pulumi.plan.userdata import in_s3

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


#: On a group of workers: the instance that may end it. Pulumi sets it when both are there, so that they start at once.
OWNER_TAG = "coiled-pulumi:scheduler"
#: On a parameter: the instance that may read it.
READER_TAG = "coiled-pulumi:reader"


def parameter_path(workspace: str) -> str:
    """Give the path in the parameter store under which everything of a workspace stands."""
    return f"/coiled-pulumi/{workspace}"


#: What each kind of access to a bucket allows on its objects.
_OBJECTS = {
    "read": ("s3:GetObject",),
    "write": ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"),
}


def plan_identity(
    tagger: Tagger,
    region: str,
    *,
    physical_name: str = "",
    policies: tuple[str, ...] = (),
    s3: tuple[tuple[str, str], ...] = (),
    agents: tuple[str, ...] = (),
) -> Identity:
    """Plan the role and the instance profile; both bear the workspace's name.

    Args:
        tagger: makes the items.
        region: of the log group and the parameters.
        physical_name: what AWS calls role and profile; the workspace's name if not given.
        policies: ARNs of managed policies to attach.
        s3: pairs of bucket and access: read, write or read-write.
        agents: addresses of the agent's wheels; of those in S3 instances get to read the object.
    """
    return Identity(
        physical_name=physical_name or tagger.workspace,
        role=tagger.item("role"),
        profile=tagger.item("profile"),
        policy=tagger.item("policy"),
        trust_document=_TRUST,
        policy_document=_policy(tagger.workspace, region, s3, agents),
        attachments=tuple(_attachment(tagger, arn) for arn in sorted(set(policies))),
    )


def _attachment(tagger: Tagger, arn: str) -> Attachment:
    """Name an attachment by what AWS calls the policy; the path tells equal names apart, and its sign is in no name."""
    key = "policy-" + arn.partition(":policy/")[2].replace("/", ":")
    owner = arn.split(":")[4]
    key = key if owner == "aws" else f"{key}-of-{owner}"
    return Attachment(key, logical(tagger.workspace, key), arn)


def _policy(workspace: str, region: str, s3: tuple[tuple[str, str], ...], agents: tuple[str, ...]) -> dict:
    # The account is left open in the ARNs: a role cannot reach another account's log groups or parameters by an
    # identity policy alone, and the plan stays free of the account that it is applied to.
    group = f"arn:aws:logs:{region}:*:log-group:{workspace}"
    parameters = f"arn:aws:ssm:{region}:*:parameter{parameter_path(workspace)}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteOwnLogs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [group, f"{group}:log-stream:*"],
            },
            {
                "Sid": "ReadConfiguration",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters"],
                "Resource": [f"{parameters}/*/config/*", f"{parameters}/*/worker"],
            },
            {
                "Sid": "ReadSecretsOfTheScheduler",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters"],
                "Resource": [f"{parameters}/*/scheduler"],
                "Condition": _is_named_by(f"ssm:resourceTag/{READER_TAG}"),
            },
            {
                "Sid": "EndOwnCluster",
                "Effect": "Allow",
                "Action": ["autoscaling:PutScheduledUpdateGroupAction", "autoscaling:SetDesiredCapacity"],
                "Resource": [f"arn:aws:autoscaling:{region}:*:autoScalingGroup:*:autoScalingGroupName/*"],
                "Condition": _is_named_by(f"autoscaling:ResourceTag/{OWNER_TAG}"),
            },
            *_buckets(s3),
            *_agents(agents),
        ],
    }


def _is_named_by(key: str) -> dict:
    """Ask for a tag that names the calling instance: the user id of a role's session ends with the instance's id.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return {"StringLike": {"aws:userid": f"*:${{{key}}}"}}


def _buckets(s3: tuple[tuple[str, str], ...]) -> list[dict]:
    """Make one statement for listing buckets, and one for each set of actions on their objects."""
    if not s3:
        return []
    made = [
        _allow("ListBuckets", ("s3:GetBucketLocation", "s3:ListBucket"), sorted({bucket for bucket, _ in s3}))
    ]
    for access in ("read", "write"):
        buckets = sorted({bucket for bucket, allowed in s3 if access in allowed.split("-")})
        if buckets:
            objects = [f"{bucket}/*" for bucket in buckets]
            made.append(_allow(f"{access.capitalize()}Objects", _OBJECTS[access], objects))
    return made


def _agents(addresses: tuple[str, ...]) -> list[dict]:
    places = sorted({place for address in addresses if (place := in_s3(address))})
    return [_allow("ReadAgent", ("s3:GetObject",), places)] if places else []


def _allow(sid: str, actions: tuple[str, ...], places: list[str]) -> dict:
    resources = [f"arn:aws:s3:::{place}" for place in places]
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
