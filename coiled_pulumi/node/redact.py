"""Takes secrets out of what the machine writes, before anything leaves it.

What counts as a secret among the variables that a user sets (`environ`):

- a value shorter than 6 characters never does, nor does a word for yes and no: they would blot out half of the text;
- where the name says so (token, password, key, ...), every other value does;
- else a value does unless it is plain: a number, a path or a list of paths, an address without a user in it, or up to
  24 characters that read as words and versions (`us-east-1`, `python3.12`, `m5.large`, `production`).

Each line of a value of several lines counts by itself, because logs are shipped line by line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

#: Shorter values are no secrets, in characters.
SHORTEST: Final = 6
#: Stands where a secret stood.
GONE: Final = "[...]"
#: A private key that does not end is taken for ended after so many lines: 16,384 bits have 199.
_KEY_LINES: Final = 250

_TELLING: Final = re.compile(
    r"secret|token|passw|passphrase|pwd|key|credential|auth|private|signature|session|cookie|dsn|salt|hash|cert",
    re.IGNORECASE,
)
_COMMON: Final = frozenset(
    {"true", "false", "enabled", "disabled", "default", "always", "production", "localhost"}
)
_NUMBER: Final = re.compile(r"[+-]?[\d.,_]+([eE][+-]?\d+)?[A-Za-z%]{0,3}")
_PATHS: Final = re.compile(r"(?:[~.]{0,2}/[\w.+@ /-]*)(?::[~.]{0,2}/[\w.+@ /-]*)*")
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[\w.-]+(?::\d+)?(?:/[\w./-]*)?")
#: Pieces of letters, of up to 4 digits, or of letters before digits.
_WORDS: Final = re.compile(
    r"(?=.{1,24}$)(?:[A-Za-z]+\d{0,4}|\d{1,4})(?:[ ._:,=/-](?:[A-Za-z]+\d{0,4}|\d{1,4}))*"
)

#: Ids of AWS's keys, user and password in an address, and private keys that stand in one line, as JSON has them.
_SHAPES: Final = (
    r"://[^\s/@]+@|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.+?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
)
_BEGIN: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*$")
_FRAME: Final = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
_END: Final = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


def secrets_of(environ: Mapping[str, str]) -> set[str]:
    """Choose the values that must not be seen, by the rule of this module."""
    return {value for name, value in environ.items() if _is_secret(name, value)}


def _is_secret(name: str, value: str) -> bool:
    if len(value) < SHORTEST or value.lower() in _COMMON:
        return False
    if _TELLING.search(name):
        return True
    return not any(plain.fullmatch(value) for plain in (_NUMBER, _PATHS, _ADDRESS, _WORDS))


class Redactor:
    """Knows all secrets; one compiled pattern finds them in one pass.

    Secrets may come at any time and from any thread: `add` puts a whole new pattern into place.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._find = re.compile(_SHAPES)
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Take more secrets along; those shorter than `SHORTEST` are left out."""
        new = frozenset(form for secret in secrets for form in _forms(secret))
        if new <= self._known:
            return
        self._known |= new
        # The longest first, so that a secret that begins another one leaves no rest of it.
        literal = [re.escape(one) for one in sorted(self._known, key=lambda one: (-len(one), one))]
        self._find = re.compile("|".join([*literal, _SHAPES]))

    def text(self, text: str) -> str:
        """Take secrets out of a text, in which a private key may take several lines."""
        return "\n".join(self.follow()(text.split("\n")))

    def follow(self) -> Callable[[list[str]], list[str]]:
        """Give what redacts the lines of one stream, and remembers a private key that goes on in the next call."""
        left = 0

        def lines(given: list[str]) -> list[str]:
            nonlocal left
            # Nearly all lines go the short way: no key is open, and none begins.
            find = self._find
            if not left and not any("PRIVATE KEY-----" in line for line in given):
                return [find.sub(GONE, line) for line in given]
            kept = []
            for line in given:
                if left:
                    left = 0 if _END.search(line) else left - 1
                    continue
                if found := _BEGIN.search(line):
                    left, line = _KEY_LINES, line[: found.start()] + GONE
                kept.append(find.sub(GONE, line))
            return kept

        return lines


def _forms(secret: str) -> set[str]:
    """Give a secret's lines as they are, as JSON and as an address write them."""
    lines = {line.strip() for line in secret.splitlines()}
    # The frame of a certificate is in everybody's.
    lines = {line for line in lines if len(line) >= SHORTEST and not _FRAME.fullmatch(line)}
    escaped = {json.dumps(line)[1:-1] for line in lines} | {quote(line, safe="") for line in lines}
    return lines | escaped
