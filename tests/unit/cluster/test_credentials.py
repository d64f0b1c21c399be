"""A client's certificate goes from the stack's secrets to OpenSSL without a file."""

import ssl
import sys
import tempfile

import pytest

from coiled_pulumi import certificates
from coiled_pulumi.cluster.credentials import client_security
from coiled_pulumi.ops.sessions import Security


@pytest.fixture(scope="module")
def made():
    authority = certificates.authority("lab", "mine")
    leaf = certificates.leaf(authority, "client", "lab", "mine")
    return Security(authority.cert, leaf.cert, leaf.key, "t0ken")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs memory that has a path")
def test_nothing_is_written_to_disk(made, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # a file in it could not be made
    arguments = client_security(made).get_connection_args("client")

    assert isinstance(arguments["ssl_context"], ssl.SSLContext)
    assert arguments["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert arguments["require_encryption"] is True


def test_no_secret_shows(made):
    for shown in (repr(made), repr(client_security(made)), client_security(made)._repr_html_()):
        assert "PRIVATE" not in shown
        assert "t0ken" not in shown
