"""AWS as seen through a door that can be held: at given calls, before AWS gets them or before the answers come back."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Door(ThreadingHTTPServer):
    """Forwards every request to one endpoint; the caller's signature stays valid, since its Host header is kept."""

    daemon_threads = True

    def __init__(self, endpoint_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(endpoint_url).netloc
        self._lock = threading.Lock()
        self._awaited: set[str] = set()
        self._after = False
        self._reached = threading.Event()
        self.opened = threading.Event()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def holding(self, *calls: str, after: bool) -> Iterator[threading.Event]:
        """Holds the next of each of some calls; yields the event of all of them being held.

        Args:
            calls: actions of IAM and STS, such as ``CreateAccessKey``; of S3 as ``PUT /bucket``.
            after: AWS has done them, only the answers are held; else AWS never gets them.
        """
        self._reached.clear()
        self.opened.clear()
        self._awaited, self._after = set(calls), after
        try:
            yield self._reached
        finally:
            self._awaited = set()
            self.opened.set()

    def is_held(self, call: str, *, after: bool) -> bool:
        """Whether a call is to be held now; each is once, and gets no answer even later: the caller is dead by then."""
        with self._lock:
            if call not in self._awaited or self._after is not after:
                return False
            self._awaited.remove(call)
            if not self._awaited:
                self._reached.set()
        self.opened.wait(60)
        return True


class _Handler(BaseHTTPRequestHandler):
    server: Door
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        actions = parse_qs(body.decode("latin-1")).get("Action") if self.command == "POST" else None
        call = actions[0] if actions else f"{self.command} {self.path}"
        if self.server.is_held(call, after=False):
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if self.server.is_held(call, after=True):
            self.close_connection = True
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        empty = self.command == "HEAD" or answer.status in (204, 304)
        length = answer.getheader("Content-Length") if empty else str(len(content))
        if length is not None:
            self.send_header("Content-Length", length)
        with suppress(BrokenPipeError):  # the caller was killed
            self.end_headers()
            self.wfile.write(b"" if empty else content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward  # noqa: N815 - named by the server

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
