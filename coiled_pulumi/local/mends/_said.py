"""What a call of RunInstances said, for the mends of what moto's answer doesn't pass on to its model."""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.mends._launch import Launch


def listen() -> None:
    """Keep a call's parameters while it is carried out; the server answers one call at a time."""
    from moto.ec2.responses.instances import InstanceResponse

    inner = InstanceResponse.run_instances
    if getattr(inner, "_coiled_listens", False):
        return

    def run_instances(self: Any) -> Any:
        self.ec2_backend._coiled_said = self._get_params()
        try:
            return inner(self)
        finally:
            del self.ec2_backend._coiled_said

    run_instances._coiled_listens = True  # type: ignore[attr-defined]
    InstanceResponse.run_instances = run_instances


def said(launch: Launch, name: str) -> dict[str, Any]:
    """Give a structure that a launch names: the call's wins over the template's."""
    by_call = getattr(launch.backend, "_coiled_said", {}).get(name)
    found: dict[str, Any] = by_call or launch.template.get(name) or {}
    return found
