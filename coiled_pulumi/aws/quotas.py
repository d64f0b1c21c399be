"""Quotas of an account in one region: what is allowed, what is asked for already, and asking for more.

Quotas of running instances count vCPUs, per family and market.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from coiled_pulumi import catalog
from coiled_pulumi.aws import session
from coiled_pulumi.aws.discover import Machine

_CONSOLE: Final = "https://console.aws.amazon.com/servicequotas/home/services/{service}/quotas/{code}"


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota of AWS.

    Attributes:
        code: AWS's own, as `L-1216C47A`.
        title: in our words, short enough for a table.
        unit: what it counts.
        service: whose it is, as Service Quotas names it.
    """

    code: str
    title: str
    unit: str = "vCPU"
    service: str = "ec2"

    @property
    def link(self) -> str:
        """Where a person can read and raise it."""
        return _CONSOLE.format(service=self.service, code=self.code)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to raise a quota, as AWS tells of it; `case` is empty where there is no support case."""

    code: str
    wanted: float
    status: str
    case: str = ""


VPCS: Final = Quota("L-F678F1CE", "networks (VPC)", "VPC", "vpc")
ADDRESSES: Final = Quota("L-0263D0A3", "elastic addresses", "address")
NAT_GATEWAYS: Final = Quota("L-FE5A380F", "NAT gateways per zone", "gateway", "vpc")

#: What people run Dask on: shown also where a workspace needs none of them.
SHOWN: Final = (
    Quota("L-1216C47A", "standard on demand"),
    Quota("L-34B43A08", "standard spot"),
    Quota("L-DB2E81BA", "G and VT on demand"),
    Quota("L-3819A6DF", "G and VT spot"),
    Quota("L-417A185B", "P on demand"),
    Quota("L-7212CCBC", "P spot"),
)


def quota_of(instance_type: str, *, spot: bool) -> Quota | None:
    """Give the quota of vCPUs that an instance of a type counts against; None for a family that we don't know."""
    known = catalog.quota_of(instance_type, spot)
    if known is None:
        return None
    shown = {quota.code: quota for quota in SHOWN}
    return shown.get(known.code) or Quota(known.code, known.name, "vCPU", known.service)


def vcpus_of(instance_type: str) -> int:
    """Give the vCPUs of an instance type, 0 for one that the catalog does not know."""
    facts = catalog.instance_type(instance_type)
    return facts.vcpus if facts else 0


def used(machines: Iterable[Machine]) -> dict[str, int]:
    """Give the vCPUs of machines by code of the quota; families that we don't know count none."""
    found: dict[str, int] = defaultdict(int)
    for machine in machines:
        quota = quota_of(machine.instance_type, spot=machine.spot)
        if quota is not None:
            found[quota.code] += vcpus_of(machine.instance_type)
    return dict(found)


def limit(quota: Quota, *, region: str, profile: str | None = None) -> float:
    """Give what the account may use; AWS's default where Service Quotas keeps no value of the account's.

    Raises:
        CoiledPulumiError: it may not be read, or there is no such quota in this region.
    """
    client = session.client("service-quotas", region, profile)
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    with session.told():
        try:
            return float(client.get_service_quota(**asked)["Quota"]["Value"])
        except client.exceptions.NoSuchResourceException:
            return float(client.get_aws_default_service_quota(**asked)["Quota"]["Value"])


def pending(service: str, *, region: str, profile: str | None = None) -> dict[str, Request]:
    """Give the requests that AWS has not answered yet, the latest per code.

    Raises:
        CoiledPulumiError: they may not be read.
    """
    client = session.client("service-quotas", region, profile)
    found: dict[str, Request] = {}
    with session.told():
        pages = client.get_paginator("list_requested_service_quota_change_history").paginate(
            ServiceCode=service
        )
        asked = [request for page in pages for request in page["RequestedQuotas"]]
    for request in sorted(asked, key=lambda one: str(one.get("Created", ""))):
        if request["Status"] in ("PENDING", "CASE_OPENED"):
            found[request["QuotaCode"]] = _request(request)
    return found


def raise_to(quota: Quota, value: float, *, region: str, profile: str | None = None) -> Request:
    """Ask AWS for a higher value; it answers at once, or after days.

    Raises:
        CoiledPulumiError: the request was refused.
    """
    client = session.client("service-quotas", region, profile)
    with session.told():
        answer = client.request_service_quota_increase(
            ServiceCode=quota.service, QuotaCode=quota.code, DesiredValue=value
        )
    return _request(answer["RequestedQuota"])


def _request(fields: dict) -> Request:
    return Request(
        fields["QuotaCode"], float(fields["DesiredValue"]), fields["Status"], fields.get("CaseId") or ""
    )
