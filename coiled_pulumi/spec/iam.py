"""What machines may do beyond their own logs and parameters."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from coiled_pulumi.spec.base import IN_PLACE, Refusal, Spec

#: Managed policies of AWS that would make every machine an administrator, or let it make itself one.
TOO_WIDE = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")
#: Policies that AWS attaches to one role, by default.
MAX_POLICIES = 10
_ARN = r"arn:aws:iam::(?:aws|[0-9]{12}):policy/[\w+=,.@/-]{1,512}"
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


def _check_policy(arn: str) -> str:
    if not re.fullmatch(_ARN, arn):
        msg = "must be the ARN of a managed policy as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        raise Refusal(msg)
    name = arn.rpartition("/")[2]
    if name in TOO_WIDE:
        msg = f"must not be {name}"
        raise Refusal(msg, "whoever runs code on a worker would have it; name what the machines need")
    return arn


def _check_bucket(name: str) -> str:
    for prefix in ("s3://", "arn:aws:s3:::"):
        if name.startswith(prefix):
            msg = f"must be the bucket's name without {prefix}"
            raise Refusal(msg)
    if not re.fullmatch(_BUCKET, name) or ".." in name:
        msg = "must be the name of an S3 bucket, 3 to 63 lower-case letters, digits, dashes and dots"
        raise Refusal(msg)
    return name


class S3Access(Spec):
    """Access to one bucket."""

    bucket: Annotated[
        str,
        AfterValidator(_check_bucket),
        WithJsonSchema({"type": "string", "pattern": f"^{_BUCKET}$"}),
        IN_PLACE,
    ]
    """Name of the bucket."""

    access: Annotated[Literal["read", "write", "read-write"], IN_PLACE] = "read"
    """What the machines may do with its objects."""


class Iam(Spec):
    """Rights that are attached to the workspace's role."""

    instance_policies: Annotated[
        tuple[
            Annotated[
                str, AfterValidator(_check_policy), WithJsonSchema({"type": "string", "pattern": f"^{_ARN}$"})
            ],
            ...,
        ],
        Field(max_length=MAX_POLICIES),
        IN_PLACE,
    ] = ()
    """ARNs of managed policies, at most 10."""

    s3: Annotated[tuple[S3Access, ...], Field(max_length=50)] = ()
    """Buckets that the machines may use, at most 50."""
