"""Notifications: what happened to a workspace, and those of them that AWS itself keeps.

AWS keeps the activities of auto scaling groups for six weeks, and an instance with the reason of its end for about
an hour. The rest is written by us: see `ops.notifications`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from coiled_pulumi.aws import faults, session, workers
from coiled_pulumi.aws.discover import tags_of

Source = Literal["engine", "scaling", "instance", "preflight", "cli"]
Level = Literal["info", "warning", "error"]

#: Longest text of a notification, in characters.
MAX_TEXT: Final = 2000
_PREFIX: Final = "coiled-pulumi:"
#: What looks like a key, whatever stands around it.
_KEYS: Final = re.compile(
    r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b"  # of AWS
    # A secret key of AWS with nothing around it that says so: 40 characters of all kinds, of which no word consists.
    r"|(?<![\w/+=.-])(?=[\w/+]*[a-z])(?=[\w/+]*[A-Z])(?=[\w/+]*\d)[A-Za-z0-9/+]{40}(?![\w/+=.-])"
    r"|(?<=://)[^\s/@]+:[^\s/@]+(?=@)"  # user and password in an address
    r"|\b(?:pul-[0-9a-f]{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abpr]-[\w-]{10,}|sk-[\w-]{20,})"
    r"|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"  # a token of three parts
    r"|-----BEGIN [A-Z ]*-----.*?(?:-----END [A-Z ]*-----|$)",
    re.DOTALL,
)
#: A word that says that a secret follows; its value, also in quotes, goes.
_NAMED: Final = re.compile(
    r"(?i)((?:secret|token|passphrase|password|passwd|private[_-]?key|access[_-]?key|api[_-]?key|signature|credential)"
    r"[\w-]*[\"']?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)|\b((?:Bearer|Basic)\s+)[\w.~+/=-]{8,}"
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that happened.

    Attributes:
        time: when, with its zone, which is UTC.
        workspace: its name.
        cluster: the cluster that it is about; empty for the workspace itself.
        source: who says so.
        level: how bad it is.
        what: one sentence, or several lines.
        resource: logical name or AWS id of what it happened to; may be empty.
        hint: the next step; may be empty.
        id: 16 hex digits; the same thing has the same one wherever it is read.
    """

    time: datetime
    workspace: str
    cluster: str
    source: Source
    level: Level
    what: str
    resource: str = ""
    hint: str = ""
    id: str = ""


def make(
    time: datetime, workspace: str, cluster: str, source: Source, level: Level, what: str, *,
    resource: str = "", hint: str = "", same_as: str = "",
) -> Notification:  # fmt: skip
    """Make a notification, without secrets and not longer than `MAX_TEXT`.

    Args:
        time: when.
        workspace: its name.
        cluster: name of a cluster, or empty.
        source: who says so.
        level: how bad it is.
        what: what happened.
        resource: to what.
        hint: what to do.
        same_as: what names the thing for everybody who sees it, as AWS's own id; else its time and text do.
    """
    time = time.astimezone(UTC)
    what, hint = redact(what)[:MAX_TEXT], redact(hint)[:MAX_TEXT]
    key = same_as or "\0".join([time.isoformat(), workspace, cluster, source, what, resource])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return Notification(time, workspace, cluster, source, level, what, resource, hint, digest)


def redact(text: str) -> str:
    """Take out what looks like a key, a token or a password."""
    text = _KEYS.sub("[...]", text)
    text = _NAMED.sub(lambda found: f"{found[1] or found[2]}[...]", text)
    return faults.redact(text).strip()


def to_data(notification: Notification) -> dict[str, str]:
    """Give plain values; the time as `2026-11-23T12:03:04.123456Z`."""
    time = notification.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return asdict(notification) | {"time": time}


def from_data(data: object) -> Notification | None:
    """Read plain values; None for what is no notification."""
    try:
        fields = {**data}  # type: ignore[dict-item]
        time = datetime.fromisoformat(fields.pop("time"))
        known = {key: str(fields[key]) for key in Notification.__dataclass_fields__ if key in fields}
        return Notification(time=time.astimezone(UTC), **known)  # type: ignore[arg-type]
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def live(workspace: str, region: str) -> list[Notification]:
    """Ask AWS what happened to the workspace's groups and instances; those of others are not looked at.

    Raises:
        CoiledPulumiError: AWS could not be asked.
    """
    found = [*_of_groups(workspace, region), *_of_instances(workspace, region)]
    return sorted(found, key=lambda one: (one.time, one.id))


def _of_groups(workspace: str, region: str) -> Iterator[Notification]:
    client = session.client("autoscaling", region)
    mine = [{"Name": f"tag:{_PREFIX}workspace", "Values": [workspace]}]
    with session.told():
        pages = client.get_paginator("describe_auto_scaling_groups").paginate(Filters=mine)
        groups = [group for page in pages for group in page["AutoScalingGroups"]]
    for group in groups:
        cluster = tags_of(group).get(f"{_PREFIX}cluster", "")
        with session.told():
            answer = client.describe_scaling_activities(
                AutoScalingGroupName=group["AutoScalingGroupName"], MaxRecords=100
            )
        yield from of_activities(answer["Activities"], workspace, cluster, workers.type_of(group))


def of_activities(
    told: list[Mapping[str, Any]], workspace: str, cluster: str, instance_type: str = ""
) -> Iterator[Notification]:
    """Give one notification per launch that failed, and one for all that a group did well for the same cause."""
    well: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in told:
        cause = str(one.get("Cause") or one["ActivityId"])
        verb = "started" if workers.is_launch(one) else "ended"
        well[cause, verb].append(one)
        if one["StatusCode"] in ("Failed", "Cancelled"):
            fault = workers.explained(one.get("StatusMessage") or one.get("Description") or "", instance_type)
            yield make(
                one.get("EndTime") or one["StartTime"], workspace, cluster, "scaling", "error",
                f"a worker could not be {verb}: {fault.what}",
                resource=one["AutoScalingGroupName"], hint=fault.hint, same_as=one["ActivityId"],
            )  # fmt: skip
    for (cause, verb), those in well.items():
        done = [one for one in those if one["StatusCode"] == "Successful"]
        # Its count and so its text are known once all of them have ended.
        if done and all(one["StatusCode"] in ("Successful", "Failed", "Cancelled") for one in those):
            group, what = done[0]["AutoScalingGroupName"], "worker" if len(done) == 1 else "workers"
            yield make(
                max(one.get("EndTime") or one["StartTime"] for one in done), workspace, cluster, "scaling",
                "info", f"{len(done)} {what} {verb}", resource=group,
                same_as=f"{done[0].get('AutoScalingGroupARN', group)} {cause} {verb}",
            )  # fmt: skip


def _of_instances(workspace: str, region: str) -> Iterator[Notification]:
    client = session.client("ec2", region)
    filters = [
        {"Name": f"tag:{_PREFIX}workspace", "Values": [workspace]},
        {"Name": "instance-state-name", "Values": ["shutting-down", "terminated", "stopping", "stopped"]},
    ]
    with session.told():
        pages = client.get_paginator("describe_instances").paginate(Filters=filters)
        reservations = [one for page in pages for one in page["Reservations"]]
    for instance in (one for reservation in reservations for one in reservation["Instances"]):
        if (notification := of_instance(instance, workspace, datetime.now(UTC))) is not None:
            yield notification


def of_instance(instance: Mapping[str, Any], workspace: str, now: datetime) -> Notification | None:
    """Tell why an instance ended; None where somebody's call ended it, which its caller knows."""
    reason = instance.get("StateReason") or {}
    code, said = reason.get("Code", ""), reason.get("Message", "")
    if not code or code in ("Client.UserInitiatedShutdown", "Client.UserInitiatedHibernate"):
        return None
    tags = tags_of(instance)
    role = tags.get(f"{_PREFIX}role", "instance")
    when = re.search(
        r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)", instance.get("StateTransitionReason", "")
    )
    # AWS tells the time of the end only inside this text; without it, now is nearer than the start.
    time = datetime.fromisoformat(f"{when[1]}+00:00") if when else now
    by_itself = code in ("Client.InstanceInitiatedShutdown", "Server.SpotInstanceTermination",
                         "Server.SpotInstanceShutdown", "Server.ScheduledStop")  # fmt: skip
    fault = workers.explained(said if said.startswith(code) else f"{code}: {said}")
    return make(
        time, workspace, tags.get(f"{_PREFIX}cluster", ""), "instance", "warning" if by_itself else "error",
        f"a {role} ended: {fault.what}",
        resource=instance["InstanceId"], hint=fault.hint, same_as=f"{instance['InstanceId']} {code}",
    )  # fmt: skip
