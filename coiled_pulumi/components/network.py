"""The shared network."""

import pulumi
from pulumi_aws import ec2

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Network(Component):
    """A VPC with its gateways, a public and a private subnet per zone, and an emptied default group."""

    vpc_id: pulumi.Output[str]
    subnet_ids: dict[str, pulumi.Output[str]]
    route_table_ids: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, plan: model.Network, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        vpc = ec2.Vpc(
            plan.vpc.name,
            cidr_block=plan.vpc.cidr,
            # Interface endpoints answer under the services' own names, which needs both.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=plan.vpc.tags,
            opts=self.child(),
        )
        self.vpc_id = vpc.id
        # AWS makes this group in every VPC and lets everything inside it talk: emptied, it gives nothing away.
        ec2.DefaultSecurityGroup(
            plan.default_group.name, vpc_id=vpc.id, tags=plan.default_group.tags, opts=self.child()
        )
        self.internet_gateway = ec2.InternetGateway(
            plan.internet_gateway.name, vpc_id=vpc.id, tags=plan.internet_gateway.tags, opts=self.child()
        )
        tables = {
            table.key: ec2.RouteTable(table.name, vpc_id=vpc.id, tags=table.tags, opts=self.child())
            for table in plan.route_tables
        }
        self.route_table_ids = {key: table.id for key, table in tables.items()}
        self.subnet_ids = {subnet.key: make_subnet(self, subnet, self.vpc_id) for subnet in plan.subnets}
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})


def make_subnet(parent: Component, plan: model.Subnet, vpc_id: pulumi.Input[str]) -> pulumi.Output[str]:
    """Make a subnet, which uses the network's main route table until `route_subnet`; give its id."""
    return ec2.Subnet(
        plan.name,
        vpc_id=vpc_id,
        cidr_block=plan.cidr,
        availability_zone=plan.zone,
        tags=plan.tags,
        opts=parent.child(),
    ).id


def route_subnet(
    parent: Component,
    plan: model.Subnet,
    subnet_id: pulumi.Input[str],
    table_id: pulumi.Input[str],
    *after: pulumi.Resource,
) -> ec2.RouteTableAssociation:
    """Have a subnet use a route table, once what the table leads to is there."""
    return ec2.RouteTableAssociation(
        plan.name, subnet_id=subnet_id, route_table_id=table_id, opts=parent.child(*after)
    )
