"""What a cluster stands on: made in the same stack, or there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Ground:
    """Ids by the plan's keys.

    Attributes:
        vpc_id: the network.
        subnet_ids: subnets.
        group_ids: security groups.
        profile_name: the instance profile of every machine.
        image_ids: machine images.
        before: by tier, what has to exist before a machine in such a subnet reaches what it needs.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: Mapping[str, pulumi.Input[str]]
    group_ids: Mapping[str, pulumi.Input[str]]
    profile_name: pulumi.Input[str]
    image_ids: Mapping[str, pulumi.Input[str]]
    before: Mapping[str, Sequence[pulumi.Resource]] = field(default_factory=dict)
