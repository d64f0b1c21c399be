"""What a client shows to the scheduler, kept in memory alone."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator
from typing import Any

from distributed.security import Security

from coiled_pulumi.ops import sessions


class ClientSecurity(Security):
    """Distributed's own, but that certificate and key are read from memory where the system has a way to.

    OpenSSL reads them from files alone, so that distributed writes them into a temporary folder for a moment.
    """

    def _get_tls_context(self, tls: dict[str, Any], purpose: ssl.Purpose) -> ssl.SSLContext | None:
        if not hasattr(os, "memfd_create") or "\n" not in (tls.get("cert") or ""):
            return super()._get_tls_context(tls, purpose)
        with _in_memory(f"{tls['cert']}\n{tls['key']}") as path:
            return super()._get_tls_context({**tls, "cert": path, "key": path}, purpose)


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give a text a path that leads to memory, for the length of a block."""
    handle = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        os.write(handle, text.encode())
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def client_security(made: sessions.Security) -> Security:
    """Give the security of a cluster's clients."""
    return ClientSecurity(
        require_encryption=True, tls_ca_file=made.ca, tls_client_cert=made.cert, tls_client_key=made.key
    )
