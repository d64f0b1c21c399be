"""What exists at AWS that is ours, by the tags that every resource of ours carries.

Used by `local status` and by tests that ask whether anything is left. Only reads; works on a real account
as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from coiled_pulumi.local.state import Record

TAG: Final = "coiled-pulumi:workspace"
PARAMETERS: Final = "/coiled-pulumi/"
#: (service, region) to a boto3 client.
Clients = Callable[[str, str], Any]
#: Instances in these states cost nothing and go by themselves.
_GONE: Final = frozenset({"terminated", "shutting-down"})
_LIVE: Final = ("pending", "running", "stopping", "stopped")

#: EC2's kinds: the paginator, the key of its list, the key of the id, and the states that don't count.
_EC2: Final[dict[str, tuple[str, str, str, frozenset[str]]]] = {
    "vpc": ("describe_vpcs", "Vpcs", "VpcId", frozenset()),
    "internet_gateway": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", frozenset()),
    "subnet": ("describe_subnets", "Subnets", "SubnetId", frozenset()),
    "route_table": ("describe_route_tables", "RouteTables", "RouteTableId", frozenset()),
    "nat_gateway": (
        "describe_nat_gateways",
        "NatGateways",
        "NatGatewayId",
        frozenset({"deleted", "deleting", "failed"}),
    ),
    "elastic_ip": ("describe_addresses", "Addresses", "AllocationId", frozenset()),
    "vpc_endpoint": (
        "describe_vpc_endpoints",
        "VpcEndpoints",
        "VpcEndpointId",
        frozenset({"deleted", "deleting"}),
    ),
    "security_group": ("describe_security_groups", "SecurityGroups", "GroupId", frozenset()),
    "security_group_rule": (
        "describe_security_group_rules",
        "SecurityGroupRules",
        "SecurityGroupRuleId",
        frozenset(),
    ),
    "launch_template": ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", frozenset()),
    "instance": ("describe_instances", "Reservations[].Instances", "InstanceId", _GONE),
    "volume": ("describe_volumes", "Volumes", "VolumeId", frozenset({"deleting", "deleted"})),
    "network_interface": (
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
        frozenset(),
    ),
    "key_pair": ("describe_key_pairs", "KeyPairs", "KeyPairId", frozenset()),
    "placement_group": (
        "describe_placement_groups",
        "PlacementGroups",
        "GroupId",
        frozenset({"deleted", "deleting"}),
    ),
}
#: Kinds that are the account's, not a region's.
_GLOBAL_REGION: Final = "us-east-1"


def clients(record: Record) -> Clients:
    """Make clients of a running local AWS; each is made once."""
    from coiled_pulumi.local.environment import endpoint

    return session_clients(
        endpoint_url=endpoint(record),
        aws_access_key_id=record.access_key_id,
        aws_secret_access_key=record.secret_access_key,
    )


def session_clients(**options: Any) -> Clients:
    """Make a factory of boto3 clients; without options they go where boto3 would go."""
    import botocore.config
    import botocore.session

    session = botocore.session.Session(include_builtin_handlers=True)
    # Nothing of the user's own configuration, profiles and proxies, may lead a local look-up elsewhere.
    if "endpoint_url" in options:
        session.set_config_variable("config_file", "/nonexistent")
        session.set_config_variable("credentials_file", "/nonexistent")
        session.set_config_variable("profile", None)
        options["config"] = botocore.config.Config(proxies={}, s3={"addressing_style": "path"})
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, region: str) -> Any:
        if (service, region) not in made:
            made[service, region] = session.create_client(service, region_name=region, **options)
        return made[service, region]

    return client


def inventory(client: Clients, regions: Iterable[str], *, workspace: str = "") -> dict[str, list[str]]:
    """List the ids of everything tagged as ours, per kind, sorted; kinds with nothing are left out.

    Args:
        client: makes a client for a service and a region; see `clients`.
        regions: where to look; roles, profiles and buckets are the account's and are always looked for.
        workspace: only this one's; empty for every workspace's.

    """
    found: dict[str, list[str]] = {}
    for region in sorted(set(regions)):
        for kind, name in _regional(client, region, workspace):
            found.setdefault(kind, []).append(name)
    for kind, name in _global(client, workspace):
        found.setdefault(kind, []).append(name)
    return {kind: sorted(names) for kind, names in sorted(found.items())}


def _regional(client: Clients, region: str, workspace: str) -> Iterator[tuple[str, str]]:
    ec2 = client("ec2", region)
    for kind, (call, key, name, gone) in _EC2.items():
        filters = _filters(workspace)
        if kind == "instance":  # a group that was scaled in has thousands of ended ones
            filters += [{"Name": "instance-state-name", "Values": list(_LIVE)}]
        # The one call of EC2 whose parameter is called so.
        filter_name = "Filter" if kind == "nat_gateway" else "Filters"
        for item in _pages(ec2, call, key, **{filter_name: filters}):
            # Asked again here: not every call of moto's takes every filter.
            if _state(item) not in gone and _ours(item.get("Tags") or item.get("TagSet") or [], workspace):
                yield kind, item[name]
    for group in _pages(client("autoscaling", region), "describe_auto_scaling_groups", "AutoScalingGroups"):
        if _ours(group.get("Tags", []), workspace):
            yield "auto_scaling_group", group["AutoScalingGroupName"]
    logs = client("logs", region)
    for log in _pages(logs, "describe_log_groups", "logGroups"):
        tags = logs.list_tags_for_resource(resourceArn=log["arn"].removesuffix(":*"))["tags"]
        if _ours([{"Key": name, "Value": value} for name, value in tags.items()], workspace):
            yield "log_group", log["logGroupName"]
    yield from _parameters(client("ssm", region), workspace)


def _parameters(ssm: Any, workspace: str) -> Iterator[tuple[str, str]]:
    """Go by the path: nodes write parameters too, and a put that changes one can't carry tags."""
    path = f"{PARAMETERS}{workspace}/" if workspace else PARAMETERS
    for parameter in _pages(ssm, "get_parameters_by_path", "Parameters", Path=path, Recursive=True):
        yield "ssm_parameter", parameter["Name"]


def _global(client: Clients, workspace: str) -> Iterator[tuple[str, str]]:
    iam = client("iam", _GLOBAL_REGION)
    for role in _pages(iam, "list_roles", "Roles"):
        if _ours(iam.list_role_tags(RoleName=role["RoleName"])["Tags"], workspace):
            yield "role", role["RoleName"]
    for profile in _pages(iam, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        if _ours(
            iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Tags", []), workspace
        ):
            yield "instance_profile", name
    s3 = client("s3", _GLOBAL_REGION)
    for bucket in s3.list_buckets()["Buckets"]:
        try:
            tags = s3.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"]
        except s3.exceptions.ClientError as err:
            if err.response["Error"]["Code"] not in ("NoSuchTagSet", "NoSuchBucket", "AccessDenied"):
                raise
            continue
        if _ours(tags, workspace):
            yield "s3_bucket", bucket["Name"]


def _pages(client: Any, call: str, key: str, **options: Any) -> Iterator[dict[str, Any]]:
    outer, _, inner = key.partition("[].")
    pages = client.get_paginator(call).paginate(**options) if client.can_paginate(call) else None
    for page in pages or [getattr(client, call)(**options)]:
        for item in page[outer]:
            yield from item[inner] if inner else [item]


def _filters(workspace: str) -> list[dict[str, Any]]:
    if workspace:
        return [{"Name": f"tag:{TAG}", "Values": [re.sub(r"([*?\\])", r"\\\1", workspace)]}]
    return [{"Name": "tag-key", "Values": [TAG]}]


def _ours(tags: Iterable[dict[str, str]], workspace: str) -> bool:
    return any(tag["Key"] == TAG and workspace in ("", tag["Value"]) for tag in tags)


def _state(item: dict[str, Any]) -> str:
    state = item.get("State", "")
    return str(state.get("Name", "") if isinstance(state, dict) else state)
