"""One place around moto's `run_instances`, which three mends have to change: steps before it and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Launch:
    """One call of `run_instances`, on its way to moto."""

    backend: Any
    image_id: str
    count: int
    options: dict[str, Any]
    """moto's keyword arguments, for the steps to change."""
    template: dict[str, Any] = field(default_factory=dict)
    """The launch template's data in the version asked for; empty without one."""

    def image(self) -> Any:
        """Look the image up; None when moto doesn't know it."""
        return self.backend.amis.get(self.image_id or self.template.get("ImageId", ""))


Before = Callable[[Launch], None]
After = Callable[[Launch, list[Any]], None]


def around(*, before: Before | None = None, after: After | None = None) -> None:
    """Wrap `run_instances` once more: `before` may change the launch, `after` gets the new instances."""
    from moto.ec2.models.instances import InstanceBackend

    inner = InstanceBackend.run_instances

    def run_instances(
        self: Any, image_id: str, count: int, user_data: Any, security_group_names: Any, **options: Any
    ) -> Any:
        given = options.get("launch_template")
        template = self._get_template_from_args(given).data if given else {}
        launch = Launch(self, image_id, count, options, template)
        if before is not None:
            before(launch)
        reservation = inner(self, image_id, count, user_data, security_group_names, **launch.options)
        if after is not None:
            after(launch, reservation.instances)
        return reservation

    InstanceBackend.run_instances = run_instances


def type_of(launch: Launch) -> str:
    """Give the instance type that a launch leads to: the call's wins over the template's."""
    given = launch.options.get("instance_type") or ""
    if launch.options.get("is_instance_type_default") or not given:
        given = launch.template.get("InstanceType") or given
    return str(given)


def zone_of(launch: Launch) -> str:
    """Give the zone of a launch's subnet, or the one that it names; empty where AWS would choose."""
    nics = launch.options.get("nics") or launch.template.get("NetworkInterfaces") or []
    named = launch.options.get("subnet_id") or next(
        (nic["SubnetId"] for nic in nics if nic.get("SubnetId")), None
    )
    if named:
        return str(launch.backend.get_subnet(named).availability_zone)
    return str(launch.options.get("placement") or "")
