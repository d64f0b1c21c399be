"""The real dashboard behind its door."""

from __future__ import annotations

import asyncio
import http.client
import re
import ssl
import urllib.request

import pytest
from _support.certificates import nobody
from _support.dask_nodes import LONG, TOKEN, connected
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PAGE = f"/status?token={TOKEN}"


@pytest.fixture(scope="module")
def web(shared, authority) -> Web:
    with connected(shared, authority) as client:
        return Web(client.scheduler_info()["services"]["dashboard"], nobody(shared.folder / "ca.pem"))


class Web:
    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.host, self.port, self.context = f"127.0.0.1:{port}", port, context

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=LONG)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def cookie(self) -> str:
        return self.get(PAGE)[1]["Set-Cookie"].partition(";")[0]

    def open(self, path: str, protocols: list[str] | None = None, **headers: str) -> str:
        async def go() -> str:
            request = HTTPRequest(f"wss://{self.host}{path}", headers=headers, ssl_options=self.context)
            connection: WebSocketClientConnection = await websocket_connect(request, subprotocols=protocols)
            try:
                return str(await asyncio.wait_for(connection.read_message(), LONG))
            finally:
                connection.close()
                while await asyncio.wait_for(connection.read_message(), LONG) is not None:
                    pass

        return asyncio.run(go())


def test_everybody_may_ask_for_health(web):
    code, headers, text = web.get("/health")
    assert (code, text) == (200, "ok")
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    ["/", "/status", "/json/counts.json", "/metrics", "/statics/css/base.css", "/static/js/bokeh.min.js",
     "/proxy/1/127.0.0.2/x", "/sitemap.json", "/info/main/workers.html", "/health/", "/nothing",
     "/status?token=", "/status?token=wrong", f"/status?Token={TOKEN}", "//health", "/individual-progress"],
)  # fmt: skip
def test_nothing_else_is_answered_without_the_token(web, path):
    assert _is_refusal(web.get(path))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer x"},
        {"Cookie": f"__Host-coiled-pulumi={TOKEN}"},
        {"Cookie": '__Host-coiled-pulumi="'},
    ],
)
def test_nor_by_another_name(web, headers):
    assert _is_refusal(web.get("/status", **headers))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_token_in_the_address_only_reads(web, method):
    assert _is_refusal(web.get(PAGE, method))


def _is_refusal(answer) -> bool:
    code, headers, text = answer
    return code == 401 and text.count("\n") == 1 and "Set-Cookie" not in headers and "Server" not in headers


def test_the_token_gives_a_cookie(web):
    code, headers, _ = web.get(f"/individual-progress?a=1&token={TOKEN}&b=")
    assert (code, headers["Location"]) == (303, "/individual-progress?a=1&b=")
    assert headers["Cache-Control"] == "no-store"
    assert TOKEN not in str(headers)
    name, *attributes = headers["Set-Cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"}
    code, headers, text = web.get("/status", Cookie=f"a=b; {name}")
    assert code == 200
    assert "Bokeh" in text
    assert headers["Referrer-Policy"] == "no-referrer"


def test_where_to_is_never_another_host(web):
    assert web.get(f"//evil.example/x?token={TOKEN}")[1]["Location"] == "/evil.example/x"


def test_programs_bear_the_token(web):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert "workers" in web.get("/json/counts.json", **headers)[2]
    assert (
        "dask_scheduler_workers" in web.get("/metrics", **headers)[2]
        or web.get("/metrics", **headers)[0] == 200
    )


def test_the_door_that_retires_workers_is_not_there(web):
    assert web.get("/api/v1/retire_workers", "POST", Authorization=f"Bearer {TOKEN}")[0] == 404


def test_a_websocket_of_the_dashboard(web):
    cookie, origin = web.cookie(), f"https://{web.host}"
    page = web.get("/status", Cookie=cookie)[2]
    (session,) = set(re.findall(r'"token":"([^"]+)"', page))
    assert "ACK" in web.open("/status/ws", ["bokeh", session], Cookie=cookie, Origin=origin)


@pytest.mark.parametrize("case", ["no cookie", "no origin", "other origin", "http origin", "token"])
def test_websockets_that_are_refused(web, case):
    headers = {"Cookie": web.cookie(), "Origin": f"https://{web.host}"}
    path = "/status/ws"
    match case:
        case "no cookie":
            del headers["Cookie"]
        case "no origin":
            del headers["Origin"]
        case "other origin":
            headers["Origin"] = "https://evil.example"
        case "http origin":
            headers["Origin"] = f"http://{web.host}"
        case "token":
            del headers["Cookie"]
            path = f"{path}?token={TOKEN}"
    headers |= {"Connection": "Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13"}
    assert _is_refusal(web.get(path, **headers | {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))


def test_plain_http_gets_nothing(web):
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(f"http://{web.host}/health", timeout=LONG)
