"""A change of what an instance does at its shutdown changes that alone.

moto does not know the attribute and takes the call for one of security groups, of which it names none: the instance
then has no groups. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
"""

from __future__ import annotations

from typing import Any

_NAME = "InstanceInitiatedShutdownBehavior"


def apply() -> None:
    """Answer such a call before moto's own handlers see it."""
    from moto.core.responses import EmptyResult
    from moto.ec2.responses.instances import InstanceResponse

    inner = InstanceResponse.modify_instance_attribute

    def modify_instance_attribute(self: Any) -> Any:
        said = self._get_param(_NAME)
        value = said.get("Value") if isinstance(said, dict) else said or self._get_param(f"{_NAME}.Value")
        if not value:
            return inner(self)
        self.error_on_dryrun()
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        instance.instance_initiated_shutdown_behavior = value
        return EmptyResult()

    InstanceResponse.modify_instance_attribute = modify_instance_attribute
