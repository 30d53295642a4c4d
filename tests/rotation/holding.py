"""AWS as seen through a door that can be held: at a given call, before AWS gets it or before its answer comes back."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Door(ThreadingHTTPServer):
    """Forwards every request to one endpoint; the caller's signature stays valid, since its Host header is kept."""

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(endpoint_url).netloc
        self.held: tuple[str, bool] | None = None  # the action, and whether AWS gets it before it is held
        self.reached = threading.Event()
        self.opened = threading.Event()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def holding(self, action: str, *, after: bool) -> Iterator[threading.Event]:
        """Holds the next call of an IAM or STS action; yields the event of its being held.

        Args:
            action: such as ``CreateAccessKey``.
            after: AWS has done it, only the answer is held; else AWS never gets it.
        """
        self.reached.clear()
        self.opened.clear()
        self.held = (action, after)
        try:
            yield self.reached
        finally:
            self.held = None
            self.opened.set()


class _Handler(BaseHTTPRequestHandler):
    server: Door
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = parse_qs(body.decode("latin-1")).get("Action", [""])[0] if self.command == "POST" else ""
        held = self.server.held if self.server.held and self.server.held[0] == action else None
        if held:
            self.server.held = None
        if held and not held[1]:
            self._hold()
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if held:
            self._hold()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        empty = self.command == "HEAD" or answer.status in (204, 304)
        length = answer.getheader("Content-Length") if empty else str(len(content))
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if not empty:
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward  # noqa: N815 - named by the server

    def _hold(self) -> None:
        """The caller gets no answer, even later: it is dead by then."""
        self.server.reached.set()
        self.server.opened.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@contextmanager
def door_to(endpoint_url: str) -> Iterator[Door]:
    """A door for as long as the block runs."""
    door = Door(endpoint_url)
    threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield door
    finally:
        door.opened.set()
        door.shutdown()
        door.server_close()
