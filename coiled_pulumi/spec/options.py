"""Backend options: what may be said for a cluster, for a workspace, or in dask's configuration."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from coiled_pulumi import catalog
from coiled_pulumi.spec.access import Ingress
from coiled_pulumi.spec.base import (
    IN_PLACE,
    NEW_MACHINES,
    NEW_WORKERS,
    OnChange,
    Refusal,
    Spec,
    matching,
    suggest,
)
from coiled_pulumi.spec.disk import Disk


def check_region(name: str) -> str:
    """Accept a region of the commercial partition.

    Raises:
        Refusal: unknown, with the nearest one.
    """
    if name in catalog.regions():
        return name
    if name.startswith(("cn-", "us-gov-")):
        msg = "must be a region of the commercial partition"
        raise Refusal(msg, "China and GovCloud are not supported")
    near = catalog.nearest(name, list(catalog.regions()), most=1)
    msg = "must be an AWS region" if near else "must be an AWS region as us-east-1"
    raise Refusal(msg, suggest(near))


#: A private key in any armour, or a public one: its base64 begins with three zero bytes.
_KEY_MATERIAL = re.compile(r"-----BEGIN|PRIVATE KEY|PuTTY-User-Key|AAAA[\w+/]{20}")


def _check_key_pair(name: str) -> str:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateKeyPair.html
    if _KEY_MATERIAL.search(name):
        msg = "must be the name of a key pair of EC2, not a key"
        # The refusal says "got", so that the line repeats nothing of what may be a secret.
        raise Refusal(f"{msg}, got key material", "aws ec2 describe-key-pairs lists the names")
    if not re.fullmatch(r"[ -~]{1,255}", name):
        msg = "must be 1 to 255 ASCII characters, the name of a key pair of EC2"
        raise Refusal(msg)
    return name


RegionName = Annotated[str, AfterValidator(check_region)]
_Ami = Annotated[
    str, matching(r"ami-[0-9a-f]{8,17}", "must be the id of a machine image as ami-0123456789abcdef0")
]
# A name would be looked up on an index, where anybody may register it.
_Agent = Annotated[
    str,
    matching(
        r"(https|s3)://[A-Za-z0-9._~/%+-]+\.whl#sha256=[0-9a-f]{64}",
        "must be the address of a wheel with its hash, as https://HOST/coiled_pulumi-0.1.0-py3-none-any.whl#sha256=...",
    ),
]


class Options(Spec):
    """What a level says; None is "says nothing", and the next level counts: cluster, workspace, config, default."""

    region: Annotated[RegionName | None, OnChange("replaces everything")] = None
    """AWS region, also `region_name`; some have to be enabled in the account first. Default: us-east-1."""

    zone: Annotated[str | None, OnChange("replaces the cluster")] = None
    """Availability zone, also `zone_name`. Default: the region's first."""

    ingress: Annotated[tuple[Ingress, ...] | None, IN_PLACE] = None
    """Who may reach schedulers from outside, also `firewall`: a list, or one mapping of ports and cidr. An empty list
    closes them. Default: ports 22, 8787 and 8786 from 0.0.0.0/0."""

    spot: Annotated[bool | None, NEW_WORKERS] = None
    """Ask for spot workers: cheaper, and AWS may take them back with two minutes of notice. Default: false."""

    spot_on_demand_fallback: Annotated[bool | None, IN_PLACE] = None
    """Fill up with on-demand workers when there is no spot capacity. Default: false."""

    spot_on_demand_base: Annotated[Annotated[int, Field(ge=0, le=8187)] | None, IN_PLACE] = None
    """Number of workers that are on-demand in any case, before the first spot one. Default: 0."""

    keypair_name: Annotated[Annotated[str, AfterValidator(_check_key_pair)] | None, NEW_MACHINES] = None
    """Name of a key pair of EC2 for SSH; it has to exist in the region. Default: none, so nobody can log in."""

    use_placement_group: Annotated[bool | None, NEW_MACHINES] = None
    """Put scheduler and workers close together in a cluster placement group. Default: false."""

    ami_id: Annotated[_Ami | None, NEW_MACHINES] = None
    """Machine image of your own for scheduler and workers, with Python and packages in /opt/coiled-pulumi. Default: an
    image of AWS's."""

    agent: Annotated[_Agent | None, NEW_MACHINES] = None
    """Address of a wheel of this package, with its hash, for machines whose image does not have it in
    /opt/coiled-pulumi: https://, or s3:// for an object that machines then may read. `setup aws` puts it into a bucket.
    Without either a machine powers off. Default: none."""

    ami_version: Annotated[Literal["AL2023", "DL"] | None, NEW_MACHINES] = None
    """Kind of image: AL2023 is Amazon Linux, DL the deep-learning base image with NVIDIA's drivers. Default: DL for
    machines with a GPU, else AL2023."""

    use_scheduler_public_ip: Annotated[bool | None, OnChange("replaces the scheduler")] = None
    """Give the scheduler a public address; without one it stands in the private subnet. Default: true."""

    capacity_reservation_id: Annotated[
        Annotated[
            str,
            matching(
                r"cr-[0-9a-f]{8,17}",
                "must be the id of a capacity reservation as cr-0123456789abcdef0",
                "aws ec2 describe-capacity-reservations lists them",
            ),
            WithJsonSchema({"type": "string", "pattern": "^cr-[0-9a-f]{8,17}$"}),
        ]
        | None,
        NEW_MACHINES,
    ] = None
    """Id of an on-demand capacity reservation for the workers, which then have one instance type, its own. Default:
    none."""

    disk: Disk | None = None
    """Root disks of schedulers and workers that say nothing of their own."""
