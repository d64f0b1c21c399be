"""A workspace: the shared network, access, logs, and the clusters in it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from coiled_pulumi import catalog
from coiled_pulumi.spec.access import DEFAULT_INGRESS, Ingress
from coiled_pulumi.spec.base import Refusal, Spec, suggest
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.logs import Logs
from coiled_pulumi.spec.names import Slug
from coiled_pulumi.spec.network import Network
from coiled_pulumi.spec.tags import Tags


def _check_region(name: str) -> str:
    if name in catalog.regions():
        return name
    if name.startswith(("cn-", "us-gov-")):
        msg = "must be a region of the commercial partition"
        raise Refusal(msg, "China and GovCloud are not supported")
    near = catalog.nearest(name, list(catalog.regions()), most=1)
    msg = "must be an AWS region" if near else "must be an AWS region as us-east-1"
    raise Refusal(msg, suggest(near))


def _check_account(number: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", number):
        msg = "must be an AWS account number of 12 digits"
        raise Refusal(msg, "aws sts get-caller-identity shows it")
    return number


class Workspace(Spec):
    """Everything that one team shares."""

    name: Slug
    """Slug of the workspace. The Pulumi stack, the role, the instance profile and the log group bear it."""

    region: Annotated[str, AfterValidator(_check_region)] = "us-east-1"
    """AWS region of everything in the workspace."""

    account: Annotated[str, AfterValidator(_check_account)] | None = None
    """AWS account number, in quotes. With credentials of any other account nothing is changed. Default: any account."""

    zone: str | None = None
    """Availability zone of clusters that name none, and of the NAT gateway. Default: the region's first."""

    network: Network = Network()
    """The shared network."""

    ingress: tuple[Ingress, ...] = DEFAULT_INGRESS
    """Who may reach the schedulers from outside. An empty list closes them."""

    logs: Logs = Logs()
    """The log group."""

    tags: Tags = Field(default_factory=dict)
    """Tags for everything that can carry tags, at most 40."""

    clusters: dict[Slug, Cluster] = Field(default_factory=dict)
    """Clusters by name."""
