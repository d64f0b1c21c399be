"""The instance metadata service, version 2, of every instance: what 169.254.169.254 answers on AWS.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import re
import secrets
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

#: Of a token, in seconds.
_SHORTEST, _LONGEST = 1, 21_600
#: A request's head: AWS's own clients send a few hundred bytes.
_HEAD: Final = 8 * 1024
#: How long a request may take to come in and its answer to leave, in seconds.
_PATIENCE: Final = 5.0
#: Requests that one instance may have open; AWS throttles too.
_AT_ONCE: Final = 64
_VERSION: Final = re.compile(r"/(?:latest|1\.0|\d{4}-\d{2}-\d{2})(?=/|$)")
_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_CREDENTIALS: Final = "meta-data/iam/security-credentials/"
Answer = tuple[int, str, dict[str, str]]


class Metadata:
    """What each instance is told about itself; one server per instance, all fed from one place."""

    def __init__(self) -> None:
        self._instances: Mapping[str, Mapping[str, Any]] = {}
        self._key = secrets.token_bytes(32)
        self._open: dict[str, int] = {}

    def update(self, instances: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the newest snapshot's instances; what is asked from now on is answered by it."""
        self._instances = instances

    async def serve(self, listener: socket.socket, instance: str) -> asyncio.Server:
        """Answer for one instance on a socket that listens in its network."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._talk(reader, writer, instance)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        return await asyncio.start_server(connected, sock=listener, limit=_HEAD)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, instance: str) -> None:
        """Answer one request; every one is the only one of its connection."""
        self._open[instance] = self._open.get(instance, 0) + 1
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await _read_head(reader)
                if head is None:
                    return
                busy = self._open[instance] > _AT_ONCE
                answer = _plain(503) if busy else self.answer(instance, *head)
                writer.write(_encoded(*answer, with_body=head[0] != "HEAD"))
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # who asks so slowly, or is gone, gets no answer
        finally:
            self._open[instance] -= 1
            if not self._open[instance]:
                del self._open[instance]

    def answer(self, instance: str, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        """Decide the answer to one request.

        Args:
            instance: who asks; known by the socket, not by what it says.
            method: as GET.
            target: path, with a query or not.
            headers: by their names in lower case.
        """
        known = self._instances.get(instance)
        if known is None:
            return _plain(404)
        options = known.get("metadata_options") or {}
        if options.get("endpoint") == "disabled":
            return _plain(403)
        path = target.partition("?")[0]
        if method == "PUT":
            return self._token(instance, path, headers)
        if method not in ("GET", "HEAD"):
            return _plain(405)
        token = headers.get("x-aws-ec2-metadata-token")
        if token is None and options.get("tokens", "required") == "required":
            return _plain(401)
        if token is not None and not self._is_good(instance, token):
            return _plain(401)
        return _found(known, path)

    def _token(self, instance: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path != "/latest/api/token":
            return _plain(405 if _VERSION.match(path) else 404)
        if "x-forwarded-for" in headers:  # a proxy asks for somebody else
            return _plain(403)
        text = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not re.fullmatch("[0-9]{1,5}", text) or not _SHORTEST <= int(text) <= _LONGEST:
            return _plain(400)
        token = self._signed(instance, int(time.time() * 1000) + int(text) * 1000)
        return 200, token, {"X-aws-ec2-metadata-token-ttl-seconds": str(int(text))}

    def _signed(self, instance: str, ends: int) -> str:
        """Make a token that says itself until when it is good, so that none has to be remembered."""
        text = f"{ends}.{instance}".encode()
        digest = hmac.digest(self._key, text, hashlib.sha256)
        return base64.urlsafe_b64encode(ends.to_bytes(8, "big") + digest).decode()

    def _is_good(self, instance: str, token: str) -> bool:
        try:
            ends = int.from_bytes(base64.urlsafe_b64decode(token.encode())[:8], "big")
        except ValueError:
            return False
        genuine = hmac.compare_digest(self._signed(instance, ends).encode(), token.encode())
        return genuine and time.time() * 1000 < ends


def tree(instance: Mapping[str, Any]) -> dict[str, str]:
    """Give everything that an instance may read, by its path after the version."""
    leaves = dict(instance.get("metadata") or {})
    if instance.get("user_data"):
        leaves["user-data"] = instance["user_data"]
    if credentials := instance.get("credentials"):
        shown = {key: value for key, value in credentials.items() if key != "Role"}
        leaves[_CREDENTIALS + credentials["Role"]] = json.dumps(shown, indent=2)
    return leaves


def _found(instance: Mapping[str, Any], path: str) -> Answer:
    if path in ("", "/"):
        return 200, "1.0\n2021-07-15\nlatest", {}
    version = _VERSION.match(path)
    if version is None:
        return _plain(404)
    leaves = tree(instance)
    name = path[version.end() :].strip("/")
    if name in leaves and not (path.endswith("/") and _below(leaves, name)):
        kind = "application/octet-stream" if name == "user-data" else "text/plain"
        return 200, leaves[name], {"Content-Type": kind}
    names = _below(leaves, name)
    return (200, "\n".join(names), {}) if names else _plain(404)


def _below(leaves: Mapping[str, str], folder: str) -> list[str]:
    """List a folder as AWS does: folders with a slash behind, a key that is both once as each."""
    prefix = f"{folder}/" if folder else ""
    found = set()
    for leaf in leaves:
        if leaf.startswith(prefix) and leaf != prefix:
            name, slash, _ = leaf[len(prefix) :].partition("/")
            found.add(name + slash)
    return sorted(found)


def _plain(status: int) -> Answer:
    words = f"{status} - {_WORDS[status]}"
    page = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>"
    return status, page, {"Content-Type": "text/html"}


def _encoded(status: int, text: str, headers: Mapping[str, str], *, with_body: bool) -> bytes:
    body = text.encode()
    lines = {"Content-Type": "text/plain", "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {"Server": "EC2ws"} | dict(headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {_WORDS[status]}\r\n{head}\r\n".encode() + (body if with_body else b"")


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Read method, target and headers; None for what is not a request or too long."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, UnicodeDecodeError):
        return None
    first, *rest = text[:-4].split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return None
    pairs = (line.partition(":") for line in rest)
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}
