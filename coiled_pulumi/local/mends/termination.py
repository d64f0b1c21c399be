"""A terminated instance leaves nothing behind.

moto keeps the primary network interface and its address for ever unless the call asked otherwise, so that
a group that scales up and down eats its subnet up, and an elastic address stays tied to it. AWS deletes
an interface that was made for the launch together with the instance unless told not to, unties elastic
addresses, and shows no network at a terminated instance.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
"""

from __future__ import annotations

import copy
from typing import Any

from coiled_pulumi.local.mends._launch import Launch, around


def apply() -> None:
    """Mark the interfaces at launch and untie addresses at the end."""
    from moto.ec2.models.instances import Instance

    around(after=_mark)
    terminate = Instance.terminate

    def ended(self: Any) -> Any:
        if self._state.name == "terminated":  # twice is once
            return copy.copy(self._state)
        held = set(self.nics.values())
        for address in self.ec2_backend.addresses:
            if address.eni in held:
                address.eni = address.instance = address.association_id = None
        previous = terminate(self)
        for nic in held:
            if nic.id in self.ec2_backend.enis:  # it outlives the instance
                self.detach_eni(nic)
        self.nics, self._subnet_id, self.security_groups = {}, None, []
        return previous

    Instance.terminate = ended
    for name in ("private_ip", "private_ip_address", "public_ip", "public_ip_address", "private_dns_name"):
        _only_with_network(Instance, name)


def _only_with_network(kind: Any, name: str) -> None:
    """Answer None for an instance that has no network left; moto would look at its first interface."""
    inner = getattr(kind, name).fget
    setattr(kind, name, property(lambda self: inner(self) if self.nics else None))


def _mark(launch: Launch, instances: list[Any]) -> None:
    said = {int(nic.get("DeviceIndex") or 0): nic for nic in launch.options.get("nics") or []}
    for instance in instances:
        for index, nic in instance.nics.items():
            spec = said.get(index, {})
            if "NetworkInterfaceId" not in spec and spec.get("DeleteOnTermination") is not False:
                nic.delete_on_termination = True
