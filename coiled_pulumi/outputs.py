"""The one record that a workspace's stack exports: typed, versioned, the contract with everything that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coiled_pulumi.errors import CoiledPulumiError

#: Name of the stack output.
KEY = "workspace"
#: Names of the outputs of stacks beside the workspace's.
CLUSTER_KEY, ZONE_KEY = "cluster", "zone"
VERSION = 3


@dataclass(frozen=True, slots=True)
class GroupOutputs:
    """One group of workers.

    Attributes:
        name: of its auto scaling group.
        least: how many workers it begins with.
        most: how many it may have.
        runtime: whether its size is set while the cluster runs, and not by Pulumi.
    """

    name: str
    least: int
    most: int
    runtime: bool


@dataclass(frozen=True, slots=True)
class ClusterOutputs:
    """One cluster; addresses are IPv4 as text.

    Attributes:
        n_workers: of the group that every cluster has; where it is a range, the least.
        worker_group: the auto scaling group that every cluster has.
        groups: all of them by label; `workers` is the one that every cluster has.
        rotation: how often certificates were given anew.
        security: `ca`, `cert`, `key` of a client and `token` of the dashboard as PEM and text. A secret: only who may
            read the stack's secrets gets it, everybody else the text `[secret]`.
    """

    zone: str
    n_workers: int
    scheduler_id: str
    scheduler_address: str
    scheduler_private_address: str
    worker_group: str
    groups: Mapping[str, GroupOutputs]
    rotation: int
    security: Mapping[str, str] | str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WorkspaceOutputs:
    """One workspace; `subnets`, `route_tables` and `groups` map keys of the plan to AWS ids.

    Attributes:
        zone: of clusters that name none.
        vpc_id: the network, one of our own or one that was there already.
        nat_addresses: by zone, the addresses that traffic from private subnets comes from.
        declared: what the workspace's file says without its clusters, for what is started beside it.
    """

    name: str
    region: str
    zone: str
    vpc_id: str
    nat_addresses: Mapping[str, str]
    subnets: Mapping[str, str]
    route_tables: Mapping[str, str]
    groups: Mapping[str, str]
    role_arn: str
    instance_profile: str
    log_group: str
    declared: Mapping[str, Any]
    clusters: Mapping[str, ClusterOutputs]
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ClusterStackOutputs:
    """A cluster that was started beside its workspace's file: where it is, and what it was started with.

    Attributes:
        config: of the program; of variables it has the names alone.
        environ: the values of its variables, a secret as `ClusterOutputs.security` is.
    """

    workspace: str
    region: str
    name: str
    cluster: ClusterOutputs
    config: Mapping[str, Any]
    environ: Mapping[str, str] | str = field(default="", repr=False)
    version: int = VERSION


def read_cluster(outputs: Mapping[str, Any]) -> ClusterStackOutputs | None:
    """Read the record of a cluster's own stack, or None where it never came up.

    Raises:
        CoiledPulumiError: another version of the program wrote it.
    """
    record = outputs.get(CLUSTER_KEY)
    if not isinstance(record, Mapping):
        return None
    if record.get("version") != VERSION:
        msg = f"the cluster's outputs have version {record.get('version')}, this program reads {VERSION}"
        raise CoiledPulumiError(msg, "upgrade coiled-pulumi")
    return ClusterStackOutputs(**{**record, "cluster": _cluster(record["cluster"])})


def read(outputs: Mapping[str, Any]) -> WorkspaceOutputs:
    """Read the record from a stack's outputs.

    Raises:
        CoiledPulumiError: there is none, another version of the program wrote it, or something of it is missing.
    """
    record = outputs.get(KEY)
    if not isinstance(record, Mapping):
        msg = "the stack has no workspace outputs"
        raise CoiledPulumiError(msg, "bring it up with: coiled-pulumi up")
    if record.get("version") != VERSION:
        msg = f"the stack's outputs have version {record.get('version')}, this program reads {VERSION}"
        raise CoiledPulumiError(msg, "upgrade coiled-pulumi")
    try:
        clusters = {name: _cluster(value) for name, value in record["clusters"].items()}
        return WorkspaceOutputs(**{**record, "clusters": clusters})
    except (KeyError, TypeError, AttributeError):
        msg = "the stack's workspace outputs are incomplete"
        raise CoiledPulumiError(msg, "bring it up again with: coiled-pulumi up") from None


def _cluster(record: Mapping[str, Any]) -> ClusterOutputs:
    groups = {label: GroupOutputs(**group) for label, group in record["groups"].items()}
    return ClusterOutputs(**{**record, "groups": groups})
