"""Who made a request: AWS's signature version 4, checked as AWS checks it.

The canonical form is botocore's own; the parts that the signer chose (which headers, which hash of the
body) are taken from the request, as the documentation asks.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from coiled_pulumi.local.answers import Answer, error
from coiled_pulumi.local.roles import ROLES

ALGORITHM: Final = "AWS4-HMAC-SHA256"
#: AWS's own limits for a signature's age and a presigned address's validity.
MAX_SKEW: Final = timedelta(minutes=15)
MAX_EXPIRES: Final = timedelta(days=7)

_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_HEADER: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+)\s*,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})\s*$"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about who signed it; nothing of it is checked yet."""

    key_id: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    headers: tuple[str, ...] = ()
    """Names of the signed headers, in lower case."""
    signature: str = ""
    timestamp: str = ""
    """When it was signed, as `20260102T030405Z`."""
    expires: timedelta | None = None
    """Of a presigned address; None when the signature is in the header."""
    token: str = ""
    """Of temporary credentials."""


class Keyring:
    """The keys that the server accepts: the one made for this run, and those that moto itself handed out."""

    def __init__(self, access_key_id: str, secret: str) -> None:
        self._own = (access_key_id, secret)

    def secret_of(self, key_id: str) -> str | None:
        """Look a key's secret up; None for a key that nobody was given."""
        own_id, own_secret = self._own
        if hmac.compare_digest(key_id.encode(), own_id.encode()):
            return own_secret
        session = ROLES.session(key_id)
        return session.secret if session is not None else _issued(key_id)


def claim_of(environ: dict[str, Any]) -> Claim:
    """Read who claims to have signed a request; an empty claim when nobody does."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if match := _HEADER.match(header):
        parts = match["credential"].split("/")
        if len(parts) != 5:
            return Claim()
        key_id, date, region, service, _ = parts
        headers = tuple(match["headers"].lower().split(";"))
        timestamp = environ.get("HTTP_X_AMZ_DATE", "")
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
        return Claim(key_id, date, region, service, headers, match["signature"], timestamp, token=token)
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    parts = query.get("X-Amz-Credential", "").split("/")
    if query.get("X-Amz-Algorithm") != ALGORITHM or len(parts) != 5:
        return Claim()
    key_id, date, region, service, _ = parts
    return Claim(
        key_id,
        date,
        region,
        service,
        tuple(query.get("X-Amz-SignedHeaders", "").lower().split(";")),
        query.get("X-Amz-Signature", ""),
        query.get("X-Amz-Date", ""),
        timedelta(seconds=int(query["X-Amz-Expires"]) if query.get("X-Amz-Expires", "").isdigit() else 0),
        query.get("X-Amz-Security-Token", ""),
    )


def refusal(environ: dict[str, Any], body: bytes, claim: Claim, keyring: Keyring) -> Answer | None:
    """Check a request's signature; None when it is good, else AWS's answer."""

    def refuse(code: str, message: str) -> Answer:
        return error(claim.service, "403 Forbidden", code, message)

    if not claim.key_id:
        return refuse("MissingAuthenticationToken", "Request is missing Authentication Token")
    secret = keyring.secret_of(claim.key_id)
    if secret is None:
        return refuse(*_UNKNOWN_KEY.get(claim.service, _UNKNOWN_KEY[""]))
    if problem := _stale(claim):
        return refuse("SignatureDoesNotMatch", problem)
    if not _hash_fits(environ, body):
        return refuse("XAmzContentSHA256Mismatch", _OTHER_BODY)
    if not hmac.compare_digest(_expected(environ, body, claim, secret), claim.signature):
        return refuse("SignatureDoesNotMatch", _MISMATCH)
    session = ROLES.session(claim.key_id)
    if session is not None and not hmac.compare_digest(session.token.encode(), claim.token.encode()):
        return refuse(*_UNKNOWN_KEY.get(claim.service, _UNKNOWN_KEY[""]))
    if session is not None and session.ends < time.time():
        return refuse(_EXPIRED.get(claim.service, "ExpiredToken"), _OVER)
    return None


_OVER: Final = "The security token included in the request is expired"
_EXPIRED: Final = {"ec2": "RequestExpired", "logs": "ExpiredTokenException", "ssm": "ExpiredTokenException"}
_OTHER_BODY: Final = "The provided 'x-amz-content-sha256' header does not match what was computed."
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_INVALID: Final = "The security token included in the request is invalid."
#: EC2 and S3 have names of their own for a key that nobody was given.
_UNKNOWN_KEY: Final = {
    "": ("InvalidClientTokenId", _INVALID),
    "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials"),
    "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
}


def _stale(claim: Claim) -> str:
    try:
        signed = datetime.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
    if not claim.timestamp.startswith(claim.date):
        return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
    now = datetime.now(UTC)
    valid = MAX_SKEW if claim.expires is None else min(claim.expires, MAX_EXPIRES)
    if now - signed > valid:
        return f"Signature expired: {claim.timestamp} is now earlier than {now - valid:%Y%m%dT%H%M%SZ}"
    if signed - now > MAX_SKEW:
        limit = f"{now + MAX_SKEW:%Y%m%dT%H%M%SZ}"
        return f"Signature not yet current: {claim.timestamp} is still later than {limit}"
    return ""


def _hash_fits(environ: dict[str, Any], body: bytes) -> bool:
    """Compare the body with the hash that was signed, where the client signed one."""
    given = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if not re.fullmatch("[0-9a-f]{64}", given):
        # UNSIGNED-PAYLOAD and the STREAMING- kinds: the head's signature is all there is at this point; the
        # signatures between the pieces of a stream are not checked.
        return True
    return hashlib.sha256(body).hexdigest() == given


def _expected(environ: dict[str, Any], body: bytes, claim: Claim, secret: str) -> str:
    """Compute the signature that the holder of the secret would have made."""
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI") or "/"
    if not target.startswith("/"):
        target = urlsplit(target)._replace(scheme="", netloc="").geturl() or "/"
    path, _, query = target.partition("?")
    request = AWSRequest(
        method=environ["REQUEST_METHOD"],
        url=f"http://{environ.get('HTTP_HOST', '')}{path}?{_canonical(query)}",
        headers={name: _header(environ, name) for name in claim.headers if name},
        data=body,
    )
    request.context["timestamp"] = claim.timestamp
    credentials = Credentials(claim.key_id, secret)
    kind = _S3Check if claim.service == "s3" else _Check
    check = kind(credentials, claim.service, claim.region)
    if "x-amz-content-sha256" not in claim.headers:
        given = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        presigned = claim.expires is not None and claim.service == "s3"
        if hash_of_body := given or (_UNSIGNED if presigned else ""):
            request.headers["X-Amz-Content-SHA256"] = hash_of_body
            check.unsigned = "x-amz-content-sha256"
    canonical = check.canonical_request(request)
    return check.signature(check.string_to_sign(request, canonical), request)


class _Check(SigV4Auth):
    """botocore's signer, made to sign the headers that the client chose rather than those botocore would."""

    unsigned = ""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        from botocore.compat import HTTPHeaders

        headers = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() != self.unsigned:
                headers[name.lower()] = value
        return headers


class _S3Check(_Check, S3SigV4Auth):
    """The same for S3, which doesn't encode a path twice."""


def _canonical(query: str) -> str:
    """Encode a query as the signer had to, without the signature itself; botocore sorts it."""
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    encoded = (
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded if name != "X-Amz-Signature")


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key) if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else environ.get(f"HTTP_{key}")
    return str(value or "")


def _issued(key_id: str) -> str | None:
    """Look among the keys of IAM users and the temporary ones of roles, in every account."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account in list(sts_backends.values()):
        for backend in list(account.values()):
            for role in list(backend.assumed_roles):
                if role.access_key_id == key_id:
                    return str(role.secret_access_key)
    for account in list(iam_backends.values()):
        for backend in list(account.values()):
            for user in list(backend.users.values()):
                for key in user.access_keys:
                    if key.access_key_id == key_id:
                        return str(key.secret_access_key)
    return None
