"""An instance that forwards: its source and destination check is its interface's, and a route through it shows both.

moto keeps the check of an instance apart from that of its primary interface, so that one stays on when the other is
switched off, and shows a route to an interface without the instance behind it. AWS has one check, and shows the
instance and its owner in the route.
https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Have the interface keep the check, and the route look its instance up."""
    from moto.ec2.models.instances import Instance
    from moto.ec2.models.route_tables import Route

    Instance.source_dest_check = property(_check, _set_check)
    Route.instance_id = property(lambda self: found.id if (found := _behind(self)) else None)
    Route.instance_owner_id = property(lambda self: found.owner_id if (found := _behind(self)) else None)


def _primary(instance: Any) -> Any:
    return getattr(instance, "nics", {}).get(0)


def _check(instance: Any) -> bool:
    primary = _primary(instance)
    return True if primary is None else bool(primary.source_dest_check)


def _set_check(instance: Any, value: Any) -> None:
    # moto sets the default before there is an interface, which has the same.
    primary = _primary(instance)
    if primary is not None:
        primary.source_dest_check = str(value).lower() == "true"


def _behind(route: Any) -> Any:
    """Give the instance that a route leads to, by itself or by its interface."""
    return route.instance or (route.interface.instance if route.interface else None)
