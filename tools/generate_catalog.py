"""Write coiled_pulumi/catalog/data/*.json from the AWS describe results that moto ships, and from tables below.

Run by hand: `python tools/generate_catalog.py`. The files carry date and source, and are reviewed like code.
Quotas and prices are not in moto: they stand here, each with the page that says so.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from coiled_pulumi.catalog import rows
from coiled_pulumi.catalog.files import VERSION

TARGET = Path(__file__).parent.parent / "coiled_pulumi" / "catalog" / "data"

#: On in every account without asking: the regions from before 20 March 2019.
#: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
ALWAYS_ON = frozenset(
    [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ]
)


#: The day on which quotas and prices were looked up.
CHECKED = "2026-11-23"
_EC2_QUOTAS = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html"
_SPOT_QUOTAS = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html"
_VPC_QUOTAS = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
#: Code, service, AWS's name, default, unit, page. New accounts can have less until they have been used for a while.
QUOTAS = [
    ("L-1216C47A", "ec2", f"Running On-Demand {_STANDARD} instances", 5, "vCPUs", _EC2_QUOTAS),
    ("L-34B43A08", "ec2", f"All {_STANDARD} Spot Instance Requests", 5, "vCPUs", _SPOT_QUOTAS),
    ("L-DB2E81BA", "ec2", "Running On-Demand G and VT instances", 0, "vCPUs", _EC2_QUOTAS),
    ("L-3819A6DF", "ec2", "All G and VT Spot Instance Requests", 0, "vCPUs", _SPOT_QUOTAS),
    ("L-417A185B", "ec2", "Running On-Demand P instances", 0, "vCPUs", _EC2_QUOTAS),
    ("L-7212CCBC", "ec2", "All P Spot Instance Requests", 0, "vCPUs", _SPOT_QUOTAS),
    ("L-7295265B", "ec2", "Running On-Demand X instances", 0, "vCPUs", _EC2_QUOTAS),
    ("L-E3A00192", "ec2", "All X Spot Instance Requests", 0, "vCPUs", _SPOT_QUOTAS),
    ("L-0263D0A3", "ec2", "EC2-VPC Elastic IPs", 5, "addresses in a region", _VPC_QUOTAS),
    ("L-F678F1CE", "vpc", "VPCs per Region", 5, "networks in a region", _VPC_QUOTAS),
    ("L-407747CB", "vpc", "Subnets per VPC", 200, "subnets in a network", _VPC_QUOTAS),
    ("L-FE5A380F", "vpc", "NAT gateways per Availability Zone", 5, "gateways in a zone", _VPC_QUOTAS),
    ("L-A4707A72", "vpc", "Internet gateways per Region", 5, "gateways in a region", _VPC_QUOTAS),
    ("L-E79EC296", "vpc", "VPC security groups per Region", 2500, "groups in a region", _VPC_QUOTAS),
    (
        "L-0EA8095F",
        "vpc",
        "Inbound or outbound rules per security group",
        60,
        "rules in a group, each direction",
        _VPC_QUOTAS,
    ),
]
#: Key, what it is, US dollars, unit, page: list prices of us-east-1, on demand.
PRICES = [
    ("nat_gateway", "NAT gateway", 0.045, "hour", "https://aws.amazon.com/vpc/pricing/"),
    (
        "nat_gateway_traffic",
        "traffic through a NAT gateway",
        0.045,
        "GB",
        "https://aws.amazon.com/vpc/pricing/",
    ),
    ("public_ipv4", "public IPv4 address", 0.005, "hour", "https://aws.amazon.com/vpc/pricing/"),
    (
        "interface_endpoint",
        "interface endpoint in a zone",
        0.01,
        "hour",
        "https://aws.amazon.com/privatelink/pricing/",
    ),
    (
        "interface_endpoint_traffic",
        "traffic through an interface endpoint, up to 1 PB in a month",
        0.01,
        "GB",
        "https://aws.amazon.com/privatelink/pricing/",
    ),
    ("t4g.nano", "t4g.nano, Linux", 0.0042, "hour", "https://aws.amazon.com/ec2/pricing/on-demand/"),
    ("gp3", "gp3 volume", 0.08, "GB-month", "https://aws.amazon.com/ebs/pricing/"),
]
PRICES_REGION = "us-east-1"


def regions() -> dict[str, Any]:
    """Map each commercial region to its zones and whether an account has to opt in to it."""
    found = {}
    for region in sorted(RegionsAndZonesBackend.regions, key=lambda r: r.name):
        if region.name.startswith(rows.FOREIGN):
            continue
        zones = sorted(z.name for z in RegionsAndZonesBackend.zones.get(region.name, []))
        if zones:
            found[region.name] = rows.region(zones, opt_in=region.name not in ALWAYS_ON)
    return found


def instance_types() -> dict[str, list[Any]]:
    """Map each type that runs our images to its row."""
    made = {name: rows.instance_type(facts) for name, facts in sorted(INSTANCE_TYPES.items())}
    return {name: row for name, row in made.items() if row}


def offerings() -> dict[str, dict[str, str]]:
    """Map each region to what its zones offer; a few of the newest regions are not in moto's lists."""
    found, types = {}, instance_types()
    for region, row in regions().items():
        zones: dict[str, set[str]] = defaultdict(set)
        for entry in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, []):
            if entry["Location"] in row["zones"]:
                zones[entry["InstanceType"]].add(entry["Location"])
        if zones:
            found[region] = rows.offerings(zones, types)
    return found


def quotas() -> dict[str, dict[str, Any]]:
    """Map each quota's code to its row."""
    return {
        code: {"service": service, "name": name, "default": default, "unit": unit, "url": url}
        for code, service, name, default, unit, url in QUOTAS
    }


def prices() -> dict[str, dict[str, Any]]:
    """Map each price's key to its row."""
    return {key: {"name": name, "usd": usd, "unit": unit, "url": url} for key, name, usd, unit, url in PRICES}


def documents(today: str) -> dict[str, dict[str, Any]]:
    """Make every document by name; the same moto gives the same, whatever the day."""
    moto = f"AWS describe calls as shipped with moto {version('moto')}"
    head = {"version": VERSION}
    return {
        "regions": {**head, "source": moto, "date": today, "regions": regions()},
        "instance_types": {**head, "source": moto, "date": today, "instance_types": instance_types()},
        "offerings": {**head, "source": moto, "date": today, "offerings": offerings()},
        "quotas": {
            **head,
            "source": "AWS documentation: defaults of a new account",
            "date": CHECKED,
            "quotas": quotas(),
        },
        "prices": {
            **head,
            "source": "AWS list prices, on demand, without taxes and free tiers; from records of its Price List API",
            "date": CHECKED,
            "region": PRICES_REGION,
            "prices": prices(),
        },
    }


if __name__ == "__main__":
    for name, document in documents(datetime.datetime.now(datetime.UTC).date().isoformat()).items():
        (TARGET / f"{name}.json").write_text(rows.written(name, document))
