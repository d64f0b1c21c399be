"""The address that the caller comes from: what `me` means in a workspace file.

It is asked only when a workspace is about to be brought up and its file says `me`, never to validate or plan.
"""

from __future__ import annotations

import ipaddress
import os
import urllib.request

from coiled_pulumi.errors import CoiledPulumiError

#: Overrides the question; the local AWS sets it to loopback, CI to its fixed way out.
VARIABLE = "COILED_PULUMI_ME"
#: AWS's own answer to "from which address do I come".
SERVICE = "https://checkip.amazonaws.com"
TIMEOUT_SECONDS = 5


def address() -> str:
    """Give the caller's IPv4 address as a block of one address.

    Raises:
        CoiledPulumiError: it cannot be found, or is not IPv4.
    """
    text = os.environ.get(VARIABLE) or _ask()
    try:
        return str(ipaddress.IPv4Network(text.strip()))
    except ValueError:
        msg = f"'me' is {text.strip()[:45]!r}, which is not an IPv4 address"
        raise CoiledPulumiError(msg, f"write a block in place of 'me', or set {VARIABLE}") from None


def _ask() -> str:
    try:
        with urllib.request.urlopen(SERVICE, timeout=TIMEOUT_SECONDS) as reply:
            return reply.read(64).decode("ascii", "replace")
    except OSError as error:
        msg = f"cannot find out which address 'me' is: {error}"
        raise CoiledPulumiError(msg, f"write a block in place of 'me', or set {VARIABLE}") from None
