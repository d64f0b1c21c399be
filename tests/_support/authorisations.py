"""What AWS asks IAM before it carries a call out: one question per action and resource.

Which resources an action is checked against comes from AWS's table (`service_table`). What a call leads to beside
its own action is written here, each with the page that says so: tags of what is made, roles that are passed, and
the instances that an auto scaling group will start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from _support import service_table
from _support.calls_seen import Seen
from _support.evaluator import Request, Values

ACCOUNT = "123456789012"
#: Prefixes of EC2's ids and what the reference calls such a resource.
KINDS = {
    "acl": "network-acl", "ami": "image", "eipalloc": "elastic-ip", "eni": "network-interface", "i": "instance",
    "igw": "internet-gateway", "key": "key-pair", "lt": "launch-template", "nat": "natgateway",
    "rtb": "route-table", "sg": "security-group", "sgr": "security-group-rule", "snap": "snapshot",
    "subnet": "subnet", "vol": "volume", "vpc": "vpc", "vpce": "vpc-endpoint",
}  # fmt: skip
ID = re.compile(r"([a-z]+)-[0-9a-f]{8,17}")
#: IAM and the service of credentials have one place for all regions.
_GLOBAL = {"iam": "us-east-1"}
#: What every launch makes, though the table calls it optional.
_ALWAYS = {"RunInstances": {"volume"}}

Context = dict[str, Values]


def requests_of(call: Seen, *, lenient: bool = False) -> list[Request]:
    """Give everything that has to be allowed for a call.

    Args:
        call: with the facts of what it names.
        lenient: give what is there already all that the request says of new things too, which AWS's table does not.
            What is refused even so is refused under either reading of the documentation.
    """
    if call.name == "sts:GetCallerIdentity":  # needs no right, and no policy can take it away
        return []
    found = _ROOMS.get(call.service, _anything)(call, lenient=lenient)
    region = _GLOBAL.get(call.service, call.region)
    return [
        Request(one.action, one.resource, {**one.context, "aws:RequestedRegion": (region,)}) for one in found
    ]


def _anything(call: Seen, *, lenient: bool) -> Iterator[Request]:
    yield Request(call.name, "*")


def tags_of(rows: Any) -> dict[str, str]:
    """Turn a list of keys and values into a mapping, whichever way the service spells it."""
    if isinstance(rows, dict):
        return {str(key): str(value) for key, value in rows.items()}
    return {row["Key"]: row.get("Value", "") for row in rows or ()}


def _tag_keys(tags: Mapping[str, str], *, kind: str = "Request") -> Context:
    keys: Context = {f"aws:{kind}Tag/{key}": (value,) for key, value in tags.items()}
    return keys | ({"aws:TagKeys": tuple(tags)} if kind == "Request" and tags else {})


# EC2 -------------------------------------------------------------------------------------------------------------


def _ec2(call: Seen, *, lenient: bool) -> Iterator[Request]:
    if call.action in ("CreateTags", "DeleteTags"):
        yield from _ec2_tags(call)
        return
    asked = _launch(call) if call.action == "RunInstances" else call.parameters
    specs = _specifications(asked)
    named = list(dict.fromkeys([*_ids(asked, call.facts), *call.facts.get("groups", {}).get("joins", ())]))
    types = service_table.resource_types("ec2", call.action)
    always = {row.name for row in types if row.required} | _ALWAYS.get(call.action, set())
    anywhere = _tag_keys({key: value for tags in specs.values() for key, value in tags.items()})
    everything = anywhere | _launch_keys(asked, call.facts)
    some = False
    for row in types:
        ids = [one for one in named if KINDS.get(ID.fullmatch(one)[1]) == row.name]  # type: ignore[index]
        if not row.name or not (ids or row.name in specs or row.name in always):
            continue
        some = True
        for one in ids or ["*"]:
            fact = call.facts.get(one, {})
            context = _tag_keys(specs.get(row.name, {})) if one == "*" else {}
            context |= _tag_keys(fact.get("tags", {}), kind="Resource") | _launch_keys(asked, call.facts)
            if owner := fact.get("owner"):
                context["ec2:Owner"] = (owner,)
            context = everything | context if lenient and one != "*" else _known(context, row)
            yield Request(call.name, _ec2_arn(call.region, row.name, one), context)
    if not some:
        # What an association joined is not known when it is gone: then it is asked for as something new would be.
        kinds = [row.name for row in types if row.name]
        yield Request(call.name, _ec2_arn(call.region, kinds[0], "*") if kinds else "*")
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    for kind, tags in specs.items():
        context = _tag_keys(tags) | {"ec2:CreateAction": (call.action,)}
        yield Request("ec2:CreateTags", _ec2_arn(call.region, kind, "*"), context)
    yield from _passed(asked, call.facts)


def _ec2_tags(call: Seen) -> Iterator[Request]:
    tags = tags_of(call.parameters.get("Tag"))
    for one in call.parameters["ResourceId"]:
        context = _tag_keys(tags) | _tag_keys(call.facts.get(one, {}).get("tags", {}), kind="Resource")
        kind = KINDS[ID.fullmatch(one)[1]]  # type: ignore[index]
        yield Request(call.name, _ec2_arn(call.region, kind, one), context)


def _ec2_arn(region: str, kind: str, one: str) -> str:
    return f"arn:aws:ec2:{region}:{'' if kind in ('image', 'snapshot') else ACCOUNT}:{kind}/{one}"


def _ids(value: Any, facts: Mapping[str, Any]) -> Iterator[str]:
    """Give every id of a resource in parameters; an association stands for what it joins."""
    match value:
        case str() if ID.fullmatch(value):
            yield from facts.get(value, {}).get("joins", [value])
        case dict():
            for inner in value.values():
                yield from _ids(inner, facts)
        case list():
            for inner in value:
                yield from _ids(inner, facts)


def _specifications(asked: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    rows = asked.get("TagSpecification") or asked.get("TagSpecifications") or ()
    return {row["ResourceType"]: tags_of(row.get("Tag") or row.get("Tags")) for row in rows}


def _launch(call: Seen) -> dict[str, Any]:
    """Fill the parameters of a launch from its template: what the call itself says wins."""
    template = call.parameters.get("LaunchTemplate", {}).get("LaunchTemplateId", "")
    return {**call.facts.get(template, {}).get("data", {}), **call.parameters}


def _launch_keys(asked: Mapping[str, Any], facts: Mapping[str, Any]) -> Context:
    keys: Context = {}
    if tokens := asked.get("MetadataOptions", {}).get("HttpTokens"):
        keys["ec2:MetadataHttpTokens"] = (tokens,)
    if kind := asked.get("InstanceType"):
        keys["ec2:InstanceType"] = (kind,)
    if (profile := asked.get("IamInstanceProfile")) and "Name" in profile:
        keys["ec2:InstanceProfile"] = (f"arn:aws:iam::{ACCOUNT}:instance-profile/{profile['Name']}",)
    return keys


def _passed(asked: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Request]:
    """Ask for the role of a launch's instance profile.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """
    if profile := asked.get("IamInstanceProfile"):
        role = facts.get(f"profile {profile['Name']}", {}).get("role", "unknown")
        yield _pass_role(role)


def _pass_role(role: str, service: str = "ec2.amazonaws.com") -> Request:
    return Request("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{role}", {"iam:PassedToService": (service,)})


def _known(context: Context, row: service_table.ResourceType) -> Context:
    names = {key.partition("${")[0] for key in row.keys}
    return {
        key: values
        for key, values in context.items()
        if key in names or (f"{key.partition('/')[0]}/" in names and "/" in key)
    }


# Auto scaling ----------------------------------------------------------------------------------------------------


def _autoscaling(call: Seen, *, lenient: bool) -> Iterator[Request]:
    asked = call.parameters
    tags = tags_of(asked.get("Tags"))
    if not any(row.name for row in service_table.resource_types("autoscaling", call.action)):
        yield Request(call.name, "*")
        return
    names = [asked["AutoScalingGroupName"]] if "AutoScalingGroupName" in asked else []
    for name in names or dict.fromkeys(row["ResourceId"] for row in asked["Tags"]):
        held = call.facts.get(f"group {name}", {}).get("tags", {})
        context = _tag_keys(tags) | _tag_keys(held, kind="Resource")
        arn = f"arn:aws:autoscaling:{call.region}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/{name}"
        yield Request(call.name, arn, context)
    # Who names a launch template must be allowed to start what it describes.
    # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
    for launched in _templates(asked):
        # A group that has its subnets already is asked for those.
        held = call.facts.get(f"group {asked['AutoScalingGroupName']}", {}).get("subnets", [])
        subnets = [subnet for subnet in asked.get("VPCZoneIdentifier", "").split(",") if subnet] or held
        parameters = {"LaunchTemplate": launched, **({"SubnetId": subnets} if subnets else {})}
        yield from requests_of(
            Seen("ec2", "RunInstances", call.region, parameters, call.facts), lenient=lenient
        )


def _templates(asked: Mapping[str, Any]) -> list[dict[str, str]]:
    mixed = asked.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    found = [asked.get("LaunchTemplate"), mixed.get("LaunchTemplateSpecification")]
    return [one for one in found if one]


# IAM -------------------------------------------------------------------------------------------------------------


def _iam(call: Seen, *, lenient: bool) -> Iterator[Request]:
    asked = call.parameters
    context = _tag_keys(tags_of(asked.get("Tags")))
    if keys := asked.get("TagKeys"):
        context["aws:TagKeys"] = tuple(keys)
    for parameter, key in (
        ("PolicyArn", "iam:PolicyARN"),
        ("PermissionsBoundary", "iam:PermissionsBoundary"),
    ):
        if parameter in asked:
            context[key] = (asked[parameter],)
    if call.action == "CreateServiceLinkedRole":
        service = asked["AWSServiceName"]
        arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/AWSServiceRoleFor"
        yield Request(call.name, arn, {"iam:AWSServiceName": (service,)})
        return
    kinds = {row.name for row in service_table.resource_types("iam", call.action)}
    names = {"role": asked.get("RoleName"), "instance-profile": asked.get("InstanceProfileName")}
    path = asked.get("Path", "/") if call.action.startswith("Create") else "/"
    found = [f"{kind}{path}{name}" for kind, name in names.items() if name and kind in kinds]
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html asks for the tagging action as well.
    tagging = {"CreateRole": "iam:TagRole", "CreateInstanceProfile": "iam:TagInstanceProfile"}.get(
        call.action
    )
    for one in found:
        yield Request(call.name, f"arn:aws:iam::{ACCOUNT}:{one}", context)
        if tagging and asked.get("Tags"):
            yield Request(tagging, f"arn:aws:iam::{ACCOUNT}:{one}", context)
    if not found:
        yield Request(call.name, "*", context)
    if call.action == "AddRoleToInstanceProfile":
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html
        yield _pass_role(asked["RoleName"])


# Services whose resources are named by their ARNs alone ----------------------------------------------------------


def _logs(call: Seen, *, lenient: bool) -> Iterator[Request]:
    asked = call.parameters
    context = _tag_keys(tags_of(asked.get("tags")))
    if keys := asked.get("tagKeys"):
        context["aws:TagKeys"] = tuple(keys)
    if not any(row.required or row.name == "log-group" for row in _types(call)):
        yield Request(call.name, "*", context)
        return
    group = asked.get("resourceArn") or asked.get("logGroupIdentifier") or asked.get("logGroupName", "*")
    if not group.startswith("arn:"):
        group = f"arn:aws:logs:{call.region}:{ACCOUNT}:log-group:{group}"
    group = group.removesuffix(":*")
    # The reference writes a group without an end, messages of AWS name it with one: both have to fit.
    for arn in (group, f"{group}:log-stream:{asked.get('logStreamName', '')}"):
        yield Request(call.name, arn, context)
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
        if call.action == "CreateLogGroup" and asked.get("tags"):
            yield Request("logs:TagResource", arn, context)


def _ssm(call: Seen, *, lenient: bool) -> Iterator[Request]:
    asked = call.parameters
    names = asked.get("Names") or [asked.get("Name") or asked.get("Path") or asked.get("ResourceId") or "*"]
    context = _tag_keys(tags_of(asked.get("Tags")))
    if keys := asked.get("TagKeys"):
        context["aws:TagKeys"] = tuple(keys)
    if not any(row.name == "parameter" for row in _types(call)):
        yield Request(call.name, "*", context)
        return
    for name in names:
        held = call.facts.get(f"parameter {name}", {}).get("tags", {})
        known = context | _tag_keys(held, kind="Resource")
        # The service has a key of its own for the tags of a resource.
        known |= {f"ssm:resourceTag/{key}": (value,) for key, value in held.items()}
        account = "" if name.startswith("/aws/") else ACCOUNT
        arn = f"arn:aws:ssm:{call.region}:{account}:parameter/{name.lstrip('/')}"
        yield Request(call.name, arn, known)
        # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        if call.action == "PutParameter" and asked.get("Tags"):
            yield Request("ssm:AddTagsToResource", arn, known)


def _types(call: Seen) -> tuple[service_table.ResourceType, ...]:
    return service_table.resource_types(call.service, call.action)


_ROOMS = {"autoscaling": _autoscaling, "ec2": _ec2, "iam": _iam, "logs": _logs, "ssm": _ssm}
