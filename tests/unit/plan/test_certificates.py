"""The certificates of a cluster, verified as TLS does it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from coiled_pulumi import certificates
from coiled_pulumi.components.node import PIECE

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONGEST = ("w" * 32, "c" * 32)
AUTHORITY = certificates.authority(*LONGEST, now=NOW)
LEAVES = {role: certificates.leaf(AUTHORITY, role, *LONGEST, now=NOW) for role in certificates.ROLES}


def _cert(pair: certificates.Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.cert.encode())


def _builder(authority: certificates.Pair, at: datetime) -> verification.PolicyBuilder:
    return verification.PolicyBuilder().store(verification.Store([_cert(authority)])).time(at)


def _verify_client(leaf: certificates.Pair, *, authority=AUTHORITY, at: datetime = NOW) -> None:
    _builder(authority, at).build_client_verifier().verify(_cert(leaf), [])


def _verify_server(role: str, *, authority=AUTHORITY, at: datetime = NOW) -> None:
    name = f"{role}.{LONGEST[1]}.{LONGEST[0]}.coiled-pulumi.internal"
    _builder(authority, at).build_server_verifier(x509.DNSName(name)).verify(_cert(LEAVES[role]), [])


@pytest.mark.parametrize("role", certificates.ROLES)
def test_a_leaf_is_of_the_authority_and_its_key_is_its_own(role):
    cert = _cert(LEAVES[role])

    _verify_client(LEAVES[role])
    cert.verify_directly_issued_by(_cert(AUTHORITY))
    key = load_pem_private_key(LEAVES[role].key.encode(), None)
    assert key.public_key() == cert.public_key()
    assert key.curve.name == "secp256r1"


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_scheduler_and_workers_answer(role):
    _verify_server(role)


def test_a_client_never_answers():
    with pytest.raises(verification.VerificationError):
        _verify_server("client")
    usage = _cert(LEAVES["client"]).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize("role", certificates.ROLES)
def test_the_role_and_the_cluster_stand_in_the_subject(role):
    said = certificates.leaf(AUTHORITY, role, "dev", "main", now=NOW)
    subject = {part.oid: part.value for part in _cert(said).subject}

    assert subject == {
        NameOID.COMMON_NAME: role,
        NameOID.ORGANIZATION_NAME: "coiled-pulumi",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "dev/main",
    }


def test_the_authority_of_another_cluster_is_another_one():
    other = certificates.authority(*LONGEST, now=NOW)
    for role in certificates.ROLES:
        with pytest.raises(verification.VerificationError):
            _verify_client(LEAVES[role], authority=other)


def test_a_leaf_issues_nothing():
    below = certificates.leaf(LEAVES["worker"], "scheduler", *LONGEST, now=NOW)
    with pytest.raises(verification.VerificationError):
        _builder(AUTHORITY, NOW).build_client_verifier().verify(_cert(below), [_cert(LEAVES["worker"])])


@pytest.mark.parametrize(
    ("after", "holds"),
    [
        (timedelta(hours=-2), False),
        (timedelta(minutes=-50), True),
        (timedelta(days=89), True),
        (timedelta(days=91), False),
    ],
)
def test_a_leaf_holds_for_90_days_and_for_clocks_that_are_behind(after, holds):
    if holds:
        _verify_client(LEAVES["worker"], at=NOW + after)
        return
    with pytest.raises(verification.VerificationError):
        _verify_client(LEAVES["worker"], at=NOW + after)


def test_when_one_expires():
    assert certificates.expires(LEAVES["client"].cert) == NOW + timedelta(days=certificates.LEAF_DAYS)
    assert certificates.expires(AUTHORITY.cert) == NOW + timedelta(days=certificates.AUTHORITY_DAYS)


def test_what_a_scheduler_gets_fits_one_parameter_for_the_longest_names():
    issued = certificates.issue(AUTHORITY, *LONGEST)
    groups = [f"{LONGEST[0]}-cluster-{LONGEST[1]}.{label * 32}-workers-1234567" for label in "abcdefgh"]
    said = {"version": 1, "ca": AUTHORITY.cert, **issued["scheduler"], "token": issued["token"]}

    assert len(json.dumps(said | {"address": "255.255.255.255", "groups": groups})) <= PIECE


def test_every_rotation_gives_other_keys_and_another_token():
    first, second = (certificates.issue(AUTHORITY, *LONGEST) for _ in range(2))

    assert all(first[kind] != second[kind] for kind in first)
    assert first.keys() == {*certificates.ROLES, "token"}


def test_no_key_is_shown():
    assert "PRIVATE" not in repr(AUTHORITY)
