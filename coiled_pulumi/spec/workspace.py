"""A workspace: the shared network, access, logs, and the clusters in it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field

from coiled_pulumi.spec.base import IN_PLACE, OnChange, Spec, matching
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.iam import Iam
from coiled_pulumi.spec.logs import Logs
from coiled_pulumi.spec.names import Slug
from coiled_pulumi.spec.network import Network
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.tags import Tags


class Named(Spec):
    """What a workspace is called, and where it may be."""

    name: Annotated[Slug, OnChange("is another workspace")]
    """Slug of the workspace. The Pulumi stack, the role, the instance profile and the log group bear it."""

    account: Annotated[
        Annotated[
            str,
            matching(
                r"[0-9]{12}",
                "must be an AWS account number of 12 digits",
                "aws sts get-caller-identity shows it",
            ),
        ]
        | None,
        OnChange("changes nothing"),
    ] = None
    """AWS account number, in quotes. With credentials of any other account nothing is changed. Default: any account."""


class Workspace(Options, Named):
    """Everything that one team shares; its backend options hold for all clusters that set none of their own."""

    network: Network = Network()
    """The shared network."""

    logs: Logs = Logs()
    """The log group."""

    iam: Iam = Iam()
    """What the machines may do beyond writing their logs."""

    tags: Annotated[Tags, IN_PLACE] = Field(default_factory=dict)
    """Tags for everything that can carry tags, at most 40."""

    clusters: Annotated[dict[Slug, Cluster], OnChange("adds and removes clusters")] = Field(
        default_factory=dict
    )
    """Clusters by name."""

    def declared(self) -> dict[str, Any]:
        """Give the plain values that a file would have for this workspace without its clusters, defaults left out."""
        said = self.model_dump(mode="json", exclude={"clusters"}, exclude_none=True, exclude_defaults=True)
        return _in_order(said | {"name": self.name})

    def elsewhere(self, region: str) -> dict[str, Any]:
        """Give the plain values for the same in another region: its zones are its own, and so is its network."""
        kept = {key: value for key, value in self.declared().items() if key not in ("region", "zone")}
        network = kept.pop("network", {})
        own = {key: value for key, value in network.items() if key not in ("zones", "existing")}
        return {**kept, "region": region} | ({"network": own} if own else {})


def _in_order(value: Any) -> Any:
    """Sort what has no order: a workspace's lists are sets, and so are mappings."""
    if isinstance(value, dict):
        return {key: _in_order(part) for key, part in sorted(value.items())}
    if isinstance(value, list):
        return sorted(map(_in_order, value), key=lambda part: json.dumps(part))
    return value
