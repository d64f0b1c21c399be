"""The key that seals the state's secrets and the bucket, and the managed policies that people attach."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from coiled_pulumi.aws import session

ALIAS: Final = "alias/coiled-pulumi"
_TAG: Final = {"TagKey": "coiled-pulumi:role", "TagValue": "secrets"}
PATH: Final = "/coiled-pulumi/"
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_VERSIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Key:
    """The key: whether it has its alias, and whether AWS renews it every year."""

    arn: str
    named: bool
    rotates: bool


def find_key(*, region: str) -> Key | None:
    """Find the key by its alias, else by its tag: a run was cut off before it could name it.

    Raises:
        CoiledPulumiError: keys may not be looked at.
    """
    kms = session.client("kms", region)
    with session.told():
        try:
            arn = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"]
            named = True
        except kms.exceptions.NotFoundException:
            arn, named = _tagged(kms), False
        return Key(arn, named, kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]) if arn else None


def _tagged(kms: Any) -> str:
    for page in kms.get_paginator("list_keys").paginate():
        for row in page["Keys"]:
            facts = kms.describe_key(KeyId=row["KeyId"])["KeyMetadata"]
            # Keys of AWS's own services have no tags to look at, and one that waits for its deletion seals nothing.
            ours = facts.get("KeyManager") == "CUSTOMER" and facts["KeyState"] == "Enabled"
            if ours and _TAG in kms.list_resource_tags(KeyId=row["KeyId"])["Tags"]:
                return row["KeyArn"]
    return ""


def create_key(*, region: str) -> str:
    """Make a key and give its ARN; $1 a month from then on."""
    with session.told():
        answer = session.client("kms", region).create_key(
            Description="Seals the Pulumi state of coiled-pulumi", Tags=[_TAG]
        )
    return answer["KeyMetadata"]["Arn"]


def name_key(arn: str, *, region: str) -> None:
    """Give the key its alias."""
    with session.told():
        session.client("kms", region).create_alias(AliasName=ALIAS, TargetKeyId=arn)


def rotate_key(arn: str, *, region: str) -> None:
    """Have AWS renew the key's material every year; what was sealed before stays readable."""
    with session.told():
        session.client("kms", region).enable_key_rotation(KeyId=arn)


def policy_arn(account: str, name: str) -> str:
    """Give the ARN of one of our managed policies."""
    return f"arn:aws:iam::{account}:policy{PATH}{name}"


def read_policy(account: str, name: str, *, region: str) -> dict[str, Any] | None:
    """Give the document of a policy's default version; None where there is no such policy."""
    iam = session.client("iam", region)
    arn = policy_arn(account, name)
    with session.told():
        try:
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        except iam.exceptions.NoSuchEntityException:
            return None
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return json.loads(unquote(found)) if isinstance(found, str) else found


def create_policy(name: str, document: dict[str, Any], *, workspace: str, region: str) -> str:
    """Make a managed policy and give its ARN; it is attached to nobody."""
    with session.told():
        answer = session.client("iam", region).create_policy(
            PolicyName=name,
            Path=PATH,
            PolicyDocument=_compact(document),
            Description=f"coiled-pulumi, workspace {workspace}",
            Tags=[{"Key": "coiled-pulumi:workspace", "Value": workspace}],
        )
    return answer["Policy"]["Arn"]


def update_policy(account: str, name: str, document: dict[str, Any], *, region: str) -> None:
    """Make a new default version; where there are five, the oldest that is not in force goes first."""
    iam = session.client("iam", region)
    arn = policy_arn(account, name)
    with session.told():
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) >= MAX_VERSIONS:
            spare = [one for one in versions if not one["IsDefaultVersion"]]
            oldest = min(spare, key=lambda one: (one["CreateDate"], int(one["VersionId"].lstrip("v"))))
            iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=_compact(document), SetAsDefault=True)


def alias_of_account(*, region: str) -> str:
    """Give the account's alias, which people know it by; empty where it has none or it may not be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return next(iter(session.client("iam", region).list_account_aliases()["AccountAliases"]), "")
    except (BotoCoreError, ClientError):
        return ""


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
