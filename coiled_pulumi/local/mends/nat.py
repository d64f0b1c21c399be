"""A NAT gateway lives in its subnet, and lets go of everything when it is deleted.

moto gives it any address of 10.0.0.0/8, leaves its interface behind, and its elastic address tied, and finds
every one whatever tags are asked for. AWS takes an address of the gateway's subnet, and with the gateway go the
interface and the tie; the elastic address itself stays.
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Let the subnet choose the address, and clean up on delete."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import nat_gateways
    from moto.ec2.utils import generic_filter

    # With no address the interface takes one of its subnet's.
    nat_gateways.random_private_ip = lambda *_: ""
    build = nat_gateways.NatGateway.__init__

    def built(self: Any, *args: Any, **options: Any) -> None:
        build(self, *args, **options)
        self.private_ip = self._eni.private_ip_address
        self._eni.interface_type = "nat_gateway"
        self._eni.status = "in-use"
        self._eni.requester_managed = True
        self._eni.description = f"Interface for NAT Gateway {self.id}"

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = self.nat_gateways.get(nat_gateway_id)
        if gateway is None:
            raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {nat_gateway_id} was not found")
        if gateway.state != "deleted":
            gateway.state = "deleted"
            for address in self.addresses:
                if address.eni is gateway._eni:
                    address.eni = address.instance = address.association_id = None
            self.delete_network_interface(gateway._eni.id)
        return gateway

    find = nat_gateways.NatGatewayBackend.describe_nat_gateways

    def describe_nat_gateways(self: Any, filters: Any, nat_gateway_ids: Any) -> Any:
        by_tag = {name: values for name, values in (filters or {}).items() if name.startswith("tag")}
        return generic_filter(by_tag, find(self, filters, nat_gateway_ids))

    nat_gateways.NatGateway.__init__ = built
    nat_gateways.NatGatewayBackend.describe_nat_gateways = describe_nat_gateways
    nat_gateways.NatGatewayBackend.delete_nat_gateway = delete_nat_gateway
