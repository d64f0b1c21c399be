"""TLS of distributed from the run folder's files, which may be replaced while connections are open."""

from __future__ import annotations

import logging
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distributed.security import Security

_log = logging.getLogger(__name__)


class LiveContext(ssl.SSLContext):
    """Stands for the newest context: connections are wrapped by that one, those that are open keep theirs.

    OpenSSL can add a certificate authority to a context but not take one away, so a renewed context is a new one.
    """

    make: Callable[[], ssl.SSLContext]
    newest: ssl.SSLContext

    def __new__(cls, make: Callable[[], ssl.SSLContext]) -> LiveContext:
        """Make the first context. Used by itself this object would trust nobody and show no certificate."""
        newest = make()
        self = super().__new__(cls, newest.protocol)
        self.make, self.newest = make, newest
        return self

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Wrap by the newest context."""
        return self.newest.wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Wrap by the newest context."""
        return self.newest.wrap_bio(*args, **kwargs)


class NodeSecurity(Security):
    """Encryption always, TLS 1.3, one leaf for whatever this process does; can be pickled by its folder."""

    def __init__(self, folder: Path) -> None:
        cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
        roles = ("client", "scheduler", "worker")
        super().__init__(
            require_encryption=True,
            tls_ca_file=str(folder / "ca.pem"),
            tls_ciphers=None,
            tls_min_version=ssl.TLSVersion.TLSv1_3,
            tls_max_version=None,
            **{f"tls_{role}_cert": cert for role in roles},
            **{f"tls_{role}_key": key for role in roles},
        )
        self.folder = folder
        self._live: weakref.WeakSet[LiveContext] = weakref.WeakSet()

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.folder,)

    def _get_tls_context(self, tls: dict[str, Any], purpose: ssl.Purpose) -> ssl.SSLContext:
        make = super()._get_tls_context
        return self._remember(lambda: make(tls, purpose))

    def web_context(self) -> ssl.SSLContext:
        """Give the context of a web server: the same certificate, and none is asked of the browser."""

        def make() -> ssl.SSLContext:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(self.tls_scheduler_cert, self.tls_scheduler_key)
            return context

        return self._remember(make)

    def _remember(self, make: Callable[[], ssl.SSLContext]) -> LiveContext:
        context = LiveContext(make)
        self._live.add(context)
        return context

    def reload(self) -> bool:
        """Read the files again, for connections from now on; files that do not do change nothing."""
        live = list(self._live)
        try:
            fresh = [context.make() for context in live]
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            _log.error("certificates in %s can't be used, the old ones stay: %s", self.folder, error)
            return False
        for context, newest in zip(live, fresh, strict=True):
            context.newest = newest
        _log.info("certificates were read again")
        return True
