"""A stand-in of GitHub's API for comments on issues: pages of 100, tokens with their users, faults, on loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ACTIONS = "github-actions[bot]"
TOKEN = "ghs_0123456789abcdef0123456789abcdef0123"


@dataclass
class Fault:
    """What answers a call instead of GitHub, or after it (``applied``); ``drop`` breaks the connection."""

    method: str
    path: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    applied: bool = False
    drop: bool = False


class GitHub:
    """One pull request, number 7 of acme/connections, and whoever comments it."""

    def __init__(self) -> None:
        self.tokens = {TOKEN: ACTIONS}
        self.comments: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.faults: list[Fault] = []
        self.before_making: Callable[[], object] = lambda: None
        self.repository, self.number = "acme/connections", 7
        self._next = 1
        self._lock = threading.Lock()
        stand_in = self

        class Handler(_Handler):
            github = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, author: str | None, body: str) -> dict[str, Any]:
        """Somebody's comment."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            page = f"https://github.example/{self.repository}/pull/{self.number}#issuecomment-{number}"
            user = {"login": author, "type": "Bot" if author.endswith("[bot]") else "User"} if author else None
            comment = {"id": number, "user": user, "body": body, "html_url": page}
            self.comments.append(comment)
        return comment

    def writes(self) -> list[str]:
        """The calls that change something, in order."""
        return [call for call in self.calls if not call.startswith("GET") and "graphql" not in call]

    def answer(self, method: str, target: str, token: str, sent: Any) -> tuple[int, dict[str, str], Any]:
        """What GitHub answers."""
        path = urlsplit(target).path
        query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        author = self.tokens.get(token)
        if author is None:
            return 401, {}, {"message": "Bad credentials"}
        if (method, path) == ("POST", "/graphql"):
            return 200, {}, {"data": {"viewer": {"login": author}}}
        if path == f"/repos/{self.repository}/issues/{self.number}/comments":
            if method == "GET":
                return self._page(query)
            self.before_making()
            return 201, {}, self.add(author, sent["body"])
        one = re.fullmatch(rf"/repos/{self.repository}/issues/comments/(\d+)", path)
        found = [each for each in self.comments if one and each["id"] == int(one[1])]
        if not found:
            return 404, {}, {"message": "Not Found"}
        if method == "DELETE":
            self.comments.remove(found[0])
            return 204, {}, None
        found[0]["body"] = sent["body"]
        return 200, {}, found[0]

    def _page(self, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        size, page = min(int(query.get("per_page", "30")), 100), int(query.get("page", "1"))
        rest = self.comments[page * size :]
        # as GitHub, and as an attacker would like it: the address of another host, which must not be followed
        following = f'<https://elsewhere.invalid/x?per_page={size}&page={page + 1}>; rel="next"'
        return 200, {"Link": following} if rest else {}, self.comments[(page - 1) * size : page * size]


class _Handler(BaseHTTPRequestHandler):
    github: GitHub
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else None
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.github.calls.append(f"{self.command} {self.path}")
        fault = next(
            (each for each in self.github.faults if each.method == self.command and re.search(each.path, self.path)),
            None,
        )
        answer = (fault.status, fault.headers, fault.body) if fault else None
        if fault:
            fault.times -= 1
            if not fault.times:
                self.github.faults.remove(fault)
        if not fault or fault.applied:
            real = self.github.answer(self.command, self.path, token, sent)
            answer = answer or real
        if fault and fault.drop:
            self.close_connection = True
            return
        assert answer
        status, headers, body = answer
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""
