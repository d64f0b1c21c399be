"""Rules about one resource: pure functions from a resource to findings.

A rule never raises on an odd shape, and never stops at an unknown value: it says so in a finding of its own
and goes on with the rest.
"""

from collections.abc import Iterator
from typing import Any, Final

from coiled_policies import messages, tokens
from coiled_policies.resource import (
    UNKNOWN,
    Finding,
    Resource,
    Unknown,
    at,
    entries,
    is_true,
    mapping,
    not_known,
)

REQUIRED_TAGS: Final = ("coiled-pulumi:workspace", "coiled-pulumi:stack", "coiled-pulumi:key")
ROLE_TAG: Final = "coiled-pulumi:role"
ROOT_DEVICES: Final = ("/dev/xvda", "/dev/sda1")
"""Where Amazon Linux and Ubuntu images have their root disk."""


def imdsv2_required(resource: Resource) -> Iterator[Finding]:
    """Find instances and launch templates whose metadata answers without a session token."""
    if resource.type not in (tokens.INSTANCE, tokens.LAUNCH_TEMPLATE):
        return
    path = "metadataOptions.httpTokens"
    match at(resource.props, "metadataOptions", "httpTokens"):
        case "required":
            return
        case Unknown():
            yield not_known(resource, path)
        case value:
            yield Finding(messages.imdsv1(str(resource), path=path, value=value))


def disks_encrypted(resource: Resource) -> Iterator[Finding]:
    """Find disks that do not ask for encryption, and root disks that are left to the image."""
    match resource.type:
        case tokens.INSTANCE:
            yield from _instance_disks(resource)
        case tokens.LAUNCH_TEMPLATE:
            yield from _template_disks(resource)


def workers_have_no_public_address(resource: Resource) -> Iterator[Finding]:
    """Find workers that ask for a public address, and subnets that hand them out."""
    match resource.type:
        case tokens.SUBNET:
            yield from _subnet_addresses(resource)
        case tokens.INSTANCE | tokens.LAUNCH_TEMPLATE:
            yield from _worker_addresses(resource)


def required_tags(resource: Resource) -> Iterator[Finding]:
    """Find resources that do not say which workspace and stack they belong to, or lack their key.

    The provider's default tags count, but not on auto scaling groups: the AWS provider leaves those out.
    """
    if resource.type not in tokens.TAGGED:
        return
    carried = _carried_tags(resource)
    missing = tuple(tag for tag in REQUIRED_TAGS if carried.get(tag) in (None, ""))
    if missing and UNKNOWN in carried:
        yield not_known(resource, "tags")
    elif missing:
        yield Finding(messages.tags_missing(str(resource), tags=missing))


def _instance_disks(resource: Resource) -> Iterator[Finding]:
    path = "rootBlockDevice"
    root = at(resource.props, path)
    if root is None:
        yield Finding(messages.root_disk_missing(str(resource), path=path))
    else:
        yield from _encrypted(resource, root, path=path)
    for path, disk in entries(resource.props, "ebsBlockDevices"):
        yield from _encrypted(resource, disk, path=path)


def _template_disks(resource: Resource) -> Iterator[Finding]:
    path = "blockDeviceMappings"
    # A mapping without `ebs` is an instance store, or takes a device of the image away.
    disks = [entry for entry in entries(resource.props, path) if at(entry[1], "ebs") is not None]
    names = [at(disk, "deviceName") for _, disk in disks]
    if not any(name in ROOT_DEVICES for name in names):
        if UNKNOWN in names:
            yield not_known(resource, path)
        else:
            yield Finding(messages.root_disk_missing(str(resource), path=path, names=ROOT_DEVICES))
    for path, disk in disks:
        yield from _encrypted(resource, at(disk, "ebs"), path=f"{path}.ebs")


def _encrypted(resource: Resource, disk: Any, *, path: str) -> Iterator[Finding]:
    path = f"{path}.encrypted"
    value = at(disk, "encrypted")
    if value is UNKNOWN:
        yield not_known(resource, path)
    elif not is_true(value):
        yield Finding(messages.disk_not_encrypted(str(resource), path=path, value=value))


def _subnet_addresses(resource: Resource) -> Iterator[Finding]:
    path = "mapPublicIpOnLaunch"
    value = at(resource.props, path)
    if value is UNKNOWN:
        yield not_known(resource, path)
    elif is_true(value):
        yield Finding(messages.subnet_gives_public_addresses(str(resource), path=path))


def _worker_addresses(resource: Resource) -> Iterator[Finding]:
    roles = _roles(resource)
    if "worker" not in roles and UNKNOWN not in roles:
        return
    key = "associatePublicIpAddress"
    asks = [(key, at(resource.props, key))]
    for path, interface in entries(resource.props, "networkInterfaces"):
        asks.append((f"{path}.{key}", at(interface, key)))
    for path, value in asks:
        if value is UNKNOWN:
            yield not_known(resource, path)
        elif is_true(value) and "worker" in roles:
            yield Finding(messages.worker_asks_for_public_address(str(resource), path=path))
        elif is_true(value):
            yield not_known(resource, f"tags.{ROLE_TAG}")


def _roles(resource: Resource) -> list[Any]:
    """Return the values of the role tag, on the resource itself and on what a template launches."""
    launched = [at(entry, "tags") for _, entry in entries(resource.props, "tagSpecifications")]
    tag_sets = (at(resource.props, "tags"), resource.default_tags, *launched)
    return [at(tags, ROLE_TAG) for tags in tag_sets]


def _carried_tags(resource: Resource) -> dict[str | Unknown, Any]:
    """Return the tags by key; the key `UNKNOWN` stands for tags that cannot be seen yet."""
    if resource.type == tokens.AUTO_SCALING_GROUP:
        listed = [(at(tag, "key"), at(tag, "value")) for _, tag in entries(resource.props, "tags")]
        return {key: value for key, value in listed if isinstance(key, str | Unknown)}
    carried: dict[str | Unknown, Any] = {}
    for source in (resource.default_tags, at(resource.props, "tags")):
        carried |= {UNKNOWN: UNKNOWN} if source is UNKNOWN else mapping(source)
    return carried
