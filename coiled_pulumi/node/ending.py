"""The end of a cluster from the node: groups to zero, a notification, and AWS as the last resort.

The dead man's switch is a scheduled action of each group that sets it to zero a while from now. As long as the
scheduler lives it is put off again and again; a scheduler that is gone puts nothing off, and AWS itself acts.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import botocore.exceptions

from coiled_pulumi.node.patience import waits

Level = Literal["info", "warning"]

ACTION: Final = "coiled-pulumi-dead-man"
#: Seconds since the scheduler's last sign of life after which it counts as gone.
ALIVE: Final = 60.0
#: Least seconds between two calls for a group, and until AWS would act: it is up to two minutes late by itself, and a
#: call that fails now and then must not end a cluster that is well.
_SHORTEST, _SOONEST = 10.0, 60.0
#: Seconds for which a refusal is nothing to speak of: the tag that gives the right comes after the machine; and how
#: often it is spoken of afterwards.
_QUIET, _TELL_EVERY = 120.0, 300.0

_REASONS: Final = {
    "idle": "idle for {idle}",
    "no_client": "no client for {no_client}",
    "lifetime": "it had run for {lifetime}",
    "shutdown": "a client shut it down",
    "lost_scheduler": "no scheduler for {lost_scheduler}",
}
_FAULTS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, OSError)


def explained(reason: str, timers: dict[str, float | None]) -> str:
    """Say why in words: `idle for 20 min`; a reason that is none of ours as it is."""
    return _REASONS.get(reason, "{}").format(
        reason, **{name: _duration(seconds or 0) for name, seconds in timers.items()}
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def to_zero(client: Callable[[], Any], groups: Iterable[str], tell: Callable[[str], None], *,
            patience: float = 60.0) -> list[str]:  # fmt: skip
    """Set groups to zero, trying for a while; give those where it did not work."""
    left = list(groups)
    deadline = time.monotonic() + patience
    for wait in waits(0.5, 8.0):
        left = [group for group in left if not _set_to_zero(client, group, tell)]
        if not left or time.monotonic() + wait > deadline:
            return left
        time.sleep(wait)
    return left


def _set_to_zero(client: Callable[[], Any], group: str, tell: Callable[[str], None]) -> bool:
    try:
        client().set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0, HonorCooldown=False)
    except _FAULTS as error:
        if _is_gone(error):
            return True
        tell(f"{group} could not be set to zero: {_said(error)}")
        return False
    tell(f"{group} is set to zero")
    return True


def notification(workspace: str, cluster: str, instance: str, level: Level, what: str, now: datetime) -> str:
    """Write a notification in the form that everybody reads who asks the workspace for what happened."""
    at = now.astimezone(UTC)
    key = "\0".join([at.isoformat(), workspace, cluster, "instance", what, instance])
    return json.dumps(
        {
            "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "workspace": workspace,
            "cluster": cluster,
            "source": "instance",
            "level": level,
            "what": what,
            "resource": instance,
            "hint": "",
            "id": hashlib.sha256(key.encode()).hexdigest()[:16],
        }
    )


class DeadMan:
    """Puts AWS's own end of the groups off, in a thread, as long as `alive` is called.

    Args:
        client: gives the client of auto scaling.
        groups: their names.
        seconds: how long the groups live without a scheduler; less than a minute counts as one.
        tell: takes a sentence for the log.
    """

    def __init__(
        self, client: Callable[[], Any], groups: list[str], seconds: float, tell: Callable[[str], None]
    ) -> None:
        self._client, self.groups, self._seconds, self._tell = client, groups, max(seconds, _SOONEST), tell
        self._alive = float("-inf")
        self._began = time.monotonic()
        self._told: dict[str, float] = {}
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead man", daemon=True)
        self._thread.start()

    def alive(self) -> None:
        """Take a sign of life."""
        self._alive = time.monotonic()
        self._woken.set()

    def stop(self) -> None:
        """Put off nothing more."""
        self._stop.set()
        self._woken.set()

    def _run(self) -> None:
        self._woken.wait()
        while not self._stop.is_set():
            if time.monotonic() - self._alive < ALIVE:
                for group in self.groups:
                    self._put_off(group)
            self._stop.wait(max(self._seconds / 5, _SHORTEST))

    def _put_off(self, group: str) -> None:
        at = datetime.now(UTC) + timedelta(seconds=self._seconds)
        try:
            self._client().put_scheduled_update_group_action(
                AutoScalingGroupName=group, ScheduledActionName=ACTION, StartTime=at, DesiredCapacity=0
            )
        except _FAULTS as error:
            now = time.monotonic()
            if now - self._began > _QUIET and now - self._told.get(group, float("-inf")) > _TELL_EVERY:
                self._told[group] = now
                self._tell(f"AWS would not end {group} by itself if this scheduler were lost: {_said(error)}")
        else:
            self._told.pop(group, None)


def _is_gone(error: Exception) -> bool:
    """Tell whether the group is no more: AWS has no code of its own for that."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return False
    return "not found" in error.response["Error"].get("Message", "").lower()


def _said(error: Exception) -> str:
    if isinstance(error, botocore.exceptions.ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return str(error)
