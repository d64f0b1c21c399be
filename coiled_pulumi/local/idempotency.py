"""EC2's client tokens: a call repeated with its token is answered as the first time and makes nothing again.

moto ignores ClientToken. AWS keeps it for at least the life of what was made, and refuses a token that
comes back with other parameters (IdempotentParameterMismatch).
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from coiled_pulumi.local.answers import Answer, error

#: Oldest ones are forgotten; a run makes a few dozen.
_KEPT: Final = 10_000
_MISMATCH: Final = "The client token that was provided was used before with other parameters."


@dataclass(frozen=True, slots=True)
class Token:
    """What makes two calls the same one, and what they asked for."""

    key: tuple[str, ...]
    asked: str


class Tokens:
    """The answers given to calls with a token."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, ...], tuple[str, Answer]] = OrderedDict()

    def earlier(self, token: Token) -> Answer | None:
        """Look up what the same call was answered before."""
        asked, answer = self._answers.get(token.key, ("", None))
        if answer is not None and asked != token.asked:
            return error("ec2", "400 Bad Request", "IdempotentParameterMismatch", _MISMATCH)
        return answer

    def keep(self, token: Token, answer: Answer) -> None:
        """Remember an answer, if it was a success: a failed call may be tried again."""
        if answer.status.startswith("2"):
            self._answers[token.key] = (token.asked, answer)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)


def token_of(service: str, region: str, key_id: str, body: bytes) -> Token | None:
    """Read the token of a call; None for a call without one."""
    if service != "ec2" or b"ClientToken=" not in body:
        return None
    fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    named = dict(fields)
    if not named.get("ClientToken") or named.get("DryRun", "").lower() == "true":
        return None
    digest = hashlib.sha256(repr(sorted(fields)).encode()).hexdigest()
    return Token((key_id, region, named.get("Action", ""), named["ClientToken"]), digest)
