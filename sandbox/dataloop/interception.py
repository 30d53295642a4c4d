"""The WSGI layer between socket and API: logs each call and lets faults happen, except to the control plane."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import threading
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sandbox.dataloop.errors import error_document
from sandbox.dataloop.faults import CallLog, Drop, Fault, FaultPlan

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_ID = "sandbox.request_id"
_LARGEST_DRAINED_BODY = 1_000_000


class Interception:
    """Wraps the API's WSGI application.

    Args:
        application: The API with its control plane.
        control_root: The path under which the control plane answers.
        faults: What is to go wrong.
        calls: Where calls are noted.
        stopping: Set when the server stops, which ends every delay.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        control_root: str,
        faults: FaultPlan,
        calls: CallLog,
        stopping: threading.Event,
    ) -> None:
        self._application = application
        self._control_root = control_root
        self._faults = faults
        self._calls = calls
        self._stopping = stopping

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 has it."""
        environ[REQUEST_ID] = str(uuid.uuid4())
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        if path == self._control_root or path.startswith(f"{self._control_root}/"):
            return self._application(environ, start_response)

        method = environ["REQUEST_METHOD"]
        call = self._calls.received(method, path)
        status: int | None = None
        drop: Drop | None = None
        try:
            fault = self._faults.take(method, path)
            if fault is None:
                status, headers, body = self._answer(environ)
            else:
                drop = fault.drop
                self._stopping.wait(fault.delay_s)
                if drop == "before":
                    _drain_body(environ)
                    _drop_connection(environ)
                status, headers, body = _faulty_answer(fault, environ) or self._answer(environ)
                if drop == "after":
                    _drop_connection(environ)
        finally:
            # Noted before the answer leaves, so that who has the answer finds the call in the log.
            self._calls.finished(call, status=status, drop=drop)
        start_response(f"{status} {http.client.responses.get(status, 'Unknown')}", headers)
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started.append((status, headers))

        chunks = self._application(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[-1]
        return int(status.split(" ", 1)[0]), headers, body


def _faulty_answer(fault: Fault, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes] | None:
    status = fault.status
    if status is None and fault.retry_after_s is not None:
        status = HTTPStatus.TOO_MANY_REQUESTS
    if status is None:
        return None
    request_id = environ[REQUEST_ID]
    body = json.dumps(error_document(int(status), "a fault that was ordered for this call", request_id)).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("x-request-id", request_id),
    ]
    if fault.retry_after_s is not None:
        headers.append(("Retry-After", str(math.ceil(fault.retry_after_s))))
    return int(status), headers, body


def _drain_body(environ: WSGIEnvironment) -> None:
    # An unread body would turn the close into a reset, and so make two kinds of failure out of one.
    with contextlib.suppress(OSError, ValueError):
        environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _LARGEST_DRAINED_BODY))


def _drop_connection(environ: WSGIEnvironment) -> None:
    connection: socket.socket = environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    # Werkzeug's server takes this for a client that has gone, and writes nothing.
    raise ConnectionAbortedError("the connection was dropped on purpose")
