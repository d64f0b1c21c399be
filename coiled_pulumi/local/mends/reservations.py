"""Capacity reservations exist, and a launch that names one needs room in it.

moto has none of their calls and drops what a launch says of them. AWS keeps them by id, counts what runs in them,
refuses a launch into one that isn't there, isn't active, is for another machine or is full, and shows at every
instance what it was launched with.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateCapacityReservation.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-launch.html
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from coiled_pulumi.local.mends._launch import Launch, around, type_of, zone_of
from coiled_pulumi.local.mends._said import listen, said

_LIVE: Final = frozenset({"pending", "running", "stopping", "stopped"})
#: What AWS shows of an instance that said nothing.
_OPEN: Final = {"CapacityReservationPreference": "open"}
_KEY: Final = "CapacityReservationSpecification"


def apply() -> None:
    """Give moto's EC2 the calls, and look before each launch."""
    from moto.ec2.responses import EC2Response

    EC2Response.create_capacity_reservation = _create
    EC2Response.describe_capacity_reservations = _describe
    EC2Response.cancel_capacity_reservation = _cancel
    listen()
    around(before=_check, after=_note)


def require(backend: Any, name: str) -> dict[str, Any]:
    """Give a reservation, or refuse as AWS does."""
    from moto.ec2.exceptions import EC2ClientError

    kept = _kept(backend)
    if name not in kept:
        raise EC2ClientError(
            "InvalidCapacityReservationId.NotFound", f"The capacity reservation '{name}' was not found"
        )
    return kept[name]


def target(specification: dict[str, Any]) -> str:
    """Give the id of the reservation that a launch or a template names; empty for none."""
    named = (specification.get("CapacityReservationTarget") or {}).get("CapacityReservationId")
    return str(named or "")


def _kept(backend: Any) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = backend.__dict__.setdefault("_coiled_reservations", {})
    return kept


def _check(launch: Launch) -> None:
    from moto.ec2.exceptions import EC2ClientError

    name = target(said(launch, _KEY))
    if not name:
        return
    found = require(launch.backend, name)
    wanted, zone = type_of(launch), zone_of(launch)
    if found["State"] != "active":
        raise EC2ClientError(
            "InvalidCapacityReservationState", f"The capacity reservation '{name}' is not active"
        )
    if (found["InstanceType"], found["AvailabilityZone"]) != (wanted, zone):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The capacity reservation '{name}' is for {found['InstanceType']} in {found['AvailabilityZone']}, "
            f"not for {wanted} in {zone}",
        )
    if _free(launch.backend, found) < launch.count:
        raise EC2ClientError(
            "ReservationCapacityExceeded",
            "The requested capacity exceeds the available capacity of the targeted Capacity Reservation.",
        )


def _note(launch: Launch, instances: list[Any]) -> None:
    specification = said(launch, _KEY)
    for instance in instances:
        instance.capacity_reservation_specification = specification or _OPEN
        instance.capacity_reservation_id = target(specification) or None


def _free(backend: Any, reservation: dict[str, Any]) -> int:
    name = reservation["CapacityReservationId"]
    used = sum(
        getattr(instance, "capacity_reservation_id", None) == name and instance._state.name in _LIVE
        for one in backend.reservations.values()
        for instance in one.instances
    )
    return int(reservation["TotalInstanceCount"]) - used


def _create(response: Any) -> Any:
    from moto.core.responses import ActionResult
    from moto.core.utils import utcnow

    response.error_on_dryrun()
    name = f"cr-{secrets.token_hex(9)[:17]}"
    zone = response._get_param("AvailabilityZone")
    now = utcnow()
    _kept(response.ec2_backend)[name] = {
        "CapacityReservationId": name,
        "CapacityReservationArn": f"arn:aws:ec2:{response.region}:{response.current_account}:"
        f"capacity-reservation/{name}",
        "OwnerId": response.current_account,
        "InstanceType": response._get_param("InstanceType"),
        "InstancePlatform": response._get_param("InstancePlatform"),
        "AvailabilityZone": zone,
        "Tenancy": "default",
        "TotalInstanceCount": response._get_int_param("InstanceCount"),
        "EbsOptimized": False,
        "EphemeralStorage": False,
        "State": "active",
        "StartDate": now,
        "CreateDate": now,
        "EndDateType": response._get_param("EndDateType", "unlimited"),
        "InstanceMatchCriteria": response._get_param("InstanceMatchCriteria", "open"),
    }
    tags = response._parse_tag_specification().get("capacity-reservation", {})
    response.ec2_backend.create_tags([name], tags)
    return ActionResult({"CapacityReservation": _shown(response, name)})


def _describe(response: Any) -> Any:
    from moto.core.responses import ActionResult

    ids = response._get_param("CapacityReservationIds", [])
    for name in ids:
        require(response.ec2_backend, name)
    found = [_shown(response, name) for name in _kept(response.ec2_backend) if not ids or name in ids]
    filters = response._filters_from_querystring()
    return ActionResult({"CapacityReservations": [one for one in found if _fits(one, filters)]})


def _cancel(response: Any) -> Any:
    from moto.core.responses import ActionResult

    response.error_on_dryrun()
    require(response.ec2_backend, response._get_param("CapacityReservationId"))["State"] = "cancelled"
    return ActionResult({"Return": True})


def _shown(response: Any, name: str) -> dict[str, Any]:
    backend = response.ec2_backend
    found = _kept(backend)[name]
    tags = backend.tags.get(name, {})
    return found | {
        "AvailableInstanceCount": _free(backend, found),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


#: AWS's filters by what they look at.
_FILTERS: Final = {
    "instance-type": "InstanceType",
    "availability-zone": "AvailabilityZone",
    "state": "State",
    "instance-match-criteria": "InstanceMatchCriteria",
}


def _fits(reservation: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in reservation["Tags"]}
    for name, values in filters.items():
        if name == "tag-key":
            if not set(values) & tags.keys():
                return False
        else:
            value = tags.get(name[4:]) if name.startswith("tag:") else reservation.get(_FILTERS.get(name, ""))
            if value not in values:
                return False
    return True
