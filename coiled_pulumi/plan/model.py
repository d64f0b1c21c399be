"""What will exist: total, resolved, keyed by meaning, equal for equal specs down to the byte.

Every item has a `key` that says what it is for (`private-us-east-1a`, `ingress-8786-from-me`). Logical names in
Pulumi are the workspace's name and the key; collections are sorted by key. References between items are keys.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Literal

#: Version of this vocabulary; a reader of stored plans looks at it first.
VERSION = 1

Tags = dict[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that becomes one resource: its key, its logical name and its tags."""

    key: str
    name: str
    tags: Tags


@dataclass(frozen=True, slots=True)
class Vpc(Item):
    """The network itself."""

    cidr: str


@dataclass(frozen=True, slots=True)
class Subnet(Item):
    """A subnet of one zone; `tier` decides which route table it uses."""

    tier: Literal["public", "private"]
    zone: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Nat(Item):
    """The NAT gateway with its elastic address; `subnet` is a key."""

    subnet: str
    address: Item


@dataclass(frozen=True, slots=True)
class Endpoint(Item):
    """A gateway endpoint: traffic to one AWS service that costs nothing and leaves the NAT gateway alone."""

    service: str


@dataclass(frozen=True, slots=True)
class Network:
    """The shared network."""

    vpc: Vpc
    internet_gateway: Item
    public_routes: Item
    private_routes: Item
    nat: Nat
    endpoint: Endpoint
    default_group: Item
    subnets: tuple[Subnet, ...]


@dataclass(frozen=True, slots=True)
class Rule(Item):
    """One rule of a security group; ports are None for every protocol.

    Attributes:
        peer: an IPv4 block, `me`, or `self` for the members of the group.
    """

    group: str
    direction: Literal["ingress", "egress"]
    from_port: int | None
    to_port: int | None
    peer: str
    description: str


@dataclass(frozen=True, slots=True)
class SecurityGroup(Item):
    """A security group; AWS shows the description and never lets it change."""

    description: str


@dataclass(frozen=True, slots=True)
class Security:
    """Who may talk to whom."""

    groups: tuple[SecurityGroup, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The role that instances assume; documents are IAM policy documents as values."""

    role: Item
    profile: Item
    policy: Item
    trust_document: dict
    policy_document: dict


@dataclass(frozen=True, slots=True)
class LogGroup(Item):
    """The log group of the workspace."""

    retention_days: int


@dataclass(frozen=True, slots=True)
class Image(Item):
    """An image that is looked up once and then kept."""

    architecture: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Instance(Item):
    """One kind of machine in one subnet; disk in GiB."""

    instance_type: str
    image: str
    subnet: str
    groups: tuple[str, ...]
    disk: int
    user_data: str


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The launch template and the auto scaling group of a cluster's workers."""

    template: Instance
    group: Item
    n_workers: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask cluster in one zone."""

    key: str
    name: str
    zone: str
    scheduler: Instance
    workers: WorkerGroup


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything of one workspace."""

    name: str
    region: str
    zone: str
    network: Network
    security: Security
    identity: Identity
    logs: LogGroup
    images: tuple[Image, ...]
    clusters: tuple[Cluster, ...] = field(default=())
    #: The only account that this may be applied to, or None for any.
    account: str | None = None
    version: int = VERSION


def to_data(item: object) -> object:
    """Turn plan values into plain mappings, lists and scalars."""
    if dataclasses.is_dataclass(item):
        return {f.name: to_data(getattr(item, f.name)) for f in dataclasses.fields(item)}
    if isinstance(item, tuple | list):
        return [to_data(part) for part in item]
    if isinstance(item, dict):
        return {key: to_data(value) for key, value in item.items()}
    return item


def to_json(plan: Workspace) -> str:
    """Write a plan; equal plans give equal bytes."""
    return json.dumps(to_data(plan), indent=2, sort_keys=True) + "\n"
