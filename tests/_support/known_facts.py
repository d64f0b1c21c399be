"""What is known of the resources that a call names, asked of the local AWS beside the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from _support.authorisations import ID, tags_of
from _support.calls_seen import Seen
from _support.recorder import Lookup

_JOINT = re.compile(r"(?:rtbassoc|eipassoc)-[0-9a-f]+")
Client = Callable[[str, str], Any]


def lookup(client: Client) -> Lookup:
    """Make the lookup of a recorder: tags, owners of images, what templates say, which role a profile holds.

    Only calls that change something are looked up, and reads of attributes: other reads name nothing that a policy of
    ours looks at.

    Args:
        client: gives the boto3 client of a service in a region, for the local AWS itself.
    """

    def facts(call: Seen) -> dict[str, dict[str, Any]]:
        looked_at = call.mutating or call.action.endswith("Attribute")
        if not looked_at or call.service not in ("ec2", "autoscaling", "ssm"):
            return {}
        ec2 = client("ec2", call.region)
        texts = set(_texts(call.parameters))
        found: dict[str, dict[str, Any]] = {}
        for name in _parameters(call):
            found[f"parameter {name}"] = {"tags": _tags_of_parameter(client("ssm", call.region), name)}
        for joint in filter(_JOINT.fullmatch, sorted(texts)):
            found[joint] = {"joins": _joined(ec2, joint)}
            texts |= set(found[joint]["joins"])
        for group in _groups(call):
            found[f"group {group}"] = _group(client("autoscaling", call.region), group)
            texts |= set(found[f"group {group}"]["subnets"])
        templates = _templates(ec2, call.parameters)
        for template, data in templates.items():
            found[template] = {"data": data}
            texts |= set(_texts(data))
        for profile in _profiles([call.parameters, *templates.values()]):
            found[f"profile {profile}"] = {"role": _role(client("iam", call.region), profile)}
        if call.action == "RunInstances" and not any(text.startswith("sg-") for text in texts):
            texts |= set(_default_groups(ec2, texts))
            found["groups"] = {"joins": sorted(text for text in texts if text.startswith("sg-"))}
        for one in sorted(text for text in texts if ID.fullmatch(text)):
            found[one] = found.get(one, {}) | _of(ec2, one)
        return found

    return facts


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield from value.split(",")
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _of(ec2: Any, one: str) -> dict[str, Any]:
    rows = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [one]}])["Tags"]
    fact: dict[str, Any] = {"tags": tags_of(rows)}
    if one.startswith("ami-"):
        image = ec2.describe_images(ImageIds=[one])["Images"][0]
        fact["owner"] = image.get("ImageOwnerAlias") or image["OwnerId"]
    return fact


def _joined(ec2: Any, joint: str) -> list[str]:
    if joint.startswith("rtbassoc-"):
        by = [{"Name": "association.route-table-association-id", "Values": [joint]}]
        tables = ec2.describe_route_tables(Filters=by)["RouteTables"]
        return [
            row[key]
            for table in tables
            for row in table["Associations"]
            if row["RouteTableAssociationId"] == joint
            for key in ("RouteTableId", "SubnetId")
            if key in row
        ]
    rows = ec2.describe_addresses()["Addresses"]
    return [
        row[key]
        for row in rows
        if row.get("AssociationId") == joint
        for key in ("AllocationId", "NetworkInterfaceId")
        if row.get(key)
    ]


def _parameters(call: Seen) -> list[str]:
    """Give the names of our own parameters that a call is about."""
    if call.service != "ssm":
        return []
    asked = call.parameters
    named = [*(asked.get("Names") or ()), asked.get("Name"), asked.get("ResourceId")]
    return sorted({name for name in named if isinstance(name, str) and name.startswith("/coiled-pulumi/")})


def _tags_of_parameter(ssm: Any, name: str) -> dict[str, str]:
    try:
        rows = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    except ssm.exceptions.InvalidResourceId:  # it is not there yet
        return {}
    return tags_of(rows)


def _default_groups(ec2: Any, texts: set[str]) -> list[str]:
    """Give the groups that AWS takes for a launch that names none: the default one of the subnet's VPC."""
    subnets = sorted(text for text in texts if text.startswith("subnet-"))
    vpcs = [row["VpcId"] for row in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]] if subnets else []
    by = [{"Name": "vpc-id", "Values": vpcs}, {"Name": "group-name", "Values": ["default"]}]
    return (
        [row["GroupId"] for row in ec2.describe_security_groups(Filters=by)["SecurityGroups"]] if vpcs else []
    )


def _groups(call: Seen) -> list[str]:
    if call.service != "autoscaling":
        return []
    asked = call.parameters
    named = [asked["AutoScalingGroupName"]] if "AutoScalingGroupName" in asked else []
    tags = asked.get("Tags", ()) if isinstance(asked.get("Tags"), list) else ()
    return sorted({*named, *(row["ResourceId"] for row in tags if row.get("ResourceId"))})


def _group(autoscaling: Any, name: str) -> dict[str, Any]:
    rows = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    tags = tags_of([tag for row in rows for tag in row["Tags"]])
    return {
        "tags": tags,
        "subnets": [one for row in rows for one in row["VPCZoneIdentifier"].split(",") if one],
    }


def _templates(ec2: Any, parameters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    mixed = parameters.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    found = {}
    for named in (parameters.get("LaunchTemplate"), mixed.get("LaunchTemplateSpecification")):
        if isinstance(named, dict) and "LaunchTemplateId" in named:
            template, version = named["LaunchTemplateId"], named.get("Version", "$Default")
            rows = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[version])
            found[template] = rows["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return found


def _profiles(places: list[dict[str, Any]]) -> set[str]:
    places = places + [place.get("LaunchTemplateData", {}) for place in places]
    named = [place.get("IamInstanceProfile") for place in places]
    return {profile["Name"] for profile in named if isinstance(profile, dict) and "Name" in profile}


def _role(iam: Any, profile: str) -> str:
    return str(
        iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"][0]["RoleName"]
    )
