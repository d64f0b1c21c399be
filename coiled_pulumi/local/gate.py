"""What stands between a socket and moto: the signature check and the call log."""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from coiled_pulumi.local import control, idempotency, roles, signature
from coiled_pulumi.local.answers import Answer, error
from coiled_pulumi.local.calls import Call, is_mutating
from coiled_pulumi.local.machines import MACHINES

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

#: Larger than any request of ours; S3 objects of Pulumi's state are a few MB.
MAX_BODY: Final = 1 << 30

#: Services whose calls may change what runs, or what an instance is told.
_ABOUT_MACHINES: Final = frozenset({"autoscaling", "ec2", "iam"})
_ACTION: Final = re.compile(rb"(?:^|&)Action=([^&]*)")
_DRY_RUN: Final = re.compile(rb"(?:^|&)DryRun=true(?:&|$)", re.IGNORECASE)
_OPERATION: Final = re.compile(r"/operation/(\w+)$")


class QuietHandler(MotoRequestHandler):
    """Prints nothing per request: the call log has it."""

    #: Head and body leave in one piece, in bytes at most. Apart, the second can be held back by this busy process, and
    #: the Go client of the AWS plugin then now and then gives up on the answer and calls again: a second CreateSubnet.
    wbufsize = 1 << 20
    disable_nagle_algorithm = True

    def log_request(self, *_: Any) -> None:
        """Skip the line per request."""


def listen(app: Wsgi, port: int) -> BaseWSGIServer:
    """Bind the loopback address; port 0 takes a free one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Bound by ourselves: werkzeug ends the process with a message of its own when the port is taken.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
        return make_server(
            "127.0.0.1",
            listener.getsockname()[1],
            app,
            threaded=True,
            request_handler=QuietHandler,
            fd=listener.fileno(),
        )


class Gate:
    """A WSGI application: moto, behind the signature check, with every answered call in the log."""

    def __init__(self, access_key_id: str, secret: str, log: Path) -> None:
        self._moto: Wsgi = DomainDispatcherApplication(create_backend_app)
        self._keyring = signature.Keyring(access_key_id, secret)
        self._tokens = idempotency.Tokens()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # moto's models are plain dictionaries, walked and changed without locks, and the engine makes dozens
        # of calls at once: one at a time is what keeps answers whole. The interpreter runs but one anyway.
        self.turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        began, clock = time.time(), time.perf_counter()
        body = _take_body(environ)
        claim = signature.claim_of(environ)
        with self.turn:
            answer = signature.refusal(environ, body, claim, self._keyring)
            known = answer is None and claim.service != control.SERVICE
            action = action_of(claim.service, environ, body) if known else ""
            if answer is None:
                answer = _answer_to_role(environ, body, claim, action)
            if answer is None:
                answer = self._answer(environ, body, claim)
        if claim.service == control.SERVICE:
            MACHINES.changed()
        if known:
            dry_run = claim.service == "ec2" and _DRY_RUN.search(body) is not None
            method = environ["REQUEST_METHOD"]
            mutating = is_mutating(claim.service, action, method=method, dry_run=dry_run)
            if mutating and claim.service in _ABOUT_MACHINES:
                MACHINES.changed()
            call = Call(
                time=round(began, 3),
                service=claim.service,
                action=action,
                region=claim.region,
                status=int(answer.status[:3]),
                ms=round((time.perf_counter() - clock) * 1000, 2),
                mutating=mutating,
            )
            # One write to a file opened for appending: lines of threads can't mix.
            os.write(self._log, call.line().encode())
        start_response(answer.status, list(answer.headers))
        return [answer.body]

    def _answer(self, environ: dict[str, Any], body: bytes, claim: signature.Claim) -> Answer:
        if claim.service == control.SERVICE:
            return control.answer(body)
        token = idempotency.token_of(claim.service, claim.region, claim.key_id, body)
        if token is None:
            return _ask(self._moto, environ, claim.service)
        answer = self._tokens.earlier(token)
        if answer is None:
            answer = _ask(self._moto, environ, claim.service)
            self._tokens.keep(token, answer)
        return answer


def _answer_to_role(
    environ: dict[str, Any], body: bytes, claim: signature.Claim, action: str
) -> Answer | None:
    """Answer an instance what its role may not do, and who it is; None for what it may, and for the operator."""
    session = roles.ROLES.session(claim.key_id)
    if session is None:
        return None
    if claim.service == control.SERVICE:  # no policy says who may
        return error(claim.service, "403 Forbidden", "AccessDenied", f"{session.arn} is no operator")
    refused = roles.refusal(session, claim.service, action, claim.region, environ, body)
    if refused is None and (claim.service, action) == ("sts", "GetCallerIdentity"):
        return roles.identity(session)
    return refused


def _ask(moto: Wsgi, environ: dict[str, Any], service: str) -> Answer:
    """Have moto make the whole answer; its faults become AWS's internal error and a line in our log."""
    head: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        head[:] = [status, tuple(headers)]

    try:
        pieces = moto(environ, start)
        try:
            body = b"".join(pieces)
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                close()
    except NotImplementedError as err:
        # Not an internal error: the SDKs would try again, for minutes.
        return error(
            service, "400 Bad Request", "UnsupportedOperation", f"the local AWS can't do that: {err}"
        )
    except Exception as err:
        traceback.print_exc()
        text = f"the local AWS could not answer: {type(err).__name__}: {err}"
        return error(service, "500 Internal Server Error", "InternalFailure", text)
    return Answer(head[0], head[1], body)


def action_of(service: str, environ: dict[str, Any], body: bytes) -> str:
    """Name the action of a request as AWS's documentation does; for S3, the method and what it is about."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    query = environ.get("QUERY_STRING", "")
    if match := _ACTION.search(body) or _ACTION.search(query.encode()):
        return unquote_plus(match[1].decode("ascii", "replace"))
    path = environ.get("PATH_INFO", "/")
    if match := _OPERATION.search(path):
        return match[1]
    method = environ["REQUEST_METHOD"].capitalize()
    if service != "s3":
        return f"{method} {path}"
    kind = "Object" if path.strip("/").count("/") else "Bucket" if path.strip("/") else "Service"
    part = query.split("&")[0].partition("=")
    return method + kind + (part[0].capitalize() if query and not part[2] else "")


def _take_body(environ: dict[str, Any]) -> bytes:
    """Read the whole body and put it back, so that moto can read it again."""
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read(MAX_BODY)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)
