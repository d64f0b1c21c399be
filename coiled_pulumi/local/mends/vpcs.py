"""New VPCs and subnets look as AWS makes them.

moto's default security group lets nothing in; AWS's lets its own members in, so emptying it is work to do
and to see. moto takes the first subnet of a zone for the account's default one, which hands out public
addresses, also when it is a user's; AWS only marks the default VPC's own. moto leaves the network ACL of
a deleted VPC behind.
https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
https://docs.aws.amazon.com/vpc/latest/userguide/default-subnet.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Finish what moto made."""
    from moto.ec2.models.subnets import SubnetBackend
    from moto.ec2.models.vpcs import VPCBackend

    make_vpc, make_subnet, delete_vpc = (
        VPCBackend.create_vpc,
        SubnetBackend.create_subnet,
        VPCBackend.delete_vpc,
    )

    def create_vpc(self: Any, *args: Any, **options: Any) -> Any:
        vpc = make_vpc(self, *args, **options)
        group = self.get_security_group_from_name("default", vpc_id=vpc.id)
        itself = [{"GroupId": group.id, "UserId": self.account_id}]
        self.authorize_security_group_ingress(group.id, "-1", None, None, [], None, itself, vpc_id=vpc.id)
        return vpc

    def create_subnet(self: Any, vpc_id: str, *args: Any, **options: Any) -> Any:
        subnet = make_subnet(self, vpc_id, *args, **options)
        if not self.get_vpc(vpc_id).is_default:
            subnet.default_for_az = subnet.map_public_ip_on_launch = False
        return subnet

    def delete(self: Any, vpc_id: str) -> Any:
        vpc = delete_vpc(self, vpc_id)
        for acl in [acl for acl in self.network_acls.values() if acl.vpc_id == vpc_id]:
            del self.network_acls[acl.id]
        return vpc

    VPCBackend.create_vpc = create_vpc
    VPCBackend.delete_vpc = delete
    SubnetBackend.create_subnet = create_subnet
