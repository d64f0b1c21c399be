"""Every region offers instance types.

moto has lists for 30 of its 38 regions; in the others no type can be launched. AWS offers the common types
everywhere. Where moto has no list, Northern Virginia's stands in: it says too much rather than nothing.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-regions.html
"""

from __future__ import annotations

from typing import Any, Final

_MODEL: Final = "us-east-1"


def apply() -> None:
    """Fill the gaps from the model region's list."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    for kind in ("region", "availability-zone", "availability-zone-id"):
        lists = INSTANCE_TYPE_OFFERINGS[kind]
        types = sorted({entry["InstanceType"] for entry in lists[_MODEL]})
        for region, zones in RegionsAndZonesBackend.zones.items():
            if not lists.get(region):
                lists[region] = _list(kind, types, _places(kind, region, zones))


def _places(kind: str, region: str, zones: list[Any]) -> list[str]:
    if kind == "region":
        return [region]
    return [zone.name if kind == "availability-zone" else zone.zone_id for zone in zones]


def _list(kind: str, types: list[str], places: list[str]) -> list[dict[str, str]]:
    return [
        {"InstanceType": one, "Location": place, "LocationType": kind} for place in places for one in types
    ]
