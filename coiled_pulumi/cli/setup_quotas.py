"""`coiled-pulumi setup aws --quotas`: show the quotas that matter, and ask AWS for more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from coiled_pulumi.cli import operate
from coiled_pulumi.cli.console import Console
from coiled_pulumi.errors import CoiledPulumiError, UsageError

if TYPE_CHECKING:
    from coiled_pulumi.ops.quota_review import Row
    from coiled_pulumi.plan.model import Workspace

#: Where any value can be asked for, as for clusters beside the file.
_CONSOLE = "https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas"


def show(console: Console, plan: Workspace | None, region: str, *, yes: bool) -> None:
    """Show the quotas; ask for each that is low, or with `yes` raise those that the workspace does not fit in."""
    from coiled_pulumi.ops import quota_review

    rows = quota_review.review(plan, region=region)
    if not console.as_json:
        console.rich().print(_table(rows))
        for row in rows:
            if row.limit is None:
                console.note(f"{row.quota.title}: not readable ({row.why}); see {row.quota.link}")
        if not any(row.low for row in rows):
            console.note(f"none is too low for the workspace file; to ask for more than that: {_CONSOLE}")
    asked = [data for row in rows if row.low and (data := _raise(console, row, region, yes=yes))]
    if console.as_json:
        console.data(
            {"version": 1, "region": region, "quotas": [_data(row) for row in rows], "requests": asked}
        )


def _raise(console: Console, row: Row, region: str, *, yes: bool) -> dict[str, Any] | None:
    from coiled_pulumi.ops import quota_review

    if row.pending is not None and row.pending >= row.suggested:
        console.note(f"{row.quota.title}: {_number(row.pending)} is asked for already ({row.status})")
        return None
    value = row.suggested if yes else _asked(console, row)
    if value is None:
        return None
    try:
        request = quota_review.ask(row, value, region=region)
    except CoiledPulumiError as error:
        console.note(f"{row.quota.title}: {error.what}; {error.hint}")
        return {"code": row.quota.code, "wanted": value, "status": "REFUSED", "link": row.quota.link}
    case = f", support case {request.case}" if request.case else ""
    wait = "; AWS may take days" if request.status in ("PENDING", "CASE_OPENED") else ""
    console.note(f"{row.quota.title}: {_number(request.wanted)} asked for, {request.status}{case}{wait}")
    return {"code": request.code, "wanted": request.wanted, "status": request.status, "link": row.quota.link}


def _asked(console: Console, row: Row) -> float | None:
    """Ask for the value; an empty answer takes the suggested one, `n` none."""
    if console.as_json or not console.interactive:
        return None
    operate.require_terminal(console)
    text = console.ask(
        f"Raise {row.quota.title} from {_number(row.limit)} to [{_number(row.suggested)}, n to skip]"
    )
    if text.lower() in ("n", "no"):
        return None
    if text and not text.isdigit():
        raise UsageError(f"not a number: {text[:20]}", "a whole number, nothing, or n")
    return float(text) if text else row.suggested


def _table(rows: tuple[Row, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, side in (
        ("quota", "left"),
        ("code", "left"),
        ("used", "right"),
        ("limit", "right"),
        ("needed", "right"),
        ("suggested", "right"),
        ("asked for", "left"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        pending = f"{_number(row.pending)} {row.status}" if row.pending is not None else ""
        limit = _number(row.limit)
        table.add_row(
            row.quota.title,
            row.quota.code,
            _number(row.used),
            f"[red]{limit}[/]" if row.low else limit,
            _number(row.needed) if row.needed else "",
            _number(row.suggested) if row.low else "",
            pending,
        )
    return table


def _number(value: float | None) -> str:
    return "?" if value is None else str(math.floor(value))


def _data(row: Row) -> dict[str, Any]:
    return {
        "code": row.quota.code,
        "title": row.quota.title,
        "unit": row.quota.unit,
        "used": row.used,
        "limit": row.limit,
        "needed": row.needed,
        "low": row.low,
        "suggested": row.suggested if row.low else None,
        "pending": row.pending,
        "status": row.status,
        "link": row.quota.link,
        "why": row.why,
    }
