"""Certificates that fit and certificates that do not, as files and as contexts."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from distributed.security import Security

from coiled_pulumi import certificates

WORKSPACE, CLUSTER = "lab", "main"


@dataclass(frozen=True)
class Leaf:
    """The three files of one who connects or listens."""

    folder: Path

    @property
    def cert(self) -> str:
        return str(self.folder / "cert.pem")

    def security(self) -> Security:
        """Give what a `distributed.Client` takes."""
        key = str(self.folder / "key.pem")
        return Security(
            require_encryption=True,
            tls_ca_file=str(self.folder / "ca.pem"),
            tls_client_cert=self.cert,
            tls_client_key=key,
        )

    def context(self) -> ssl.SSLContext:
        """Give the context of one who connects."""
        context = nobody(self.folder / "ca.pem")
        context.load_cert_chain(self.cert, self.folder / "key.pem")
        return context


def nobody(ca: Path) -> ssl.SSLContext:
    """Give a context that trusts an authority and shows no certificate."""
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Authority:
    """The authority of a cluster; leaves are written below a folder."""

    def __init__(self, home: Path, cluster: str = CLUSTER) -> None:
        self._home, self._cluster = home, cluster
        self._pair = certificates.authority(WORKSPACE, cluster)

    def leaf(
        self, role: str, *, cluster: str = "", expired: bool = False, folder: Path | None = None
    ) -> Leaf:
        """Issue a leaf, into a folder of its own or into one that is there."""
        now = datetime.now(UTC) - timedelta(days=certificates.LEAF_DAYS + 2) if expired else None
        pair = certificates.leaf(self._pair, role, WORKSPACE, cluster or self._cluster, now=now)
        if folder is None:
            folder = self._home / f"{role}-{len(list(self._home.iterdir()))}"
            folder.mkdir()
        for name, text in (("ca", self._pair.cert), ("cert", pair.cert), ("key", pair.key)):
            (folder / f"{name}.pem").write_text(text)
        return Leaf(folder)
