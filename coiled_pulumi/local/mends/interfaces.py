"""Private addresses are a subnet's own, counted, and run out as at AWS.

moto answers 500 when a subnet is full, takes an interface's address by chance from the subnet without
looking whether it is free, never takes an address back, gives an instance in the default VPC an address
from elsewhere, and counts per interface. AWS keeps five addresses of a subnet, refuses with
InsufficientFreeAddressesInSubnet before anything is made, and gives addresses back with the interface.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.mends._launch import Launch, around


def apply() -> None:
    """Have every interface take its address from its subnet and give it back."""
    from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
    from moto.ec2.models.subnets import Subnet

    Subnet.available_ip_address_count = property(free)
    around(before=_check_room)
    create, delete = (
        NetworkInterfaceBackend.create_network_interface,
        NetworkInterfaceBackend.delete_network_interface,
    )

    def create_network_interface(
        self: Any, subnet: Any, private_ip_address: Any, *args: Any, **options: Any
    ) -> Any:
        place = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
        given = options.get("private_ip_addresses") or (args[0] if args else None)
        if not private_ip_address and not given:
            require(place, 1)
            private_ip_address = place.get_available_subnet_ip(instance=None)
        elif isinstance(private_ip_address, str) and private_ip_address not in place._subnet_ips:
            place.request_ip(private_ip_address, instance=None)
        return create(self, place, private_ip_address, *args, **options)

    def delete_network_interface(self: Any, eni_id: str) -> None:
        interface = self.enis.get(eni_id)
        delete(self, eni_id)
        for address in interface.private_ip_addresses:
            interface.subnet.del_subnet_ip(address["PrivateIpAddress"])

    NetworkInterfaceBackend.create_network_interface = create_network_interface
    NetworkInterfaceBackend.delete_network_interface = delete_network_interface


def free(subnet: Any) -> int:
    """Count the addresses that a subnet can still give."""
    return int(subnet._available_ip_addresses) - len(subnet._subnet_ips)


def require(subnet: Any, count: int) -> None:
    """Refuse as AWS does when a subnet has fewer free addresses than asked for."""
    from moto.ec2.exceptions import EC2ClientError

    if free(subnet) < count:
        raise EC2ClientError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' "
            "to satisfy the requested number of instances.",
        )


def _choose_subnet(launch: Launch) -> None:
    """Take the default VPC's subnet where the launch names none: moto does too, but no address of it."""
    options = launch.options
    nics = options.get("nics") or []
    primary = next((nic for nic in nics if int(nic.get("DeviceIndex") or 0) == 0), {})
    if options.get("subnet_id") or primary.get("SubnetId") or primary.get("NetworkInterfaceId"):
        return
    subnets = launch.backend.get_default_subnets()
    zone = options.get("placement") or min(subnets, default=None)
    if zone in subnets:
        options["subnet_id"] = subnets[zone].id


def _check_room(launch: Launch) -> None:
    """Look before anything is made: AWS launches at least the asked number or nothing."""
    _choose_subnet(launch)
    nics = launch.options.get("nics") or []
    if any(nic.get("NetworkInterfaceId") for nic in nics):
        return
    named = launch.options.get("subnet_id") or next(
        (nic["SubnetId"] for nic in nics if nic.get("SubnetId")), None
    )
    if named:
        require(launch.backend.get_subnet(named), launch.count)
