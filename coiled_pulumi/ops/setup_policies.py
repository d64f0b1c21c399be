"""The two managed policies of a workspace: what differs from those that are there, and how to attach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from coiled_pulumi.aws import discover, sealing
from coiled_pulumi.ops.setup import Change, Place
from coiled_pulumi.plan import model, policy_documents


def documents(plan: model.Workspace) -> dict[str, dict[str, Any]]:
    """Make the documents of a workspace, by part."""
    return {"setup": policy_documents.setup(plan), "ongoing": policy_documents.ongoing(plan)}


def policy_changes(where: Place, workspace: str, documents: dict[str, dict[str, Any]]) -> Iterator[Change]:
    """Give what differs between the policies that are there and those that a workspace needs.

    Args:
        where: the state that whoever works with the workspace has to read and write.
        workspace: its name.
        documents: by part, `setup` and `ongoing`.
    """
    for part, document in documents.items():
        name = policy_name(workspace, part)
        # Setup is attached beside Ongoing, which has what both need.
        wanted = with_state(document, where) if part == "ongoing" else document
        before = sealing.read_policy(where.account, name, region=where.region)
        if before is None:
            make = _policy(sealing.create_policy, name, wanted, workspace=workspace, region=where.region)
            yield Change(f"policy {name}", "create", make, (f"{_count(wanted)} actions, attached to nobody",))
        elif lines := differences(before, wanted):
            make = _policy(sealing.update_policy, where.account, name, wanted, region=where.region)
            yield Change(f"policy {name}", "update", make, lines)


def _policy(call: Callable[..., object], *args: Any, **options: Any) -> Callable[[], object]:
    return lambda: call(*args, **options)


def policy_name(workspace: str, part: str) -> str:
    """Give the name of one of a workspace's two managed policies."""
    return f"coiled-pulumi-{workspace}-{part}"


def with_state(document: dict[str, Any], where: Place) -> dict[str, Any]:
    """Add to an IAM document what reading and writing Pulumi's state takes."""
    bucket = f"arn:aws:s3:::{where.bucket}"
    statements = [
        {"Sid": "StateBucket", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": bucket},
        {
            "Sid": "StateObjects",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            "Resource": f"{bucket}/*",
        },
        {
            "Sid": "StateKey",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
            # By its alias: a policy can be made before the key, and outlives another one in its place.
            "Resource": f"arn:aws:kms:{where.region}:{where.account}:key/*",
            "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": sealing.ALIAS}},
        },
    ]
    return document | {"Statement": [*document["Statement"], *statements]}


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Compare two IAM documents: a line per action that comes or goes, and per statement that changes otherwise."""
    old, new = _by_sid(before), _by_sid(after)
    lines = []
    for sid in sorted(old.keys() | new.keys()):
        was, will = _actions(old.get(sid, {})), _actions(new.get(sid, {}))
        lines += [f"+ {sid}: {action}" for action in sorted(will - was)]
        lines += [f"- {sid}: {action}" for action in sorted(was - will)]
        if sid in old and sid in new:
            keys = sorted((old[sid].keys() | new[sid].keys()) - {"Action", "NotAction", "Sid"})
            changed = [key for key in keys if _flat(old[sid].get(key)) != _flat(new[sid].get(key))]
            lines += [f"~ {sid}: {key}" for key in changed]
    return tuple(lines)


def _by_sid(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    statements = _listed(document.get("Statement", []))
    return {one.get("Sid") or f"statement {number}": one for number, one in enumerate(statements, 1)}


def _actions(statement: dict[str, Any]) -> set[str]:
    return set(_listed(statement.get("Action", []))) | {
        f"not {action}" for action in _listed(statement.get("NotAction", []))
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _flat(value: Any) -> Any:
    """Make lists comparable: IAM takes one value for a list of one, and no order counts."""
    if isinstance(value, dict):
        return {key: _flat(part) for key, part in value.items()}
    return sorted(map(str, _listed(value)))


def _count(document: dict[str, Any]) -> int:
    """Count the actions, each once, in however many statements it is."""
    return len(set().union(*map(_actions, _by_sid(document).values())))


def attach_commands(who: discover.Identity, names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the commands that attach policies to the caller, or what to do where there is no such command."""
    arns = [sealing.policy_arn(who.account, name) for name in names]
    resource = who.arn.split(":", 5)[-1]
    kind, _, rest = resource.partition("/")
    if resource == "root":
        return ("you are root: attach them to a user or role, and work as that",)
    if "AWSReservedSSO_" in rest:
        return (
            f"IAM Identity Center: name them in the permission set as customer managed, path {sealing.PATH}",
        )
    if kind in ("user", "assumed-role"):
        verb, flag = (
            ("attach-user-policy", "--user-name") if kind == "user" else ("attach-role-policy", "--role-name")
        )
        name = rest.split("/")[-1] if kind == "user" else rest.split("/")[0]
        return tuple(f"aws iam {verb} {flag} {name} --policy-arn {arn}" for arn in arns)
    return ("attach them to the users or roles that are to work with it",)
