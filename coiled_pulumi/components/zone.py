"""The network of one more zone."""

import pulumi

from coiled_pulumi.components._base import Component
from coiled_pulumi.components.network import make_subnet, route_subnet
from coiled_pulumi.plan import model


class ZoneNetwork(Component):
    """A public and a private subnet of a workspace's network, routed as the others of their kind."""

    subnet_ids: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, plan: model.ZoneStack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.subnet_ids = {subnet.key: make_subnet(self, subnet, plan.vpc_id) for subnet in plan.subnets}
        for subnet in plan.subnets:
            route_subnet(self, subnet, self.subnet_ids[subnet.key], plan.tables[subnet.table])
        self.register_outputs({"subnetIds": self.subnet_ids})
