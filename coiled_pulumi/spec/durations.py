"""Spans of time as people write them: `20 minutes`, `2h`, `90`, or `never`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from coiled_pulumi.spec.base import Refusal

_UNITS = {
    1: ("second", "seconds", "s"),
    60: ("minute", "minutes", "min", "m"),
    3600: ("hour", "hours", "h"),
    86400: ("day", "days", "d"),
}
_SECONDS = {word: seconds for seconds, words in _UNITS.items() for word in words}
_SPAN = re.compile(rf"([0-9]+(?:\.[0-9]+)?)(?: ?({'|'.join(_SECONDS)}))?")
#: Shorter ones would end clusters before anybody could use them; a year is longer than anybody means.
LEAST, MOST = 5, 366 * 86400
NEVER = "never"


def parse(value: object) -> int:
    """Read a span; give seconds, 0 for `never`.

    Raises:
        Refusal: it is none, or out of bounds.
    """
    if value == NEVER:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        seconds: float = value
    else:
        match = _SPAN.fullmatch(value) if isinstance(value, str) else None
        if not match:
            msg = "must be a span of time as 20 minutes, 2h or 90 (seconds), or never"
            raise Refusal(msg)
        seconds = float(match[1]) * _SECONDS[match[2] or "second"]
    if not LEAST <= seconds <= MOST:
        msg = f"must lie between {LEAST} seconds and a year"
        raise Refusal(msg, "never switches it off")
    return round(seconds)


def text(seconds: int) -> str:
    """Write a span as a file would have it, so that `parse` gives it back."""
    if not seconds:
        return NEVER
    unit = next(unit for unit in sorted(_UNITS, reverse=True) if seconds % unit == 0)
    one, many, *_ = _UNITS[unit]
    number = seconds // unit
    return f"{number} {one if number == 1 else many}"


Span = Annotated[
    int,
    BeforeValidator(parse),
    Field(validate_default=True),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": f"^({NEVER}|{_SPAN.pattern})$",
                },
                {"type": "integer", "minimum": LEAST, "maximum": MOST},
            ]
        }
    ),
]
