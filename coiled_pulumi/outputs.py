"""The one record that a workspace's stack exports: typed, versioned, the contract with everything that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coiled_pulumi.errors import CoiledPulumiError

#: Name of the stack output.
KEY = "workspace"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ClusterOutputs:
    """One cluster; addresses are IPv4 as text, the dashboard is an URL."""

    zone: str
    n_workers: int
    scheduler_id: str
    scheduler_address: str
    scheduler_private_address: str
    worker_group: str


@dataclass(frozen=True, slots=True)
class WorkspaceOutputs:
    """One workspace; `subnets` and `groups` map keys of the plan to AWS ids."""

    name: str
    region: str
    vpc_id: str
    nat_address: str
    subnets: Mapping[str, str]
    groups: Mapping[str, str]
    role_arn: str
    instance_profile: str
    log_group: str
    clusters: Mapping[str, ClusterOutputs]
    version: int = VERSION


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
        clusters = {name: ClusterOutputs(**value) for name, value in record["clusters"].items()}
        return WorkspaceOutputs(**{**record, "clusters": clusters})
    except (KeyError, TypeError, AttributeError):
        msg = "the stack's workspace outputs are incomplete"
        raise CoiledPulumiError(msg, "bring it up again with: coiled-pulumi up") from None
