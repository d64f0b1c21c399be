"""A group takes only a template that can be launched.

moto makes a group from any template and fails afterwards or not at all. AWS tries the template out first and
refuses the group when a key pair, a placement group or a capacity reservation that it names isn't there.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ts-as-launch-template.html
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.mends import keys, placement, reservations


def apply() -> None:
    """Look whenever a group gets a template."""
    from moto.autoscaling.models import FakeAutoScalingGroup

    take = FakeAutoScalingGroup._set_launch_configuration

    def set_launch_configuration(self: Any, *args: Any, **options: Any) -> None:
        take(self, *args, **options)
        if self.ec2_launch_template is not None:
            _check(self.ec2_backend, self.ec2_launch_template.get_version(self.launch_template_version).data)

    FakeAutoScalingGroup._set_launch_configuration = set_launch_configuration


def _check(backend: Any, template: dict[str, Any]) -> None:
    from moto.autoscaling.exceptions import ValidationError
    from moto.core.exceptions import ServiceException

    reservation = reservations.target(template.get("CapacityReservationSpecification") or {})
    try:
        keys.require(backend, template.get("KeyName") or "")
        placement.require(backend, (template.get("Placement") or {}).get("GroupName") or "")
        if reservation:
            reservations.require(backend, reservation)
    except ServiceException as err:
        text = f"You must use a valid fully-formed launch template. {err.message}"
        raise ValidationError(text) from None
