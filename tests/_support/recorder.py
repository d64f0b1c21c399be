"""A proxy on loopback that stands between a client and the local AWS: it sees each call, and may answer itself.

What is asked for is passed on byte for byte, the Host header too: the client signed it, and so the signature
still holds behind the proxy. In front of that stands a row of watchers; the first one with an answer wins, and
then the local AWS never hears of the call.
"""

from __future__ import annotations

import dataclasses
import http.client
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from _support import calls_seen
from _support.calls_seen import Seen
from coiled_pulumi.local.answers import Answer

#: Given a call, an answer to give in place of the local AWS, or None.
Watcher = Callable[[Seen], Answer | None]
#: Given a call, what is known of the resources that it names.
Lookup = Callable[[Seen], dict[str, dict[str, Any]]]

#: How long the local AWS may take for one call, in seconds.
_PATIENCE = 60


class Recorder:
    """The proxy: where it listens, what it has seen and who watches.

    Attributes:
        seen: every call so far, in the order in which they were answered.
        watchers: asked in turn before a call is passed on; may be changed at any time.
    """

    def __init__(self, upstream: int, lookup: Lookup | None = None, watchers: Sequence[Watcher] = ()) -> None:
        self.seen: list[Seen] = []
        self.watchers = list(watchers)
        self._upstream = upstream
        self._lookup = lookup
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.recorder = self

    @property
    def endpoint(self) -> str:
        """For AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def mark(self) -> int:
        """A place in what was seen."""
        return len(self.seen)

    @contextmanager
    def listening(self) -> Iterator[Recorder]:
        """Answer calls until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def answer(self, method: str, target: str, headers: http.client.HTTPMessage, body: bytes) -> Answer:
        """Answer one request and write it down."""
        call = calls_seen.read(method, target, headers, body)  # type: ignore[arg-type]
        if self._lookup is not None:
            call = dataclasses.replace(call, facts=self._lookup(call))
        answer = next((found for watch in self.watchers if (found := watch(call)) is not None), None)
        if answer is None:
            answer = self._pass_on(method, target, headers, body)
        self.seen.append(dataclasses.replace(call, status=int(answer.status[:3])))
        return answer

    def _pass_on(self, method: str, target: str, headers: http.client.HTTPMessage, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=_PATIENCE)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            text = response.read()
            return Answer(f"{response.status} {response.reason}", tuple(response.getheaders()), text)
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    recorder: Recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Head and body leave in one piece, as from the local AWS itself.
    wbufsize = 1 << 20
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.recorder.answer(self.command, self.path, self.headers, body)
        status, _, reason = answer.status.partition(" ")
        self.send_response_only(int(status), reason)
        for name, value in answer.headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815 names of the standard library

    def log_message(self, *_: object) -> None:
        """Print nothing: what was seen is kept."""
