"""What exists in an account, as small records: only reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws import session
from coiled_pulumi.errors import CoiledPulumiError

_TAG: Final = "coiled-pulumi:"
#: These count against quotas and hold addresses.
_RUNNING: Final = ("pending", "running")
#: A region that no account has to enable.
_HOME: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: `source` tells where the region comes from; `alias` is empty where it may not be read."""

    account: str
    arn: str
    alias: str
    region: str
    source: str
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance that runs; names of ours are empty for what is not ours."""

    id: str
    instance_type: str
    spot: bool
    subnet: str
    workspace: str = ""
    cluster: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; `free` counts the addresses that are left, `key` is the plan's name for one of ours."""

    id: str
    vpc: str
    zone: str
    cidr: str
    free: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image; `gib` is the size of its root disk's snapshot, in GiB."""

    id: str
    architecture: str
    gib: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a region holds that has quotas; of each NAT gateway, its zone; and whose VPCs are up."""

    vpcs: int
    addresses: int
    nat_gateways: tuple[str, ...]
    workspaces: tuple[str, ...] = ()


def identity(*, region: str | None = None, profile: str | None = None) -> Identity:
    """Ask who we are.

    Raises:
        CredentialsError: nobody: no credentials, unknown ones, or no such profile.
    """
    found, source = where(region, profile)
    with session.told():
        who = session.client("sts", found, profile).get_caller_identity()
    return Identity(who["Account"], who["Arn"], "", found, source, profile)


def is_enabled(region: str, *, profile: str | None = None) -> bool | None:
    """Ask whether a region that has to be opted in to was; None where that cannot be known."""
    try:
        with session.told():
            # Asked where every account may ask.
            ec2 = session.client("ec2", _HOME, profile)
            (row,) = ec2.describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    except (CoiledPulumiError, ValueError):
        return None
    return row.get("OptInStatus") != "not-opted-in"


def where(region: str | None, profile: str | None) -> tuple[str, str]:
    """Give the region and where it comes from: the option, the environment, the profile, or our default."""
    import os

    import boto3

    if region:
        return region, "--region"
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name):
            return os.environ[name], name
    with session.told():
        found = boto3.Session(profile_name=profile).region_name
    if found:
        return found, f"profile {profile or os.environ.get('AWS_PROFILE', 'default')}"
    return "us-east-1", "default"


def machines(*, region: str, profile: str | None = None) -> tuple[Machine, ...]:
    """List what runs in the region, ours and others'."""
    asked = [{"Name": "instance-state-name", "Values": list(_RUNNING)}]
    rows = _pages("ec2", "describe_instances", "Reservations", region, profile, Filters=asked)
    return tuple(_machine(row) for reservation in rows for row in reservation["Instances"])


def _machine(row: dict[str, Any]) -> Machine:
    tags = tags_of(row)
    return Machine(
        row["InstanceId"],
        row["InstanceType"],
        row.get("InstanceLifecycle") == "spot",
        row.get("SubnetId", ""),
        *(tags.get(f"{_TAG}{name}", "") for name in ("workspace", "cluster", "role")),
    )


def offered(types: Iterable[str], *, region: str, profile: str | None = None) -> frozenset[tuple[str, str]]:
    """Give the pairs of instance type and zone in which AWS has the type at all."""
    asked = [{"Name": "instance-type", "Values": sorted(set(types))}]
    rows = _pages(
        "ec2",
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        region,
        profile,
        LocationType="availability-zone",
        Filters=asked,
    )
    return frozenset((row["InstanceType"], row["Location"]) for row in rows)


def subnets(filters: dict[str, str], *, region: str, profile: str | None = None) -> tuple[Subnet, ...]:
    """List subnets by filters of EC2, as `tag:coiled-pulumi:workspace` or `vpc-id`."""
    rows = _pages("ec2", "describe_subnets", "Subnets", region, profile, Filters=_filters(filters))
    return tuple(
        Subnet(
            row["SubnetId"],
            row["VpcId"],
            row["AvailabilityZone"],
            row["CidrBlock"],
            row["AvailableIpAddressCount"],
            tags_of(row).get("Name", ""),
        )
        for row in rows
    )


def groups(filters: dict[str, str], *, region: str, profile: str | None = None) -> dict[str, str]:
    """Give the ids of security groups by the names in their tags."""
    rows = _pages(
        "ec2", "describe_security_groups", "SecurityGroups", region, profile, Filters=_filters(filters)
    )
    return {tags_of(row).get("Name", ""): row["GroupId"] for row in rows}


def ways_out(vpc: str, *, region: str, profile: str | None = None) -> dict[str, str]:
    """Give where the default route of each subnet leads; `""` is the way of those without a table of their own."""
    found = {}
    for table in _pages(
        "ec2", "describe_route_tables", "RouteTables", region, profile, Filters=_filters({"vpc-id": vpc})
    ):
        routes = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
        ends = [
            route.get("NatGatewayId") or route.get("GatewayId") or route.get("TransitGatewayId") or "other"
            for route in routes
            if route.get("State") != "blackhole"
        ]
        for link in table.get("Associations", []):
            if ends and (link.get("SubnetId") or link.get("Main")):
                found[link.get("SubnetId", "")] = ends[0]
            elif link.get("SubnetId"):
                found.setdefault(link["SubnetId"], "none")
    return found


def image(parameter: str, *, region: str, profile: str | None = None) -> Image | None:
    """Give the image that a public parameter names; None where there is none."""
    with session.told():
        name = session.client("ssm", region, profile).get_parameter(Name=parameter)["Parameter"]["Value"]
    return image_by_id(name, region=region, profile=profile)


def image_by_id(name: str, *, region: str, profile: str | None = None) -> Image | None:
    """Give an image; None where there is none, or none that we may use."""
    # By a filter: an id that does not exist would be an error.
    filters = [{"Name": "image-id", "Values": [name]}]
    with session.told():
        rows = session.client("ec2", region, profile).describe_images(Filters=filters)["Images"]
    if not rows:
        return None
    disks = [disk["Ebs"] for disk in rows[0].get("BlockDeviceMappings", []) if "Ebs" in disk]
    size = max((disk.get("VolumeSize", 0) for disk in disks), default=0)
    return Image(name, rows[0]["Architecture"], size)


def counts(*, region: str, profile: str | None = None) -> Counts:
    """Count what a region holds of things that a workspace needs one or a few of."""
    client = session.client("ec2", region, profile)
    states = [{"Name": "state", "Values": ["pending", "available"]}]
    with session.told():
        addresses = client.describe_addresses()["Addresses"]
    gateways = _pages("ec2", "describe_nat_gateways", "NatGateways", region, profile, Filter=states)
    vpcs = tuple(_pages("ec2", "describe_vpcs", "Vpcs", region, profile))
    ours = (tags_of(row).get(f"{_TAG}workspace", "") for row in vpcs)
    zones = {subnet.id: subnet.zone for subnet in subnets({}, region=region, profile=profile)}
    standing = tuple(zones.get(row["SubnetId"], "") for row in gateways)
    return Counts(len(vpcs), len(addresses), standing, tuple(name for name in ours if name))


#: By kind: the call of EC2, its filter and the list in its answer.
_NAMED: Final = {
    "key pair": ("describe_key_pairs", "key-name", "KeyPairs"),
    "capacity reservation": (
        "describe_capacity_reservations",
        "capacity-reservation-id",
        "CapacityReservations",
    ),
    "VPC": ("describe_vpcs", "vpc-id", "Vpcs"),
}


def named(kind: str, name: str, *, region: str, profile: str | None = None) -> dict[str, Any] | None:
    """Give what AWS tells of a thing by its name or id, None where there is none.

    By a filter, not by the name itself: AWS answers that with an error.
    """
    call, key, rows = _NAMED[kind]
    with session.told():
        client = session.client("ec2", region, profile)
        found = getattr(client, call)(Filters=_filters({key: name}))[rows]
    return found[0] if found else None


def _pages(
    service: str, call: str, key: str, region: str, profile: str | None, **options: Any
) -> Iterator[dict[str, Any]]:
    client = session.client(service, region, profile)
    with session.told():
        for page in client.get_paginator(call).paginate(**options):
            yield from page[key]


def _filters(filters: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in filters.items()]


def tags_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Give the tags of a resource as EC2 and its scaling groups tell of them."""
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags", [])}
