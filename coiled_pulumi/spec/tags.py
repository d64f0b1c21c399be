"""Tags that users add to every resource."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from coiled_pulumi.spec.base import Refusal

#: AWS allows 50 on a resource; ten are kept for ours.
MOST = 40
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
MAX_KEY, MAX_VALUE = 128, 256
OURS = "coiled-pulumi:"
_PUNCTUATION = re.compile(r"[_.:/=+\-@ ]")


def _strange(text: str) -> str:
    """Give the first character that AWS does not allow in a tag, or nothing."""
    for char in text:
        if not (_PUNCTUATION.fullmatch(char) or unicodedata.category(char)[0] in "LNZ"):
            return char
    return ""


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Accept tags within AWS's limits that do not collide with ours; return them sorted.

    Raises:
        Refusal: too many, too long, a reserved prefix, or a character that AWS does not allow.
    """
    if len(tags) > MOST:
        msg = f"must be at most {MOST} tags, got {len(tags)}"
        raise Refusal(msg)
    folded: dict[str, str] = {}
    for key, value in sorted(tags.items()):
        _check_tag(key, value)
        if (other := folded.setdefault(key.casefold(), key)) != key:
            msg = f"must not have keys that differ only in case, got '{other}' and '{key}'"
            raise Refusal(msg)
    return dict(sorted(tags.items()))


def _check_tag(key: str, value: str) -> None:
    short = key if len(key) <= 40 else key[:37] + "..."
    if not 1 <= len(key) <= MAX_KEY:
        msg = f"must have keys of 1 to {MAX_KEY} characters, got {len(key)}"
        raise Refusal(msg)
    if len(value) > MAX_VALUE:
        msg = f"must have values of at most {MAX_VALUE} characters, '{short}' has {len(value)}"
        raise Refusal(msg)
    if key.lower().startswith("aws:") or key.startswith(OURS) or key == "Name":
        msg = f"must not set '{short}'"
        raise Refusal(msg, "aws:, coiled-pulumi: and Name are set by AWS and by us")
    if char := _strange(key + value):
        msg = f"must have letters, digits, spaces and _.:/=+-@ only, '{short}' has U+{ord(char):04X}"
        raise Refusal(msg)


Tags = Annotated[dict[str, str], AfterValidator(check_tags)]
