"""What the ways out of a network cost a month, before any traffic: list prices of us-east-1."""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi import catalog
from coiled_pulumi.plan.model import Network
from coiled_pulumi.plan.network import SERVICES
from coiled_pulumi.spec.rules import NAT_INSTANCE_TYPE

#: GiB of a NAT instance's root disk: that of Amazon Linux 2023.
_NAT_DISK = 8


@dataclass(frozen=True, slots=True)
class WayOut:
    """A way out of the private subnets.

    Attributes:
        nat: as `network.nat` has it.
        monthly: US dollars a month for being there.
        per_gb: US dollars for a gigabyte through it.
        chosen: whether the plan has it.
    """

    nat: str
    monthly: float
    per_gb: float
    chosen: bool


def ways_out(network: Network) -> tuple[WayOut, ...]:
    """Price every way out for a network with as many zones, the one that it has marked."""
    zones = len({subnet.zone for subnet in network.subnets})
    gateway = _hourly("nat_gateway") + _hourly("public_ipv4")
    instance = _hourly(NAT_INSTANCE_TYPE) + _hourly("public_ipv4") + _price("gp3") * _NAT_DISK
    endpoints = _hourly("interface_endpoint") * len(SERVICES) * zones
    through_gateway = _price("nat_gateway_traffic")
    made = _made(network)
    return tuple(
        WayOut(nat, round(monthly, 2), per_gb, nat == made)
        for nat, monthly, per_gb in (
            ("gateway", gateway, through_gateway),
            ("per-zone", gateway * zones, through_gateway),
            ("instance", instance, 0.0),
            ("none", endpoints, _price("interface_endpoint_traffic")),
        )
    )


def _made(network: Network) -> str:
    if network.nat_instance is not None:
        return "instance"
    if not network.nat_gateways:
        return "none"
    # Tables for each zone are what tells the two apart where there is but one zone.
    return "gateway" if any(table.way_out == "nat" for table in network.route_tables) else "per-zone"


def _price(key: str) -> float:
    found = catalog.price(key)
    assert found is not None, key  # noqa: S101 the bundled catalog has them all
    return found.usd


def _hourly(key: str) -> float:
    found = catalog.price(key)
    assert found is not None, key  # noqa: S101
    return found.monthly()
