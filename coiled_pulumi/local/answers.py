"""Errors and times in the shapes that the clients of each service parse."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


#: Services that speak JSON; the others that we use speak XML.
_JSON: Final = frozenset({"dynamodb", "kms", "logs", "secretsmanager", "servicequotas", "ssm", "tagging"})


def moment(seconds: float) -> str:
    """Write seconds since the epoch as AWS writes a time, `2030-01-02T03:04:05Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def error(service: str, status: str, code: str, message: str) -> Answer:
    """Make an error answer for a service's clients.

    Args:
        service: the signing name; an unknown one gets the commonest shape.
        status: the HTTP status with its words.
        code: AWS's name of the error.
        message: the sentence that comes with it.

    """
    request = secrets.token_hex(16)
    if service in _JSON:
        text, kind = json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1"
    else:
        text, kind = _xml(service, code=escape(code), message=escape(message), request=request), "text/xml"
    body = text.encode()
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-RequestId", request))
    return Answer(status, headers, body)


def _xml(service: str, *, code: str, message: str, request: str) -> str:
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request}</RequestID></Response>"
    if service == "s3":
        return f"<Error>{inner}<RequestId>{request}</RequestId></Error>"
    error = f"<Error><Type>Sender</Type>{inner}</Error>"
    return f"<ErrorResponse>{error}<RequestId>{request}</RequestId></ErrorResponse>"
