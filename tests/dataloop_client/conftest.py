"""Two counterparts for the client: the emulator, and a server that plays a script of replies, good and bad."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient, Retries, Timeouts, TokenCredentials
from sandbox.dataloop.server import DataloopServer

# A loaded machine is no failure of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers each request with the next reply: a dictionary with status, json, raw, headers, delay, drop, dribble."""

    replies: list[dict[str, Any]]
    port: int = 0
    requests: list[Received] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"


def _handler_of(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.requests.append(Received(self.command, self.path, dict(self.headers), body))
            reply = server.replies.pop(0) if server.replies else {"status": 599, "json": {"message": "script is over"}}
            if callable(reply):
                reply = reply(server.requests[-1])
            time.sleep(reply.get("delay", 0))
            if reply.get("drop"):
                self.close_connection = True
                self.connection.close()
                return
            content = reply.get("raw", json.dumps(reply["json"]).encode() if "json" in reply else b"")
            self.send_response(reply.get("status", 200))
            for name, value in reply.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + reply.get("missing", 0)))
            self.end_headers()
            step = 1 if reply.get("dribble") else max(1, len(content))
            with contextlib.suppress(OSError):
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    self.wfile.flush()
                    time.sleep(reply.get("dribble", 0))
            self.close_connection = bool(reply.get("missing"))

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: the tests look at what was received."""

    return Handler


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts a server for a script of replies."""
    running: list[ThreadingHTTPServer] = []

    def start(*replies: Any) -> ScriptedServer:
        server = ScriptedServer(list(replies))
        listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(server))
        listener.daemon_threads = True
        listener.block_on_close = False
        server.port = listener.server_address[1]
        Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(listener)
        return server

    yield start
    for listener in running:
        listener.shutdown()
        listener.server_close()


@pytest.fixture(scope="session")
def _emulator() -> Iterator[DataloopServer]:
    server = DataloopServer(aws_endpoint_url="http://127.0.0.1:9")  # nothing listens there: every TEST fails
    server.start()
    yield server
    server.stop()


@pytest.fixture
def emulator(_emulator: DataloopServer) -> Iterator[DataloopServer]:
    """The emulator without faults, its log of calls empty."""
    requests.delete(f"{_emulator.control_url}/faults", timeout=5)
    requests.delete(f"{_emulator.control_url}/calls", timeout=5)
    yield _emulator
    requests.delete(f"{_emulator.control_url}/faults", timeout=5)


@pytest.fixture
def fault(emulator: DataloopServer) -> Callable[..., None]:
    """Orders a fault of the emulator."""

    def order(method: str, path: str, *, times: int = 1, **what: object) -> None:
        body = {"method": method, "path": path, "times": times, **what}
        requests.post(f"{emulator.control_url}/faults", json=body, timeout=5).raise_for_status()

    return order


@pytest.fixture
def calls(emulator: DataloopServer) -> Callable[[str, str], int]:
    """Counts the calls that the emulator has received."""

    def count(method: str, path: str) -> int:
        received = requests.get(f"{emulator.control_url}/calls", timeout=5).json()
        return sum(call["method"] == method and call["path"].endswith(path) for call in received)

    return count


@pytest.fixture
def waits() -> list[float]:
    """The waits between attempts, in seconds; they are noted, not waited."""
    return []


@pytest.fixture
def make_client(waits: list[float]) -> Callable[..., DataloopClient]:
    """A client of an address, by a token or other credentials, that does not really wait between attempts."""

    def make(api_url: str, credentials: Any = "a.static.token", **settings: Any) -> DataloopClient:
        if isinstance(credentials, str):
            credentials = TokenCredentials(SecretStr(credentials))
        settings.setdefault("retries", Retries(sleep=waits.append))
        settings.setdefault("timeout", Timeouts(connect=2, read=5, total=30))
        return DataloopClient(api_url, credentials, **settings)

    return make


@pytest.fixture
def client(emulator: DataloopServer, make_client: Callable[..., DataloopClient]) -> DataloopClient:
    """A client of the emulator, as the organization's owner."""
    return make_client(emulator.api_url, emulator.token)


@pytest.fixture
def make_token() -> Callable[..., str]:
    """A well-formed, unsigned JSON Web Token with the given claims."""

    def segment(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    return lambda **claims: f"{segment({'alg': 'none'})}.{segment(claims)}.c2lnbmF0dXJl"
