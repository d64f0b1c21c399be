"""Where the logs go and how long they stay."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from coiled_pulumi.spec.base import IN_PLACE, Refusal, Spec

#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def _check_retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        near = sorted(RETENTION_DAYS, key=lambda allowed: abs(allowed - days))[:2]
        msg = "must be a number of days that CloudWatch offers"
        raise Refusal(msg, f"the nearest are {min(near)} and {max(near)}")
    return days


Retention = Annotated[
    int, AfterValidator(_check_retention), WithJsonSchema({"type": "integer", "enum": list(RETENTION_DAYS)})
]


class Logs(Spec):
    """The CloudWatch log group of the workspace; it has the workspace's name."""

    retention_days: Annotated[Retention, IN_PLACE] = 30
    """Days after which CloudWatch deletes log events."""
