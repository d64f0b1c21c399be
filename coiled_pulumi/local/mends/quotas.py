"""Quotas are there: Service Quotas tells them, takes wishes for more, and what goes beyond them is refused.

moto knows the defaults of the `vpc` service and no others, has two of the calls, and limits nothing. AWS counts
the vCPUs of running instances per family and market, VPCs, elastic addresses and internet gateways per region:
RunInstances beyond it is refused with VcpuLimitExceeded or MaxSpotInstanceCountExceeded, and an auto scaling
group launches what still fits and notes a failed activity. A wish for more stays pending until it is approved
(`coiled-pulumi local approve`).
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from coiled_pulumi.local.limits import LIMITS, QUOTAS, SERVICES, Market, Request, quota_of
from coiled_pulumi.local.mends._launch import Launch, around, type_of
from coiled_pulumi.local.mends.mixed import on_demand_of

#: Longest page that Service Quotas gives.
_PAGE: Final = 100
_VCPUS: Final = (
    "You have requested more vCPU capacity than your current vCPU limit of {limit:.0f} allows for the instance bucket "
    "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
    "request an adjustment to this limit."
)
_SPOT: Final = "Max spot instance count exceeded"
#: States of instances that count.
_COUNTED: Final = frozenset({"pending", "running"})


def apply() -> None:
    """Give moto's Service Quotas its calls, and count before anything is made."""
    from moto.autoscaling.models import FakeAutoScalingGroup
    from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
    from moto.ec2.models.internet_gateways import InternetGatewayBackend
    from moto.ec2.models.vpcs import VPCBackend
    from moto.servicequotas.responses import ServiceQuotasResponse

    for name, call in _CALLS.items():
        setattr(ServiceQuotasResponse, name, call)
    around(before=_check_launch)
    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances

    def replace(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        _launch_what_fits(self, count_needed, propagated_tags, launch)

    FakeAutoScalingGroup.replace_autoscaling_group_instances = replace
    _bound(VPCBackend, "create_vpc", "L-F678F1CE", _vpcs, "VpcLimitExceeded", "VPCs")
    _bound(
        ElasticAddressBackend,
        "allocate_address",
        "L-0263D0A3",
        _addresses,
        "AddressLimitExceeded",
        "addresses",
    )
    _bound(
        InternetGatewayBackend,
        "create_internet_gateway",
        "L-A4707A72",
        _gateways,
        "InternetGatewayLimitExceeded",
        "internet gateways",
    )


def relaunch() -> None:
    """Have every group launch what it could not: AWS tries again by itself, after a while."""
    from moto.autoscaling.models import autoscaling_backends

    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.autoscaling_groups.values()):
                group.set_desired_capacity(group.desired_capacity)


def _vpcs(backend: Any) -> int:
    return len(backend.vpcs)


def _addresses(backend: Any) -> int:
    return len(backend.addresses)


def _gateways(backend: Any) -> int:
    return len(backend.internet_gateways)


def _bound(owner: Any, method: str, quota: str, count: Callable[[Any], int], code: str, things: str) -> None:
    """Refuse a call of moto's that would go beyond a quota."""
    make = getattr(owner, method)

    def bounded(self: Any, *args: Any, **options: Any) -> Any:
        from moto.ec2.exceptions import EC2ClientError

        # The default VPC is there before anybody asks for one.
        if not options.get("is_default") and count(self) >= LIMITS.value(self.region_name, quota):
            raise EC2ClientError(code, f"The maximum number of {things} has been reached.")
        return make(self, *args, **options)

    setattr(owner, method, bounded)


def _check_launch(launch: Launch) -> None:
    wanted, market = type_of(launch), _settle_market(launch)
    if launch.count * _vcpus(wanted) > _room(launch.backend, wanted, market):
        raise _refusal(launch.backend.region_name, wanted, market)


def _settle_market(launch: Launch) -> Market:
    """Give the market of a launch (the group's share, the call's or the template's), and have moto mark it."""
    asked = launch.options.get("instance_market_options") or launch.template.get(
        "InstanceMarketOptions", {}
    ).get("MarketType")
    market: Market = getattr(launch.backend, "_coiled_market", None) or (
        "spot" if asked == "spot" else "on-demand"
    )
    launch.options["instance_market_options"] = "spot" if market == "spot" else None
    return market


def _refusal(region: str, wanted: str, market: Market) -> Any:
    from moto.ec2.exceptions import EC2ClientError

    if market == "spot":
        return EC2ClientError("MaxSpotInstanceCountExceeded", _SPOT)
    limit = LIMITS.value(region, quota_of(wanted, market))
    return EC2ClientError("VcpuLimitExceeded", _VCPUS.format(limit=limit))


def _vcpus(instance_type: str) -> int:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return int(INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 0))


def _room(backend: Any, instance_type: str, market: Market) -> float:
    """Give the vCPUs that are left for a type."""
    code = quota_of(instance_type, market)
    used = sum(
        _vcpus(instance.instance_type)
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance._state.name in _COUNTED
        and (instance.lifecycle == "spot") == (market == "spot")
        and quota_of(instance.instance_type, market) == code
    )
    return LIMITS.value(backend.region_name, code) - used


def _launch_what_fits(group: Any, count: int, tags: dict[str, str], launch: Any) -> None:
    from coiled_pulumi.local.mends.activities import note

    wanted = group.instance_type
    for market, share in _markets(group, count):
        each = _vcpus(wanted)
        room = _room(group.ec2_backend, wanted, market)
        fitting = min(share, max(0, int(room // each))) if each else share
        if fitting:
            # For the launch within: a template of a mixed group does not say what is spot.
            group.ec2_backend._coiled_market = market
            try:
                launch(group, fitting, dict(tags))
            finally:
                del group.ec2_backend._coiled_market
        if fitting < share:
            reason = f"{_refusal(group.region, wanted, market).message} Launching EC2 instance failed."
            note(
                group,
                f"Launching a new EC2 instance. Status Reason: {reason}",
                status="Failed",
                reason=reason,
            )


def _markets(group: Any, count: int) -> Iterator[tuple[Market, int]]:
    """Split a launch into on demand and spot, as the group's policy or its template says."""
    if not group.mixed_instances_policy:
        template = group.ec2_launch_template
        data = template.get_version(group.launch_template_version).data if template else {}
        spot = data.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        yield ("spot" if spot else "on-demand"), count
        return
    there = [state.instance.lifecycle for state in group.instance_states]
    missing = on_demand_of(group, len(there) + count) - sum(lifecycle != "spot" for lifecycle in there)
    on_demand = min(count, max(0, missing))
    for market, part in (("on-demand", on_demand), ("spot", count - on_demand)):
        if part:
            yield market, part


# The calls of Service Quotas.


def _asked(response: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(response.body or "{}")
    return fields


def _error(code: str, text: str) -> Exception:
    from moto.core.exceptions import JsonRESTError

    error: Any = JsonRESTError(code, text)
    return error


def _require(fields: dict[str, Any]) -> str:
    """Give the code of the quota that a call names."""
    code = fields.get("QuotaCode", "")
    if code not in QUOTAS or QUOTAS[code].service != fields.get("ServiceCode"):
        raise _error(
            "NoSuchResourceException", "The request failed because the specified quota does not exist."
        )
    return str(code)


def _quota(response: Any, code: str, value: float) -> dict[str, Any]:
    quota = QUOTAS[code]
    return {
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service],
        "QuotaArn": _arn(response, code),
        "QuotaCode": code,
        "QuotaName": quota.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": quota.adjustable,
        "GlobalQuota": quota.service == "iam",
    }


def _arn(response: Any, code: str) -> str:
    return f"arn:aws:servicequotas:{response.region}:{response.current_account}:{QUOTAS[code].service}/{code}"


def _pages(response: Any, key: str, rows: list[dict[str, Any]]) -> str:
    fields = _asked(response)
    start, size = int(fields.get("NextToken") or 0), int(fields.get("MaxResults") or _PAGE)
    answer: dict[str, Any] = {key: rows[start : start + size]}
    if start + size < len(rows):
        answer["NextToken"] = str(start + size)
    return json.dumps(answer)


def _of_service(response: Any) -> list[str]:
    service = _asked(response).get("ServiceCode")
    if service not in SERVICES:
        raise _error(
            "NoSuchResourceException", "The request failed because the specified service does not exist."
        )
    return [code for code, quota in QUOTAS.items() if quota.service == service]


def _list_quotas(response: Any) -> str:
    rows = [_quota(response, code, LIMITS.value(response.region, code)) for code in _of_service(response)]
    return _pages(response, "Quotas", rows)


def _list_defaults(response: Any) -> str:
    return _pages(
        response, "Quotas", [_quota(response, code, QUOTAS[code].default) for code in _of_service(response)]
    )


def _get_quota(response: Any) -> str:
    code = _require(_asked(response))
    return json.dumps({"Quota": _quota(response, code, LIMITS.value(response.region, code))})


def _get_default(response: Any) -> str:
    code = _require(_asked(response))
    return json.dumps({"Quota": _quota(response, code, QUOTAS[code].default)})


def _list_services(response: Any) -> str:
    rows = [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]
    return _pages(response, "Services", rows)


def _increase(response: Any) -> str:
    fields = _asked(response)
    code, value = _require(fields), float(fields.get("DesiredValue") or 0)
    if value <= LIMITS.value(response.region, code):
        raise _error(
            "IllegalArgumentException",
            "You must provide a quota value greater than the current quota value.",
        )
    if any(
        (one.region, one.code, one.status) == (response.region, code, "PENDING")
        for one in LIMITS.requests.values()
    ):
        raise _error(
            "ResourceAlreadyExistsException",
            "Only one open service quota increase request is allowed per quota.",
        )
    return json.dumps({"RequestedQuota": _request(response, LIMITS.ask(response.region, code, value))})


def _history(response: Any) -> str:
    fields = _asked(response)
    if "QuotaCode" in fields:
        _require(fields)
    rows = [
        _request(response, one)
        for one in LIMITS.requests.values()
        if one.region == response.region
        and fields.get("ServiceCode") in (None, QUOTAS[one.code].service)
        and fields.get("QuotaCode") in (None, one.code)
        and fields.get("Status") in (None, one.status)
    ]
    return _pages(response, "RequestedQuotas", rows)


def _get_request(response: Any) -> str:
    request = LIMITS.requests.get(_asked(response).get("RequestId", ""))
    if request is None:
        raise _error(
            "NoSuchResourceException", "The request failed because the specified request does not exist."
        )
    return json.dumps({"RequestedQuota": _request(response, request)})


def _request(response: Any, request: Request) -> dict[str, Any]:
    shown = _quota(response, request.code, request.value)
    kept = ("ServiceCode", "ServiceName", "QuotaArn", "QuotaCode", "QuotaName", "Unit", "GlobalQuota")
    return {name: shown[name] for name in kept} | {
        "Id": request.request_id,
        "DesiredValue": request.value,
        "Status": request.status,
        "Created": round(request.created, 3),
        "LastUpdated": round(request.created, 3),
        "Requester": json.dumps({"accountId": response.current_account}),
    }


_CALLS: Final[dict[str, Callable[[Any], str]]] = {
    "list_services": _list_services,
    "list_service_quotas": _list_quotas,
    "get_service_quota": _get_quota,
    "list_aws_default_service_quotas": _list_defaults,
    "get_aws_default_service_quota": _get_default,
    "request_service_quota_increase": _increase,
    "get_requested_service_quota_change": _get_request,
    "list_requested_service_quota_change_history": _history,
    "list_requested_service_quota_change_history_by_quota": _history,
}
