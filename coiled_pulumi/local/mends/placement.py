"""Placement groups exist, and instances are in them.

moto has none of their calls, and drops the group that a launch names. AWS keeps them by name, refuses a second one of
a name, shows them with their tags and at each instance of theirs, launches into none that isn't there, and deletes none
that is in use.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeletePlacementGroup.html
"""

from __future__ import annotations

import secrets
from typing import Any

from coiled_pulumi.local.mends._launch import Launch, around
from coiled_pulumi.local.mends._said import listen, said


def apply() -> None:
    """Give moto's EC2 the three calls, and launches their group."""
    from moto.ec2.responses import EC2Response

    EC2Response.create_placement_group = _create
    EC2Response.describe_placement_groups = _describe
    EC2Response.delete_placement_group = _delete
    listen()
    around(before=lambda launch: require(launch.backend, _named(launch)), after=_place)


def require(backend: Any, name: str) -> None:
    """Refuse as AWS does a group that the region doesn't have; no name is none wanted."""
    if name and name not in _kept(backend):
        raise _unknown(name)


def _named(launch: Launch) -> str:
    return str(said(launch, "Placement").get("GroupName") or "")


def _place(launch: Launch, instances: list[Any]) -> None:
    for instance in instances:
        instance.placement.group_name = _named(launch)


def _unknown(name: str) -> Exception:
    from moto.ec2.exceptions import EC2ClientError

    error: Any = EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    return error


def _kept(backend: Any) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = backend.__dict__.setdefault("_coiled_placement_groups", {})
    return groups


def _groups(response: Any) -> dict[str, dict[str, Any]]:
    return _kept(response.ec2_backend)


def _create(response: Any) -> Any:
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError

    name = response._get_param("GroupName")
    response.error_on_dryrun()
    if name in _groups(response):
        raise EC2ClientError(
            "InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists."
        )
    tags = response._parse_tag_specification().get("placement-group", {})
    group_id = f"pg-{secrets.token_hex(9)[:17]}"
    response.ec2_backend.create_tags([group_id], tags)
    _groups(response)[name] = {
        "GroupName": name,
        "GroupId": group_id,
        "State": "available",
        "Strategy": response._get_param("Strategy", "cluster"),
        "PartitionCount": response._get_param("PartitionCount"),
    }
    return ActionResult({"PlacementGroup": _shown(response, name)})


def _describe(response: Any) -> Any:
    from moto.core.responses import ActionResult

    names, ids = response._get_param("GroupNames", []), response._get_param("GroupIds", [])
    groups = [_shown(response, name) for name in _groups(response)]
    if missing := set(names) - {group["GroupName"] for group in groups}:
        raise _unknown(min(missing))
    found = [
        group
        for group in groups
        if (not names or group["GroupName"] in names)
        and (not ids or group["GroupId"] in ids)
        and _fits(group, response._filters_from_querystring())
    ]
    return ActionResult({"PlacementGroups": found})


def _delete(response: Any) -> Any:
    from moto.core.responses import EmptyResult
    from moto.ec2.exceptions import EC2ClientError

    name = response._get_param("GroupName")
    response.error_on_dryrun()
    require(response.ec2_backend, name)
    if any(
        instance.placement.group_name == name and instance._state.name != "terminated"
        for one in response.ec2_backend.reservations.values()
        for instance in one.instances
    ):
        raise EC2ClientError(
            "InvalidPlacementGroup.InUse", f"The placement group '{name}' is in use and may not be deleted."
        )
    group = _groups(response).pop(name)
    response.ec2_backend.tags.pop(group["GroupId"], None)
    return EmptyResult()


def _shown(response: Any, name: str) -> dict[str, Any]:
    group = _groups(response)[name]
    tags = response.ec2_backend.tags.get(group["GroupId"], {})
    return group | {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _fits(group: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
    named = {"group-name": group["GroupName"], "state": group["State"], "strategy": group["Strategy"]}
    for name, values in filters.items():
        if name == "tag-key":
            if not set(values) & tags.keys():
                return False
        elif (tags.get(name[4:]) if name.startswith("tag:") else named.get(name)) not in values:
            return False
    return True
