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
VERSION = 3

Tags = dict[str, str]
Tier = Literal["public", "private"]


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
    """A subnet of one zone; `table` is the key of its route table."""

    tier: Tier
    zone: str
    cidr: str
    table: str


@dataclass(frozen=True, slots=True)
class RouteTable(Item):
    """A route table; `way_out` is the key of what its default route leads to, or None for no way out."""

    tier: Tier
    way_out: str | None


@dataclass(frozen=True, slots=True)
class Nat(Item):
    """A NAT gateway with its elastic address; `subnet` is a key."""

    subnet: str
    zone: str
    address: Item


@dataclass(frozen=True, slots=True)
class NatInstance(Item):
    """An instance that does what a NAT gateway does, for less; `subnet`, `image` and `group` are keys."""

    subnet: str
    zone: str
    address: Item
    instance_type: str
    image: str
    group: str
    user_data: str


@dataclass(frozen=True, slots=True)
class Endpoint(Item):
    """A way to one AWS service without the internet.

    A gateway endpoint costs nothing and stands in route tables; an interface endpoint has an address in each of
    `subnets` and is reached by members of the security group `group`.
    """

    service: str
    kind: Literal["Gateway", "Interface"]
    subnets: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The shared network, one of our own."""

    vpc: Vpc
    internet_gateway: Item
    route_tables: tuple[RouteTable, ...]
    nat_gateways: tuple[Nat, ...]
    nat_instance: NatInstance | None
    endpoints: tuple[Endpoint, ...]
    default_group: Item
    subnets: tuple[Subnet, ...]
    layout: int


@dataclass(frozen=True, slots=True)
class ExistingSubnet:
    """A subnet that is there already; it has a key as ours have, and AWS's id."""

    key: str
    tier: Tier
    zone: str
    id: str


@dataclass(frozen=True, slots=True)
class ExistingNetwork:
    """A VPC that is there already, of which nothing is changed."""

    vpc_id: str
    subnets: tuple[ExistingSubnet, ...]


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
class Attachment:
    """A managed policy on the role; it carries no tags. `arn` is AWS's name of the policy."""

    key: str
    name: str
    arn: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The role that instances assume; documents are IAM policy documents as values.

    `physical_name` is what AWS calls the role and the profile: IAM is one for all regions.
    """

    physical_name: str
    role: Item
    profile: Item
    policy: Item
    trust_document: dict
    policy_document: dict
    attachments: tuple[Attachment, ...]


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
class Disk:
    """A root disk: size in GiB, throughput in MiB/s; None is gp3's own. `device` is where the image has it."""

    device: str
    size: int
    throughput: int | None
    iops: int | None


@dataclass(frozen=True, slots=True)
class Instance(Item):
    """One kind of machine in one subnet; `image`, `subnet`, `groups` and `placement_group` are keys."""

    instance_type: str
    image: str
    subnet: str
    groups: tuple[str, ...]
    disk: Disk
    user_data: str
    public_address: bool
    key_name: str | None
    placement_group: str | None
    capacity_reservation: str | None


@dataclass(frozen=True, slots=True)
class Market:
    """How a group's machines are bought: spot beyond the first `on_demand_base`; `fallback` fills up with on-demand."""

    spot: bool
    on_demand_base: int
    fallback: bool


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The launch template and the auto scaling group of a cluster's workers.

    Attributes:
        label: what the group is called in its cluster; `workers` is the one that every cluster has.
        owner: the tag that names the scheduler, which may end the group.
        n_workers: how many workers the group begins with.
        most: how many it may have at most; AWS keeps to it.
        instance_types: in order of preference; the template has the first.
    """

    label: str
    template: Instance
    group: Item
    owner: Item
    n_workers: int
    most: int
    instance_types: tuple[str, ...]
    market: Market

    @property
    def runtime(self) -> bool:
        """Whether its size is set while the cluster runs, and none of Pulumi's business."""
        return self.most != self.n_workers

    @property
    def mixed(self) -> bool:
        """Whether a launch template alone does not say it."""
        return len(self.instance_types) > 1 or self.market.spot


@dataclass(frozen=True, slots=True)
class Parameter(Item):
    """A parameter of the parameter store, always encrypted; `path` is its name there."""

    path: str


@dataclass(frozen=True, slots=True)
class Node:
    """What the machines of a cluster read when they have booted.

    Attributes:
        config: everything but the values of `environ`, which are nobody's business.
        environ: names of the variables.
        text: where the configuration stands; where it is too long for one parameter, more follow.
        scheduler: what only the scheduler may read: its certificate and the token of the dashboard.
        worker: what workers read: their certificate and where the scheduler is.
        authority: the cluster's own certificate authority; its key never leaves the state.
        certificates: what it issued; another rotation is another item.
        rotation: how often certificates were given anew.
    """

    config: dict
    environ: tuple[str, ...]
    text: Parameter
    scheduler: Parameter
    worker: Parameter
    authority: Item
    certificates: Item
    rotation: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask cluster in one zone.

    Attributes:
        workers: the group of workers that every cluster has.
        more: further groups.
        security: what ingress of its own needs.
        placement: its placement group.
        node: what its machines are told.
    """

    key: str
    name: str
    zone: str
    scheduler: Instance
    workers: WorkerGroup
    more: tuple[WorkerGroup, ...]
    security: Security
    placement: Item | None
    node: Node

    @property
    def groups(self) -> tuple[WorkerGroup, ...]:
        """All groups of workers, the one that every cluster has first."""
        return (self.workers, *self.more)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything of one workspace."""

    name: str
    region: str
    zone: str
    network: Network | ExistingNetwork
    security: Security
    identity: Identity
    logs: LogGroup
    images: tuple[Image, ...]
    clusters: tuple[Cluster, ...] = field(default=())
    #: The only account that this may be applied to, or None for any.
    account: str | None = None
    #: What the workspace's file says without its clusters, as plain values: what is started beside it inherits it.
    declared: dict = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Shared:
    """What a workspace made and others stand on; ids of AWS by the plan's keys."""

    workspace: str
    region: str
    account: str | None
    vpc_id: str
    subnets: dict[str, str]
    groups: dict[str, str]
    profile: str


@dataclass(frozen=True, slots=True)
class ClusterStack:
    """A cluster beside its workspace's file, in a stack of its own."""

    shared: Shared
    images: tuple[Image, ...]
    cluster: Cluster
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ZoneStack:
    """The subnets of a zone that the workspace's file does not list; tables are ids of AWS by key."""

    workspace: str
    region: str
    account: str | None
    zone: str
    vpc_id: str
    tables: dict[str, str]
    subnets: tuple[Subnet, ...]
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
