"""The door of the scheduler's web pages, which have none of their own: nothing without the token.

It stands in front of the whole web server: pages, files, Bokeh's websockets, proxied routes, and whatever a plug-in
adds. Only `/health` answers everybody. Who shows the token as `?token=` gets a cookie and is sent to the same address
without it; programs may send `Authorization: Bearer TOKEN` instead.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tornado import httputil

#: The prefix has browsers insist on https, the whole site and no other host.
COOKIE: Final = "__Host-coiled-pulumi"
#: A browser that follows a link from elsewhere brings a Lax cookie along, and a form or script from elsewhere does not.
_ATTRIBUTES: Final = "Path=/; HttpOnly; Secure; SameSite=Lax"
#: On every answer: the token does not leak through links, and no other site shows these pages in a frame.
_ALWAYS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'self'",
}
_REFUSED: Final = "This needs the token of the cluster's dashboard.\n"


class Door(httputil.HTTPServerConnectionDelegate):
    """Takes requests in place of the web application and hands on those that may pass."""

    def __init__(self, inside: httputil.HTTPServerConnectionDelegate, token: str) -> None:
        self._inside = inside
        self.renew(token)

    def renew(self, token: str) -> None:
        """Take another token; cookies of the old one count no more."""
        if not token:
            msg = "a dashboard without a token would be open to everybody"
            raise ValueError(msg)
        self._token = token.encode()
        self._cookie = hmac.new(self._token, b"cookie of the dashboard", hashlib.sha256).hexdigest().encode()

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> _Visit:
        """Begin to look at a request."""
        connection = _Connection(request_conn)
        return _Visit(self, connection, lambda: self._inside.start_request(server_conn, connection))

    def on_close(self, server_conn: object) -> None:
        """Tell the application that a connection is closed."""
        self._inside.on_close(server_conn)

    def judge(self, line: httputil.RequestStartLine, headers: httputil.HTTPHeaders) -> _Answer | None:
        """Give the answer to a request, or nothing where the application is to answer."""
        path, _, query = line.path.partition("?")
        reads = line.method in ("GET", "HEAD")
        if path == "/health" and reads:
            return _Answer(200, "OK", "ok")
        bears = _same(_bearer(headers), self._token)
        if _is_websocket(headers):
            if bears or (self._knows(headers) and _from_same_host(headers)):
                return None
            return _REFUSAL
        shown = [value for name, value in parse_qsl(query) if name == "token"]
        if not shown:
            return None if bears or self._knows(headers) else _REFUSAL
        if not reads or not _same(shown[0], self._token):
            return _REFUSAL
        rest = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "token"]
        # Of an address that begins with two slashes, the first would be taken for a host.
        there = "/" + path.lstrip("/") + ("?" + urlencode(rest) if rest else "")
        cookie = f"{COOKIE}={self._cookie.decode()}; {_ATTRIBUTES}"
        return _Answer(303, "See Other", "", {"Location": there, "Set-Cookie": cookie})

    def _knows(self, headers: httputil.HTTPHeaders) -> bool:
        try:
            cookie = SimpleCookie(headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._cookie)


class _Answer:
    """What the door says itself."""

    def __init__(self, code: int, reason: str, text: str, headers: dict[str, str] | None = None) -> None:
        self._line = httputil.ResponseStartLine("HTTP/1.1", code, reason)
        self._body = text.encode()
        self._headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(self._body)),
            "Cache-Control": "no-store",
            **(headers or {}),
        }

    def give(self, connection: _Connection, method: str) -> None:
        """Write it and be done."""
        body = b"" if method == "HEAD" else self._body
        connection.write_headers(self._line, httputil.HTTPHeaders(self._headers), body)
        connection.finish()


_REFUSAL: Final = _Answer(401, "Unauthorized", _REFUSED, {"WWW-Authenticate": "Bearer"})


class _Connection:
    """A connection whose answers carry our headers; all else is the connection's own."""

    def __init__(self, inner: httputil.HTTPConnection) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write_headers(
        self, start_line: Any, headers: httputil.HTTPHeaders, chunk: bytes | None = None
    ) -> Any:
        """Write the headers of an answer, ours among them."""
        if start_line.code != 101:  # the switch to a websocket is no page
            for name, value in _ALWAYS.items():
                headers[name] = value
        return self._inner.write_headers(start_line, headers, chunk)


class _Visit(httputil.HTTPMessageDelegate):
    """One request: the application's from the moment that it may pass, ours otherwise."""

    def __init__(
        self, door: Door, connection: _Connection, enter: Callable[[], httputil.HTTPMessageDelegate]
    ) -> None:
        self._door, self._connection, self._enter = door, connection, enter
        self._inside: httputil.HTTPMessageDelegate | None = None
        self._answer: _Answer = _REFUSAL
        self._method = ""

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        answer = self._door.judge(start_line, headers)
        if answer is None:
            self._inside = self._enter()
            return self._inside.headers_received(start_line, headers)
        self._answer, self._method = answer, start_line.method
        return None

    def data_received(self, chunk: bytes) -> Any:
        return self._inside.data_received(chunk) if self._inside else None

    def finish(self) -> None:
        if self._inside:
            self._inside.finish()
        else:
            self._answer.give(self._connection, self._method)

    def on_connection_close(self) -> None:
        if self._inside:
            self._inside.on_connection_close()


def _same(said: str, true: bytes) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "surrogateescape"), true)


def _bearer(headers: httputil.HTTPHeaders) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_websocket(headers: httputil.HTTPHeaders) -> bool:
    return "websocket" in headers.get("Upgrade", "").lower()


def _from_same_host(headers: httputil.HTTPHeaders) -> bool:
    origin = urlsplit(headers.get("Origin", ""))
    return origin.scheme == "https" and origin.netloc.lower() == headers.get("Host", "").lower() != ""
