"""What becomes of an instance whose machine ended, or is about to: the AWS side of a power-off."""

from __future__ import annotations

import math
import time
from typing import Any

from coiled_pulumi.errors import UsageError
from coiled_pulumi.local.answers import moment
from coiled_pulumi.local.machines import MACHINES
from coiled_pulumi.local.picture import NOTICES, Notice, running
from coiled_pulumi.local.timers import TIMERS

#: Who ended an instance, as AWS says it: code and sentence.
_SELF = ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
_FAULT = ("Server.InternalError", "Server.InternalError: Internal error on launch or at run time")
_SPOT = ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Spot instance termination")


def powered_off(instance_id: str) -> None:
    """Stop or terminate an instance that powered itself off, as it was told to at its launch.

    An auto scaling group ends a member that stopped.
    """
    instance = _find(instance_id)
    if instance is None:
        return
    member = getattr(instance, "autoscaling_group", None) is not None
    if member or instance.instance_initiated_shutdown_behavior == "terminate":
        _terminate(instance, _SELF)
        return
    instance.stop()
    _give_reason(instance, _SELF)


def kill(instance_id: str) -> dict[str, Any]:
    """End an instance at once, as when the machine under it breaks.

    Raises:
        UsageError: it does not run.
    """
    instance = _require(instance_id)
    MACHINES.die(instance.id)
    _terminate(instance, _FAULT)
    return {"instance": instance.id, "state": "terminated", "reason": _FAULT[0]}


def interrupt(instance_id: str, after: float) -> dict[str, Any]:
    """Take a spot instance away: its notices at once, its end after some seconds.

    A group that rebalances its capacity launches another one at once, any other group when this one is gone.

    Raises:
        UsageError: it does not run, or is not a spot instance.
    """
    instance = _require(instance_id)
    if instance.lifecycle != "spot":
        raise UsageError(
            f"{instance_id} is no spot instance, AWS takes only those away",
            "coiled-pulumi local kill INSTANCE",
        )
    if not math.isfinite(after) or after < 0:
        raise UsageError(f"{after:g} s is no time to wait", "write --after 120")
    now = time.time()
    NOTICES.given[instance.id] = notice = Notice(moment(now), moment(now + after))
    _replace_ahead(instance)
    TIMERS.at(now + after, ("interrupt", instance.id), lambda: _taken(instance))
    return {"instance": instance.id, "recommended": notice.recommended, "ends": notice.ends}


def _taken(instance: Any) -> None:
    NOTICES.given.pop(instance.id, None)
    if instance._state.name == "running":
        _terminate(instance, _SPOT)


def _terminate(instance: Any, reason: tuple[str, str]) -> None:
    backend = instance.ec2_backend
    # AWS's own end of a machine does not ask for the protection from calls.
    instance.disable_api_termination = False
    backend.terminate_instances([instance.id])
    _give_reason(instance, reason)
    _leave_group(instance)


def _leave_group(instance: Any) -> None:
    from moto.autoscaling.models import autoscaling_backends
    from moto.elbv2.models import elbv2_backends

    account, region = instance.ec2_backend.account_id, instance.ec2_backend.region_name
    autoscaling_backends[account][region].notify_terminate_instances([instance.id])
    elbv2_backends[account][region].notify_terminate_instances([instance.id])


def _give_reason(instance: Any, reason: tuple[str, str]) -> None:
    from moto.ec2.models.instances import StateReason

    instance.state_reason = StateReason(message=reason[1], code=reason[0])
    instance._reason = reason[0] if reason is not _SELF else ""


def _replace_ahead(instance: Any) -> None:
    group = getattr(instance, "autoscaling_group", None)
    if group is None or not group.capacity_rebalance:
        return
    for member in group.instance_states:
        if member.instance_id == instance.id and member.lifecycle_state == "InService":
            # No longer counted, so that the group is one short of what it should have.
            member.lifecycle_state = "Terminating"
            group.set_desired_capacity(group.desired_capacity)
            return


def _find(instance_id: str) -> Any:
    return next((one for one in running() if one.id == instance_id), None)


def _require(instance_id: str) -> Any:
    instance = _find(instance_id)
    if instance is None:
        raise UsageError(f"no instance '{instance_id[:60]}' is running", "coiled-pulumi local status --json")
    return instance
