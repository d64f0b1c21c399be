"""What every part of the spec shares."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of the user's vocabulary: frozen, strict about types, no unknown keys.

    A default that is written in a field is contract: changing it changes what exists for people who left it out.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class Refusal(ValueError):
    """A validator's no: the constraint, and what to write instead.

    A hint that takes time to find (a near name among a thousand) is a function, called only if it is shown.
    """

    def __init__(self, what: str, hint: str | Callable[[], str] = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


def suggest(words: list[str]) -> str:
    """Make the hint `did you mean a, b or c`, empty where nothing is near."""
    if not words:
        return ""
    return "did you mean " + (words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1])
