"""What every part of the spec shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

from coiled_pulumi.spec.yaml12 import MAX_DIGITS

#: What to write in place of a key without a value, where leaving it out may be the opposite of what was meant.
_IF_EMPTY = {"ingress": "write [] for none, or leave the key out for its default, which opens ports"}


class Spec(BaseModel):
    """Base of the user's vocabulary: frozen, strict about types, no unknown keys.

    A default that is written in a field is contract: changing it changes what exists for people who left it out.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    @field_validator("*", mode="after")
    @classmethod
    def _is_said(cls, value: object, info: ValidationInfo) -> object:
        """Refuse a key without a value: an empty `ingress:` must not become the default, which opens ports."""
        if value is None and cls.model_fields[str(info.field_name)].default is None:
            msg = "must have a value"
            raise Refusal(msg, _IF_EMPTY.get(str(info.field_name), "leave the key out for its default"))
        return value


class Refusal(ValueError):
    """A validator's no: the constraint, and what to write instead.

    A hint that takes time to find (a near name among a thousand) is a function, called only if it is shown.
    """

    def __init__(self, what: str, hint: str | Callable[[], str] = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


def matching(pattern: str, what: str, hint: str = "") -> AfterValidator:
    """Check that a text is wholly of a pattern.

    Args:
        pattern: a regular expression.
        what: the constraint, as `must be ...`.
        hint: what to write, or where to look it up.
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Refusal(what, hint)
        return text

    return AfterValidator(check)


def unquoted(value: object) -> str:
    """Make the hint for a number that is written as text; empty for anything else."""
    if not isinstance(value, str) or not value.isdecimal() or len(value) > MAX_DIGITS:
        return ""
    return "take the quotes off" if str(int(value)) == value else f"write {int(value)}"


def suggest(words: list[str]) -> str:
    """Make the hint `did you mean a, b or c`, empty where nothing is near."""
    if not words:
        return ""
    return "did you mean " + (words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1])


@dataclass(frozen=True, slots=True)
class OnChange:
    """What the next `up` does when the value of a key changes; the docs and the JSON Schema show it."""

    effect: str

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Add the effect to the key's JSON Schema, as `x-on-change`."""
        return {**handler(core_schema), "x-on-change": self.effect}


#: Effects that several keys share.
IN_PLACE = OnChange("changes in place")
NEW_MACHINES = OnChange("replaces the scheduler; new workers get it, running ones stay")
NEW_TYPE = OnChange(
    "stops the scheduler and starts it with the new type; new workers get it, running ones stay"
)
NEW_DISK = OnChange("changes the scheduler's disk in place; new workers get it, running ones stay")
NEW_WORKERS = OnChange("new workers get it, running ones stay")
