"""Tags that users add to every resource."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from coiled_pulumi.errors import echo
from coiled_pulumi.spec.base import Refusal

#: AWS allows 50 on a resource; ten are kept for ours.
MOST = 40
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
MAX_KEY, MAX_VALUE = 128, 256
#: In lower case: IAM takes tags that differ only in case for the same one.
RESERVED = ("aws:", "coiled-pulumi:")
_PUNCTUATION = re.compile(r"[_.:/=+\-@ ]")


def _strange(text: str) -> str:
    """Give the first character that AWS does not allow in a tag, or nothing."""
    for char in text:
        if not (_PUNCTUATION.fullmatch(char) or unicodedata.category(char)[0] in "LNZ"):
            return char
    return ""


def _check_characters(text: str) -> None:
    if char := _strange(text):
        msg = f"must have letters, digits, spaces and _.:/=+-@ only, got U+{ord(char):04X}"
        raise Refusal(msg)


def check_key(key: str) -> str:
    """Accept a tag's key within AWS's limits that is not kept for AWS or for us.

    Raises:
        Refusal: too long, reserved, or a character that AWS does not allow.
    """
    if not 1 <= len(key) <= MAX_KEY:
        msg = f"must be a key of 1 to {MAX_KEY} characters, got {len(key)}"
        raise Refusal(msg)
    if key.lower().startswith(RESERVED) or key.lower() == "name":
        msg = "must be a key of your own"
        raise Refusal(msg, "Name, aws: and coiled-pulumi: are set by us and by AWS")
    _check_characters(key)
    return key


def check_value(value: str) -> str:
    """Accept a tag's value within AWS's limits.

    Raises:
        Refusal: too long, or a character that AWS does not allow.
    """
    if len(value) > MAX_VALUE:
        msg = f"must be at most {MAX_VALUE} characters, got {len(value)}"
        raise Refusal(msg)
    _check_characters(value)
    return value


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Accept tags that fit beside ours; return them sorted.

    Raises:
        Refusal: too many, or two keys that AWS may take for the same one.
    """
    if len(tags) > MOST:
        msg = f"must be at most {MOST} tags, got {len(tags)}"
        raise Refusal(msg)
    folded: dict[str, str] = {}
    for key in sorted(tags):
        if (other := folded.setdefault(key.casefold(), key)) != key:
            msg = f"must not have keys that differ only in case, got {echo(other)} and {echo(key)}"
            raise Refusal(msg)
    return dict(sorted(tags.items()))


TagKey = Annotated[str, AfterValidator(check_key)]
TagValue = Annotated[str, AfterValidator(check_value)]
Tags = Annotated[dict[TagKey, TagValue], AfterValidator(check_tags)]
