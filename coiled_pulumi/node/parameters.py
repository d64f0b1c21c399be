"""What this machine is told after it booted, from the parameter store: configuration and certificate.

Pulumi writes both while machines boot already, and grants the right to read the certificate later still. So whatever
is not there, or is refused, is asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import botocore.exceptions

from coiled_pulumi.node.patience import around, waits

VERSION: Final = 1
#: Seconds between two looks for something that is not there yet: the first, the longest.
_FIRST, _LONGEST = 0.5, 5.0
#: Seconds between two looks at the certificate, a quarter more or less.
LOOK_EVERY: Final = 30.0
#: Seconds of waiting after which the log says for what, and again after as many.
_TELL_EVERY: Final = 60.0


class NotYetError(Exception):
    """It is not there, or not all of it; that passes."""


class Parameters:
    """Reads the parameters of one machine.

    Args:
        client: gives the client of SSM.
        base: their path, `/coiled-pulumi/WORKSPACE/CLUSTER`.
        role: scheduler or worker.
        wait: waits some seconds; raises what shall end the waiting.
        tell: takes a sentence for the log.
    """

    def __init__(
        self, client: Callable[[], Any], base: str, role: str,
        wait: Callable[[float], None], tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._client, self._base, self._role, self._wait, self._tell = client, base, role, wait, tell

    def config(self) -> dict[str, Any]:
        """Wait for the configuration."""
        return self._until("configuration", lambda: read_pieces(self._read))

    def certificate(self) -> dict[str, Any]:
        """Wait for the certificate and what comes with it."""
        return self._until("certificate", self.certificate_now)

    def certificate_now(self) -> dict[str, Any]:
        """Read the certificate.

        Raises:
            NotYetError: it cannot be read now.
        """
        return _parse(self._read(self._role))

    def watch(
        self,
        now: dict[str, Any],
        changed: Callable[[dict[str, Any]], None],
        stop: Callable[[float], bool],
    ) -> None:
        """Look at the certificate now and then, and tell when it is another one.

        Args:
            now: the one that is in use.
            changed: takes another one.
            stop: waits some seconds; tells whether that was all.
        """
        while not stop(around(LOOK_EVERY)):
            try:
                new = self.certificate_now()
            except NotYetError:
                continue
            if new != now:
                now = new
                changed(new)

    def _read(self, name: str) -> str:
        try:
            answer = self._client().get_parameter(Name=f"{self._base}/{name}", WithDecryption=True)
        except botocore.exceptions.ClientError as error:
            # Without AWS's own text, which may name the account and the role.
            raise NotYetError(error.response["Error"]["Code"]) from None
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise NotYetError(type(error).__name__) from None
        return answer["Parameter"]["Value"]

    def _until(self, what: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        waited = told = 0.0
        for seconds in waits(_FIRST, _LONGEST):
            try:
                return read()
            except NotYetError as error:
                if waited - told >= _TELL_EVERY:
                    told = waited
                    self._tell(f"still waiting for the {what} after {waited:.0f} s: {error}")
            self._wait(seconds)
            waited += seconds
        raise AssertionError


def read_pieces(read: Callable[[str], str]) -> dict[str, Any]:
    """Put the pieces of the configuration together; the first one begins with their number and a line's end.

    Raises:
        NotYetError: a piece is missing, or they are of two versions, of which one is being written.
    """
    first = read("config/0")
    number, _, text = first.partition("\n")
    if not number.isdecimal():
        msg = "the first piece does not begin with a number"
        raise NotYetError(msg)
    text += "".join(read(f"config/{i}") for i in range(1, int(number)))
    if int(number) > 1 and read("config/0") != first:
        msg = "it is being written"
        raise NotYetError(msg)
    return _parse(text)


def _parse(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        msg = "half of it is written"
        raise NotYetError(msg) from None
    if not isinstance(said, dict) or said.get("version") != VERSION:
        msg = f"it is not of version {VERSION}, which is what this machine reads"
        raise NotYetError(msg)
    return said
