"""What the local account may have, and what AWS has none of at the moment: the memory behind two mends.

Kept in the server's process and gone with it. The account is a grown one: every quota that a run of ours meets is
high, so that only who lowers one is stopped by it. AWS's own defaults stand beside.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Final, Literal

Market = Literal["on-demand", "spot"]


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of AWS.

    Attributes:
        service: service code, as ec2.
        name: AWS's own name of it.
        default: AWS's value for a new account.
        here: the local account's value, until another is set.
        adjustable: whether AWS raises it when asked.
    """

    service: str
    name: str
    default: float
    here: float
    adjustable: bool = True


_STANDARD: Final = "Standard (A, C, D, H, I, M, R, T, Z)"
#: By code.
QUOTAS: Final[dict[str, Quota]] = {
    "L-1216C47A": Quota("ec2", f"Running On-Demand {_STANDARD} instances", 5, 100_000),
    "L-DB2E81BA": Quota("ec2", "Running On-Demand G and VT instances", 0, 10_000),
    "L-417A185B": Quota("ec2", "Running On-Demand P instances", 0, 10_000),
    "L-7295265B": Quota("ec2", "Running On-Demand X instances", 0, 10_000),
    "L-1945791B": Quota("ec2", "Running On-Demand Inf instances", 0, 10_000),
    "L-2C3B7624": Quota("ec2", "Running On-Demand Trn instances", 0, 10_000),
    "L-74FC7D96": Quota("ec2", "Running On-Demand F instances", 0, 10_000),
    "L-34B43A08": Quota("ec2", f"All {_STANDARD} Spot Instance Requests", 5, 100_000),
    "L-3819A6DF": Quota("ec2", "All G and VT Spot Instance Requests", 0, 10_000),
    "L-7212CCBC": Quota("ec2", "All P4, P3 and P2 Spot Instance Requests", 0, 10_000),
    "L-C4BD4855": Quota("ec2", "All P5 Spot Instance Requests", 0, 10_000),
    "L-E3A00192": Quota("ec2", "All X Spot Instance Requests", 0, 10_000),
    "L-B5D1601B": Quota("ec2", "All Inf Spot Instance Requests", 0, 10_000),
    "L-6B0D517C": Quota("ec2", "All Trn Spot Instance Requests", 0, 10_000),
    "L-88CF9481": Quota("ec2", "All F Spot Instance Requests", 0, 10_000),
    "L-0263D0A3": Quota("ec2", "EC2-VPC Elastic IPs", 5, 5_000),
    "L-F678F1CE": Quota("vpc", "VPCs per Region", 5, 5_000),
    "L-A4707A72": Quota("vpc", "Internet gateways per Region", 5, 5_000),
    "L-FE5A380F": Quota("vpc", "NAT gateways per Availability Zone", 5, 5_000),
    "L-407747CB": Quota("vpc", "Subnets per VPC", 200, 200),
    "L-589F43AA": Quota("vpc", "Route tables per VPC", 200, 200),
    "L-E79EC296": Quota("vpc", "VPC security groups per Region", 2_500, 10_000),
    "L-0EA8095F": Quota("vpc", "Inbound or outbound rules per security group", 60, 1_000),
    "L-DF5E4CA3": Quota("vpc", "Network interfaces per Region", 5_000, 100_000),
    "L-CDE20ADC": Quota("autoscaling", "Auto Scaling groups per region", 500, 5_000),
    "L-7A658B76": Quota("ebs", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50, 5_000),
    "L-FE177D64": Quota("iam", "Roles per account", 1_000, 1_000),
    "L-6E65F664": Quota("iam", "Instance profiles per account", 1_000, 1_000),
}
#: Services by their code, with the name that AWS shows.
SERVICES: Final = {
    "autoscaling": "Amazon EC2 Auto Scaling",
    "ebs": "Amazon Elastic Block Store (Amazon EBS)",
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "iam": "AWS Identity and Access Management (IAM)",
    "vpc": "Amazon Virtual Private Cloud (Amazon VPC)",
}
#: Quotas of vCPUs, on demand and spot, by the letters that a type begins with; all others are standard families.
_FAMILIES: Final = {
    "f": ("L-74FC7D96", "L-88CF9481"),
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "gr": ("L-DB2E81BA", "L-3819A6DF"),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "vt": ("L-DB2E81BA", "L-3819A6DF"),
    "x": ("L-7295265B", "L-E3A00192"),
}


def quota_of(instance_type: str, market: Market) -> str:
    """Give the code of the quota that instances of a type count against."""
    if market == "spot" and instance_type.startswith("p5"):
        return "L-C4BD4855"
    letters = re.match(r"[a-z]*", instance_type)
    codes = _FAMILIES.get(letters[0] if letters else "", ("L-1216C47A", "L-34B43A08"))
    return codes[market == "spot"]


@dataclass(slots=True)
class Request:
    """A wish for more.

    Attributes:
        request_id: as AWS gives one.
        region: where.
        code: of the quota.
        value: what is wished for.
        status: `PENDING` until somebody approves it.
        created: seconds since the epoch.
    """

    request_id: str
    region: str
    code: str
    value: float
    status: Literal["PENDING", "APPROVED"] = "PENDING"
    created: float = 0.0


@dataclass(slots=True)
class Limits:
    """The present limits; the server answers one call at a time, so nothing here is locked."""

    values: dict[tuple[str, str], float] = field(default_factory=dict)
    """What was set, by region and code."""
    requests: dict[str, Request] = field(default_factory=dict)
    """By id, in the order in which they came."""
    shortages: set[tuple[str, str]] = field(default_factory=set)
    """Instance types and zones of which AWS has none now."""

    def value(self, region: str, code: str) -> float:
        """Give the applied value of a quota."""
        return self.values.get((region, code), QUOTAS[code].here)

    def ask(self, region: str, code: str, value: float) -> Request:
        """Note a wish for more; it stays pending."""
        request = Request(secrets.token_hex(16), region, code, value, created=time.time())
        self.requests[request.request_id] = request
        return request

    def approve(self, request_id: str) -> Request:
        """Apply a pending request; one that was applied before stays as it is.

        Raises:
            KeyError: nobody asked for it.
        """
        request = self.requests[request_id]
        if request.status == "PENDING":
            request.status = "APPROVED"
            self.values[request.region, request.code] = request.value
        return request


#: The one of this process.
LIMITS: Final = Limits()
