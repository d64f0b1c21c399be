"""Pulumi's type tokens of the resources that the rules look at."""

from typing import Final

AUTO_SCALING_GROUP: Final = "aws:autoscaling/group:Group"
DEFAULT_SECURITY_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
EGRESS_RULE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
EIP: Final = "aws:ec2/eip:Eip"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
INSTANCE: Final = "aws:ec2/instance:Instance"
INSTANCE_PROFILE: Final = "aws:iam/instanceProfile:InstanceProfile"
INTERNET_GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"
LAUNCH_TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
LEGACY_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
NAT_GATEWAY: Final = "aws:ec2/natGateway:NatGateway"
ROLE: Final = "aws:iam/role:Role"
ROUTE_TABLE: Final = "aws:ec2/routeTable:RouteTable"
SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
SUBNET: Final = "aws:ec2/subnet:Subnet"
VPC: Final = "aws:ec2/vpc:Vpc"
VPC_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"

TAGGED: Final = frozenset(
    {
        AUTO_SCALING_GROUP,
        DEFAULT_SECURITY_GROUP,
        EGRESS_RULE,
        EIP,
        INGRESS_RULE,
        INSTANCE,
        INSTANCE_PROFILE,
        INTERNET_GATEWAY,
        LAUNCH_TEMPLATE,
        LOG_GROUP,
        NAT_GATEWAY,
        ROLE,
        ROUTE_TABLE,
        SECURITY_GROUP,
        SUBNET,
        VPC,
        VPC_ENDPOINT,
    }
)
"""What can carry tags and therefore must."""
