"""Names of workspaces and clusters."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from coiled_pulumi.spec.base import Refusal
from coiled_pulumi.values import RESERVED_PREFIXES, SLUG


def check_slug(name: str) -> str:
    """Accept a name that can become part of every AWS name that we derive from it.

    Raises:
        Refusal: too long, wrong characters, or a prefix that AWS reserves.
    """
    if not SLUG.fullmatch(name):
        fixed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-")
        hint = f"did you mean '{fixed}'" if SLUG.fullmatch(fixed) and name.isascii() else ""
        msg = "must be 1 to 32 lower-case letters, digits and dashes, starting with a letter"
        raise Refusal(msg, hint)
    if name.startswith(RESERVED_PREFIXES):
        msg = "must not start with " + " or ".join(f"'{prefix}'" for prefix in RESERVED_PREFIXES)
        raise Refusal(msg, "AWS reserves such names")
    return name


Slug = Annotated[
    str,
    AfterValidator(check_slug),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}$", "maxLength": 32}),
]
