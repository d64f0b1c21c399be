"""An interface endpoint has an address in each of its subnets, and goes with all it has.

moto gives an interface endpoint addresses by chance, mostly outside its subnets, which then fails, and its
interfaces no security groups; on delete it takes the interfaces away and keeps their addresses; a change of
subnets, groups or route tables changes what it shows and nothing else; an ended endpoint is shown for ever. AWS takes
a free address of each subnet, one subnet per zone, gives the interfaces the endpoint's groups or else the VPC's
default one, asks for the VPC's DNS attributes where the endpoint is to answer under the service's own name, and
has interfaces and routes follow every change.
https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Make and end the interfaces together with the endpoint."""
    from moto.ec2.models import vpcs

    # With no address the interface takes one of its subnet's.
    vpcs.random_private_ip = lambda *_: ""
    make, change = vpcs.VPCBackend.create_vpc_endpoint, vpcs.VPCBackend.modify_vpc_endpoint

    def create_vpc_endpoint(self: Any, **options: Any) -> Any:
        if not is_interface(options.get("endpoint_type")):
            return make(self, **options)
        _check(self, options)
        endpoint = make(self, **options)
        if not endpoint.security_group_ids:
            default = self.get_security_group_from_name("default", vpc_id=endpoint.vpc_id)
            endpoint.security_group_ids = [default.id]
        _dress(endpoint)
        return endpoint

    def modify_vpc_endpoint(self: Any, vpc_id: str, *rest: Any, **options: Any) -> None:
        endpoint = self.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])[0]
        before = set(endpoint.subnet_ids or []), set(endpoint.route_table_ids or [])
        change(self, vpc_id, *rest, **options)
        if is_interface(endpoint.vpc_endpoint_type):
            _follow_subnets(self, endpoint, before[0])
            _dress(endpoint)
        else:
            _follow_tables(self, endpoint, before[1])

    def delete_vpc_endpoints(self: Any, vpce_ids: list[str] | None = None) -> None:
        for name in vpce_ids or []:
            endpoint = self.vpc_end_points.pop(name, None)
            if endpoint is None:
                continue
            for interface in list(endpoint.network_interface_ids):
                self.delete_network_interface(interface)
            _follow_tables(self, endpoint, set(endpoint.route_table_ids or []), gone=True)

    vpcs.VPCBackend.create_vpc_endpoint = create_vpc_endpoint
    vpcs.VPCBackend.modify_vpc_endpoint = modify_vpc_endpoint
    vpcs.VPCBackend.delete_vpc_endpoints = delete_vpc_endpoints


def is_interface(kind: str | None) -> bool:
    """Whether an endpoint is one with addresses; without a kind it is a gateway."""
    return (kind or "").lower() == "interface"


def _check(backend: Any, options: dict[str, Any]) -> None:
    from moto.ec2.exceptions import EC2ClientError

    vpc = backend.get_vpc(options["vpc_id"])
    if options.get("private_dns_enabled"):
        if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            raise EC2ClientError(
                "InvalidParameter",
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set "
                f"to true for {vpc.id}",
            )
        service = options["service_name"]
        for other in backend.vpc_end_points.values():
            if (other.vpc_id, other.service_name) == (vpc.id, service) and other.private_dns_enabled:
                raise EC2ClientError(
                    "InvalidParameter",
                    f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                    f"{service} in the VPC {vpc.id}",
                )
    subnets = [backend.get_subnet(name) for name in options.get("subnet_ids") or []]
    if len({subnet.availability_zone for subnet in subnets}) < len(subnets):
        raise EC2ClientError("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the zone.")


def _dress(endpoint: Any) -> None:
    """Give the interfaces what AWS's have."""
    backend = endpoint.ec2_backend
    groups = [backend.get_security_group_from_id(name) for name in endpoint.security_group_ids]
    for name in endpoint.network_interface_ids:
        interface = backend.enis[name]
        interface._group_set = list(groups)
        interface.interface_type = "vpc_endpoint"
        interface.status = "in-use"
        interface.requester_managed = True
        interface.description = f"VPC Endpoint Interface {endpoint.id}"


def _follow_subnets(backend: Any, endpoint: Any, before: set[str]) -> None:
    for name in list(endpoint.network_interface_ids):
        if backend.enis[name].subnet.id not in endpoint.subnet_ids:
            backend.delete_network_interface(name)
            endpoint.network_interface_ids.remove(name)
    for subnet in endpoint.subnet_ids:
        if subnet not in before:
            endpoint.network_interface_ids.append(backend.create_network_interface(subnet, "").id)


def _follow_tables(backend: Any, endpoint: Any, before: set[str], *, gone: bool = False) -> None:
    """Keep the route to the service's prefix list in the tables that the endpoint names, and in no others."""
    prefixes = endpoint.destination_prefix_list_id
    now = set() if gone else set(endpoint.route_table_ids or [])
    for table in (before - now) & backend.route_tables.keys() if prefixes else ():
        backend.delete_route(table, prefixes)
    for table in now - before if prefixes else ():
        backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefixes)
