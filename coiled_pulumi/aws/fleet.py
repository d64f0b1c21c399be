"""The auto scaling groups of a cluster's workers at run time: looked at, given another size, members taken out."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from coiled_pulumi.aws import session

#: Names in one question; AWS takes no more than 100 groups per page, and as many ids of instances are enough.
_PAGE: Final = 100
#: Members that are taken out before anybody else has a turn, and how many calls run at once.
BATCH, _AT_ONCE = 20, 4
#: Between two tries of what AWS throttled, in seconds, and for how long; boto3 has tried each call six times by then.
_PAUSE, PATIENCE = (1.0, 4.0), 180.0
_THROTTLED: Final = ("Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown")
#: AWS's words for an id that is no member, and for a group that is not there.
_NO_MEMBER: Final = ("not found", "not in auto scaling group", "no managed instance")


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of a group; `state` is AWS's own, as `Pending`, `InService` or `Terminating:Wait`."""

    id: str
    state: str

    @property
    def stays(self) -> bool:
        """Whether it is not on its way out."""
        return not self.state.startswith(("Terminat", "Detach"))


@dataclass(frozen=True, slots=True)
class Fleet:
    """A group at one moment."""

    name: str
    desired: int
    most: int
    members: tuple[Member, ...]

    @property
    def staying(self) -> tuple[str, ...]:
        """Ids of the instances that are there or on their way in."""
        return tuple(one.id for one in self.members if one.stays)


def look(names: Iterable[str], region: str) -> dict[str, Fleet]:
    """Give groups by name, those that exist.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    client, asked = session.client("autoscaling", region), sorted(set(names))
    found = {}
    for first in range(0, len(asked), _PAGE):
        with session.told():
            answer = client.describe_auto_scaling_groups(
                AutoScalingGroupNames=asked[first : first + _PAGE], MaxRecords=_PAGE
            )
        for group in answer["AutoScalingGroups"]:
            members = (Member(one["InstanceId"], one["LifecycleState"]) for one in group.get("Instances", ()))
            name = group["AutoScalingGroupName"]
            found[name] = Fleet(name, group["DesiredCapacity"], group["MaxSize"], tuple(members))
    return found


def resize(name: str, size: int, region: str) -> None:
    """Have a group bring itself to a size, at once.

    Raises:
        CoiledPulumiError: AWS refused: there is no such group, or it may not have as many.
    """
    with session.told():
        session.client("autoscaling", region).set_desired_capacity(
            AutoScalingGroupName=name, DesiredCapacity=size, HonorCooldown=False
        )


def empty(names: Iterable[str], region: str) -> None:
    """Have groups end all their instances; those that are gone are passed over.

    Raises:
        CoiledPulumiError: AWS refused.
    """
    there = look(names, region)
    for name, fleet in there.items():
        if fleet.desired:
            resize(name, 0, region)


def release(
    name: str,
    instances: Iterable[str],
    region: str,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """End members of a group, which wants one less for each of them; give those that were members no more.

    For these the group has started others, or is about to: whoever wants fewer has to say so.

    Args:
        name: of the group.
        instances: ids of its members.
        region: where it is.
        pause: waits so many seconds.
        clock: seconds from any fixed point.

    Raises:
        CoiledPulumiError: AWS refused, or throttled for too long; the members that were taken out by then are.
    """
    client = session.client("autoscaling", region)
    left, missing = list(dict.fromkeys(instances)), []
    until = clock() + PATIENCE
    while left:
        there = look([name], region).get(name)
        members = set(there.staying if there else ())
        missing += [one for one in left if one not in members]
        left = [one for one in left if one in members]
        throttled = []
        for first in range(0, len(left), BATCH):
            batch = left[first : first + BATCH]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                ended = dict(zip(batch, pool.map(lambda one: _release(client, one), batch), strict=True))
            missing += [one for one, how in ended.items() if how == "missing"]
            throttled = [one for one, how in ended.items() if how == "throttled"]
            if throttled:
                throttled += left[first + BATCH :]
                break
        if throttled and clock() > until:
            _terminate(client, throttled[0])  # for AWS's own words
        left = throttled
        if left:
            pause(random.uniform(*_PAUSE))  # noqa: S311 no secret
    return tuple(missing)


def _release(client: Any, instance: str) -> str:
    from botocore.exceptions import ClientError

    with session.told():
        try:
            _call(client, instance)
        except ClientError as error:
            detail: Mapping[str, str] = error.response.get("Error", {})
            code, message = str(detail.get("Code")), str(detail.get("Message")).lower()
            if any(word in code for word in _THROTTLED):
                return "throttled"
            if code == "ValidationError" and any(words in message for words in _NO_MEMBER):
                return "missing"
            raise
    return "ended"


def _terminate(client: Any, instance: str) -> None:
    with session.told():
        _call(client, instance)


def _call(client: Any, instance: str) -> None:
    client.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
