"""The shared network."""

import pulumi
from pulumi_aws import ec2

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Network(Component):
    """A VPC with its gateways, a public and a private subnet per zone, and an emptied default group."""

    vpc_id: pulumi.Output[str]
    nat_address: pulumi.Output[str]
    subnet_ids: dict[str, pulumi.Output[str]]
    #: By tier: what has to exist before a machine in such a subnet reaches the internet.
    ways_out: dict[str, pulumi.Resource]

    def __init__(self, name: str, plan: model.Network, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        vpc = ec2.Vpc(plan.vpc.name, cidr_block=plan.vpc.cidr, tags=plan.vpc.tags, opts=self.child())
        self.vpc_id = vpc.id
        # AWS makes this group in every VPC and lets everything inside it talk: emptied, it gives nothing away.
        ec2.DefaultSecurityGroup(
            plan.default_group.name, vpc_id=vpc.id, tags=plan.default_group.tags, opts=self.child()
        )
        subnets = {subnet.key: self._subnet(subnet) for subnet in plan.subnets}
        self.subnet_ids = {key: subnet.id for key, subnet in subnets.items()}
        tables = self._routes(plan, subnets)
        for subnet in plan.subnets:
            ec2.RouteTableAssociation(
                subnet.name,
                subnet_id=subnets[subnet.key].id,
                route_table_id=tables[subnet.tier],
                opts=self.child(),
            )
        ec2.VpcEndpoint(
            plan.endpoint.name,
            vpc_id=vpc.id,
            service_name=plan.endpoint.service,
            vpc_endpoint_type="Gateway",
            route_table_ids=list(tables.values()),
            tags=plan.endpoint.tags,
            opts=self.child(),
        )
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def _subnet(self, plan: model.Subnet) -> ec2.Subnet:
        return ec2.Subnet(
            plan.name,
            vpc_id=self.vpc_id,
            cidr_block=plan.cidr,
            availability_zone=plan.zone,
            tags=plan.tags,
            opts=self.child(),
        )

    def _routes(self, plan: model.Network, subnets: dict[str, ec2.Subnet]) -> dict[str, pulumi.Output[str]]:
        """Make both route tables with their ways out; give the tables' ids by tier."""
        internet = ec2.InternetGateway(
            plan.internet_gateway.name, vpc_id=self.vpc_id, tags=plan.internet_gateway.tags, opts=self.child()
        )
        address = ec2.Eip(
            plan.nat.address.name, domain="vpc", tags=plan.nat.address.tags, opts=self.child(internet)
        )
        self.nat_address = address.public_ip
        nat = ec2.NatGateway(
            plan.nat.name,
            allocation_id=address.id,
            subnet_id=subnets[plan.nat.subnet].id,
            tags=plan.nat.tags,
            # The elastic address serves one gateway at a time.
            opts=self.child(internet, delete_before_replace=True),
        )
        public = self._table(plan.public_routes)
        private = self._table(plan.private_routes)
        self.ways_out = {
            "public": self._default_route(plan.public_routes, public, gateway_id=internet.id),
            "private": self._default_route(plan.private_routes, private, nat_gateway_id=nat.id),
        }
        return {"public": public.id, "private": private.id}

    def _table(self, plan: model.Item) -> ec2.RouteTable:
        return ec2.RouteTable(plan.name, vpc_id=self.vpc_id, tags=plan.tags, opts=self.child())

    def _default_route(
        self, plan: model.Item, table: ec2.RouteTable, **target: pulumi.Output[str]
    ) -> ec2.Route:
        return ec2.Route(
            plan.name,
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            opts=self.child(),
            **target,
        )
