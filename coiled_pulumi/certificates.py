"""The certificates of a cluster: an authority of its own, and one leaf for each role.

EC P-256, so that authority, leaf and key fit in one parameter of 4,096 characters. Roles stand in the subject's common
name, the cluster in its organizational unit: the scheduler goes by them, since distributed itself takes any leaf of
the authority for any role. https://distributed.dask.org/en/stable/tls.html
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from coiled_pulumi.values import ORGANIZATION, certificate_unit

Role = Literal["scheduler", "worker", "client"]
ROLES: Final[tuple[Role, ...]] = ("scheduler", "worker", "client")
#: Workers talk to each other, and the scheduler calls them: only a client never answers.
_USAGES: Final = {
    "scheduler": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    "worker": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
}
#: How long an authority and a leaf hold. A rotation gives new leaves.
AUTHORITY_DAYS, LEAF_DAYS = 3650, 90
#: Clocks differ.
_EARLIER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM text."""

    cert: str
    key: str

    def __repr__(self) -> str:
        """Leave the key out: values end up in tracebacks."""
        return "Pair(...)"


def authority(workspace: str, cluster: str, *, now: datetime | None = None) -> Pair:
    """Make the authority of a cluster."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("authority", workspace, cluster)
    builder = (
        _builder(name, name, key, AUTHORITY_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        # Who verifies strictly, as Python from 3.13 on, wants both identifiers.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def leaf(of: Pair, role: Role, workspace: str, cluster: str, *, now: datetime | None = None) -> Pair:
    """Issue a leaf for a role.

    Args:
        of: the cluster's authority.
        role: what it is good for.
        workspace: the cluster's workspace.
        cluster: its name.
        now: the time that it holds from.
    """
    issuer = x509.load_pem_x509_certificate(of.cert.encode())
    signer = serialization.load_pem_private_key(of.key.encode(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    host = f"{role}.{cluster}.{workspace}.{ORGANIZATION}.internal"
    builder = (
        _builder(_name(role, workspace, cluster), issuer.subject, key, LEAF_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_USAGES[role]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    return _pair(builder.sign(signer, hashes.SHA256()), key)  # type: ignore[arg-type]


def issue(of: Pair, workspace: str, cluster: str) -> dict[str, dict[str, str] | str]:
    """Issue a leaf for every role, and the token of the dashboard, as plain values."""
    made: dict[str, dict[str, str] | str] = {}
    for role in ROLES:
        pair = leaf(of, role, workspace, cluster)
        made[role] = {"cert": pair.cert, "key": pair.key}
    return made | {"token": secrets.token_urlsafe(32)}


def expires(cert: str) -> datetime:
    """Tell until when a certificate holds."""
    return x509.load_pem_x509_certificate(cert.encode()).not_valid_after_utc


def _name(role: str, workspace: str, cluster: str) -> x509.Name:
    parts: Iterable[tuple[x509.ObjectIdentifier, str]] = (
        (NameOID.ORGANIZATION_NAME, ORGANIZATION),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, certificate_unit(workspace, cluster)),
        (NameOID.COMMON_NAME, role),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int, now: datetime | None
) -> x509.CertificateBuilder:
    now = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        cert.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
