"""Where Pulumi keeps its state: a bucket, looked at and made.

Each function does one thing and may be called again; the order is the caller's. What the bucket needs follows
security benchmarks (CIS AWS Foundations 3.1, AWS Security Hub S3.5, S3.8, S3.12, S3.13, S3.14, S3.17).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws import session

ROLE_TAG: Final = "coiled-pulumi:role"
#: How long an older state is kept after a newer one was written, in days.
KEPT_DAYS: Final = 90
_RULE: Final = "coiled-pulumi-older-states"
_SID: Final = "OnlyTls"


def bucket_name(account: str) -> str:
    """Make a name that nobody can guess, and register before us."""
    return f"coiled-pulumi-state-{account}-{secrets.token_hex(3)}"


def find_bucket(account: str, *, region: str) -> str:
    """Find the account's bucket by its name and its tag; empty where there is none.

    One without the tag is ours too: a run was cut off before it could set it.

    Raises:
        CoiledPulumiError: buckets may not be listed.
    """
    ours = re.compile(rf"coiled-pulumi-state-{account}-[0-9a-f]{{6}}")
    s3 = session.client("s3", region)
    with session.told():
        names = [row["Name"] for row in s3.list_buckets()["Buckets"]]
    found = sorted(name for name in names if ours.fullmatch(name))
    return next((name for name in found if _tag(s3, name) == "state"), next(iter(found), ""))


def bucket_region(name: str, *, region: str) -> str:
    """Tell where a bucket is: the key that encrypts it has to be there too."""
    with session.told():
        answer = session.client("s3", region).get_bucket_location(Bucket=name)
    return answer.get("LocationConstraint") or "us-east-1"


def create_bucket(name: str, *, region: str) -> None:
    """Make an empty bucket."""
    # S3 takes every region as a constraint but its first.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with session.told():
        session.client("s3", region).create_bucket(Bucket=name, **place)


def open_settings(name: str, key: str, *, region: str) -> tuple[str, ...]:
    """Give the settings that a bucket still lacks, in the order in which to make them; all for an empty name."""
    if not name:
        return tuple(SETTINGS)
    s3 = session.client("s3", region)
    with session.told():
        return tuple(title for title, setting in SETTINGS.items() if not setting.holds(s3, name, key))


def make_setting(title: str, name: str, key: str, *, region: str) -> None:
    """Make one setting of a bucket; what others have set beside it stays."""
    with session.told():
        SETTINGS[title].make(session.client("s3", region), name, key)


@dataclass(frozen=True, slots=True)
class Setting:
    """A property of the bucket: how to see whether it holds, and how to make it hold."""

    holds: Callable[[Any, str, str], bool]
    make: Callable[[Any, str, str], object]


def _read(call: Callable[..., Any], name: str) -> dict[str, Any]:
    """Read a configuration; S3 answers with an error of its own kind where there is none."""
    from botocore.exceptions import ClientError

    try:
        return call(Bucket=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if (code.startswith("NoSuch") and code != "NoSuchBucket") or code.endswith("NotFoundError"):
            return {}
        raise


def _tags(s3: Any, name: str) -> list[dict[str, str]]:
    return _read(s3.get_bucket_tagging, name).get("TagSet", [])


def _tag(s3: Any, name: str) -> str:
    with session.told():
        return {tag["Key"]: tag["Value"] for tag in _tags(s3, name)}.get(ROLE_TAG, "")


def _put_tag(s3: Any, name: str, _key: str) -> None:
    others = [tag for tag in _tags(s3, name) if tag["Key"] != ROLE_TAG]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [*others, {"Key": ROLE_TAG, "Value": "state"}]})


def _encryption(key: str) -> dict[str, Any]:
    by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": True}]}


def _is_encrypted(s3: Any, name: str, key: str) -> bool:
    rules = (
        _read(s3.get_bucket_encryption, name).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    )
    return any(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") == key for rule in rules
    )


_BLOCKED: Final = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
_OWNED: Final = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def _policy(s3: Any, name: str) -> dict[str, Any]:
    return json.loads(_read(s3.get_bucket_policy, name).get("Policy", "{}"))


def _put_policy(s3: Any, name: str, _key: str) -> None:
    others = [one for one in _policy(s3, name).get("Statement", []) if one.get("Sid") != _SID]
    document = {"Version": "2012-10-17", "Statement": [*others, _only_tls(name)]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document))


def _only_tls(name: str) -> dict[str, Any]:
    return {
        "Sid": _SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _rules(s3: Any, name: str) -> list[dict[str, Any]]:
    return _read(s3.get_bucket_lifecycle_configuration, name).get("Rules", [])


def _put_rules(s3: Any, name: str, _key: str) -> None:
    rule = {
        "ID": _RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
    }
    others = [one for one in _rules(s3, name) if one.get("ID") != _RULE]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [*others, rule]})


#: By what they are called for people, in the order in which they are made: the tag first, by which the next run
#: finds the bucket, and the policy last, because it may lock an endpoint without TLS out.
SETTINGS: Final[dict[str, Setting]] = {
    "tagged": Setting(lambda s3, name, _: _tag(s3, name) == "state", _put_tag),
    "closed to the public": Setting(
        lambda s3, name, _: (
            _read(s3.get_public_access_block, name).get("PublicAccessBlockConfiguration") == _BLOCKED
        ),
        lambda s3, name, _: s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_BLOCKED),
    ),
    "owned by the account": Setting(
        lambda s3, name, _: _read(s3.get_bucket_ownership_controls, name).get("OwnershipControls") == _OWNED,
        lambda s3, name, _: s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=_OWNED),
    ),
    "versioned": Setting(
        lambda s3, name, _: _read(s3.get_bucket_versioning, name).get("Status") == "Enabled",
        lambda s3, name, _: s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration={"Status": "Enabled"}
        ),
    ),
    "encrypted with the key": Setting(
        _is_encrypted,
        lambda s3, name, key: s3.put_bucket_encryption(
            Bucket=name, ServerSideEncryptionConfiguration=_encryption(key)
        ),
    ),
    f"older states kept {KEPT_DAYS} days": Setting(
        lambda s3, name, _: any(rule.get("ID") == _RULE for rule in _rules(s3, name)), _put_rules
    ),
    "only over TLS": Setting(
        lambda s3, name, _: _only_tls(name) in _policy(s3, name).get("Statement", []), _put_policy
    ),
}
