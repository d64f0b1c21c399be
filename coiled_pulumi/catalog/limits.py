"""Quotas of AWS: what an account may have without asking for more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from coiled_pulumi.catalog import files


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of AWS.

    Attributes:
        code: as L-1216C47A.
        service: service code, as ec2.
        name: AWS's own name of it.
        default: value for an account that never asked for more; new accounts may have less.
        unit: what is counted, as vCPUs.
        url: where the numbers stand.

    """

    code: str
    service: str
    name: str
    default: float
    unit: str
    url: str


#: Quotas of running instances by what the family's name starts with: on demand, spot.
#: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
_STANDARD = ("L-1216C47A", "L-34B43A08")
_BY_LETTERS = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), _STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), ("L-DB2E81BA", "L-3819A6DF")),
    "p": ("L-417A185B", "L-7212CCBC"),
    "x": ("L-7295265B", "L-E3A00192"),
}


@files.cached
def quotas() -> dict[str, Quota]:
    """Every quota that the catalog knows, by code."""
    rows = files.document("quotas")["quotas"]
    return {
        code: Quota(code, row["service"], row["name"], float(row["default"]), row["unit"], row["url"])
        for code, row in rows.items()
    }


def quota(code: str) -> Quota | None:
    """Give a quota by its code, or None for one that the catalog does not know."""
    return quotas().get(code)


def quota_of(instance_type: str, spot: bool = False) -> Quota | None:  # noqa: FBT001, FBT002 two kinds
    """Give the quota of vCPUs that instances of this type count against, or None where none is known.

    It goes by the letters before the generation's number, as AWS counts: all standard families share one quota,
    families with GPUs have their own; on demand and spot are counted apart.
    """
    letters = re.match(r"[a-z]+", instance_type)
    codes = _BY_LETTERS.get(letters[0]) if letters else None
    return quota(codes[spot]) if codes else None


def applied_quota(code: str, *, region: str, account: str) -> float | None:
    """Give the value that an account had in a region when its catalog was refreshed; None if it never was.

    Args:
        code: as L-1216C47A.
        region: as us-east-1.
        account: twelve digits; values that were read with another account's credentials don't count.

    """
    copy = files.document("quotas")
    if copy.get("account") != account:
        return None
    value = copy.get("applied", {}).get(region, {}).get(code)
    return float(value) if isinstance(value, int | float) else None
