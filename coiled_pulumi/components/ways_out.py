"""How machines in private subnets reach the world, or at least AWS."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from coiled_pulumi.components._base import METADATA, Component
from coiled_pulumi.components.network import Network, route_subnet
from coiled_pulumi.components.security import Security
from coiled_pulumi.plan import model


@dataclass(frozen=True)
class _Way:
    """What a default route leads to: the name of the route's argument, and its value."""

    argument: str
    target: pulumi.Output[str]


class WaysOut(Component):
    """NAT gateways or a NAT instance, the default routes to them, and endpoints of AWS's services."""

    nat_addresses: dict[str, pulumi.Output[str]]
    #: By tier: what has to exist before a machine in such a subnet reaches what it needs.
    before: dict[str, list[pulumi.Resource]]

    def __init__(
        self,
        name: str,
        plan: model.Network,
        *,
        network: Network,
        security: Security,
        image_ids: Mapping[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._network = network
        self._group_ids = security.group_ids
        self.nat_addresses = {}
        self.before = {"public": [], "private": []}
        ways = {plan.internet_gateway.key: _Way("gateway_id", network.internet_gateway.id)}
        for nat in plan.nat_gateways:
            ways[nat.key] = self._gateway(nat)
        if plan.nat_instance is not None:
            ways[plan.nat_instance.key] = self._instance(plan.nat_instance, image_ids)
        routes = {
            table.key: [self._route(table, ways[table.way_out])] if table.way_out is not None else []
            for table in plan.route_tables
        }
        for subnet in plan.subnets:
            self._use(subnet, routes[subnet.table])
        for endpoint in plan.endpoints:
            self._endpoint(endpoint)
        self.register_outputs({"natAddresses": self.nat_addresses})

    def _use(self, plan: model.Subnet, routes: list[ec2.Route]) -> None:
        """Put a subnet on its table after the table's route: one that changes tables is never without a way out."""
        network = self._network
        subnet_id, table_id = network.subnet_ids[plan.key], network.route_table_ids[plan.table]
        self.before[plan.tier].append(route_subnet(self, plan, subnet_id, table_id, *routes))

    def _route(self, plan: model.RouteTable, way: _Way) -> ec2.Route:
        return ec2.Route(
            plan.name,
            route_table_id=self._network.route_table_ids[plan.key],
            destination_cidr_block="0.0.0.0/0",
            opts=self.child(),
            **{way.argument: way.target},
        )

    def _gateway(self, plan: model.Nat) -> _Way:
        address = self._address(plan.address, plan.zone)
        gateway = ec2.NatGateway(
            plan.name,
            allocation_id=address.id,
            subnet_id=self._network.subnet_ids[plan.subnet],
            tags=plan.tags,
            # The elastic address serves one gateway at a time.
            opts=self.child(self._network.internet_gateway, delete_before_replace=True),
        )
        return _Way("nat_gateway_id", gateway.id)

    def _instance(self, plan: model.NatInstance, image_ids: Mapping[str, pulumi.Output[str]]) -> _Way:
        instance = ec2.Instance(
            plan.name,
            ami=image_ids[plan.image],
            instance_type=plan.instance_type,
            subnet_id=self._network.subnet_ids[plan.subnet],
            vpc_security_group_ids=[self._group_ids[plan.group]],
            # It forwards what is neither from it nor to it.
            source_dest_check=False,
            # It installs what it needs at its first boot, before its elastic address is there.
            associate_public_ip_address=True,
            metadata_options=METADATA,
            root_block_device={"encrypted": True, "volume_type": "gp3", "delete_on_termination": True},
            user_data=plan.user_data,
            user_data_replace_on_change=True,
            tags=plan.tags,
            volume_tags=plan.tags,
            opts=self.child(self._network.internet_gateway),
        )
        address = self._address(plan.address, plan.zone)
        ec2.EipAssociation(plan.name, allocation_id=address.id, instance_id=instance.id, opts=self.child())
        return _Way("network_interface_id", instance.primary_network_interface_id)

    def _address(self, plan: model.Item, zone: str) -> ec2.Eip:
        address = ec2.Eip(
            plan.name, domain="vpc", tags=plan.tags, opts=self.child(self._network.internet_gateway)
        )
        self.nat_addresses[zone] = address.public_ip
        return address

    def _endpoint(self, plan: model.Endpoint) -> None:
        network = self._network
        where = (
            {"route_table_ids": list(network.route_table_ids.values())}
            if plan.kind == "Gateway"
            else {
                "subnet_ids": [network.subnet_ids[key] for key in plan.subnets],
                "security_group_ids": [self._group_ids[str(plan.group)]],
                "private_dns_enabled": True,
            }
        )
        endpoint = ec2.VpcEndpoint(
            plan.name,
            vpc_id=network.vpc_id,
            service_name=plan.service,
            vpc_endpoint_type=plan.kind,
            tags=plan.tags,
            opts=self.child(),
            **where,
        )
        if plan.kind == "Interface":
            self.before["private"].append(endpoint)
