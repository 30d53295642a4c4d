"""Runs the emulator on a local port: `DataloopServer`, and the little world that every start begins with."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.dataloop.application import API_ROOT, CONTROL_ROOT, make_application
from sandbox.dataloop.faults import CallLog, FaultPlan
from sandbox.dataloop.interception import Interception
from sandbox.dataloop.login import MachineLogin
from sandbox.dataloop.records import Organization, Project, User
from sandbox.dataloop.storage_test import StorageTest
from sandbox.dataloop.store import Store
from sandbox.dataloop.tokens import TokenIssuer

# Ids that a stack's configuration can name: the same at every start.
ORG_ID = "5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000001"
PROJECT_ID = "5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000002"
OTHER_PROJECT_ID = "5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000003"
FOREIGN_ORG_ID = "5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000004"
FOREIGN_PROJECT_ID = "5f0c7a2e-7c1d-4a53-9f0b-0d5a1c000005"

OWNER = User("owner@sandbox.example", "Olive", "Owner")
MEMBER = User("member@sandbox.example", "Manu", "Member")
MACHINE = User("machine@sandbox.example", "Machine", "User")
FOREIGNER = User("owner@foreign.example", "Fanny", "Foreigner")

_TOKEN_LIFETIME_S = 365 * 24 * 3600.0
_LONGEST_SILENCE_S = 30.0
_LONGEST_WAIT_FOR_STOP_S = 5.0


class DataloopServer:
    """The emulator of Dataloop's REST API, on threads of this process; it forgets everything when it stops.

    Args:
        aws_endpoint_url: Where a driver's TEST reaches STS and S3.
        port: 0 for any free one.
        host: The address to listen on.

    Attributes, from `start` on:
        api_url: The API's base URL, which ends in /api/v1.
        control_url: Base URL of the control plane: /faults, /calls, /login-lifetime.
        token: A token of an owner of the organization.
        non_owner_token: A token of a member who is not an owner.
        expired_token: A token of the owner that has expired.
        foreign_token: A token of the owner of the foreign organization, who is nobody in the other one.
        username, password: A machine-to-machine login, of an owner too.

    Attributes that never change:
        org_id, project_id, other_project_id: An organization and its two projects.
        foreign_org_id, foreign_project_id: An organization that none of the other tokens' users belongs to, and its
            project.
    """

    org_id = ORG_ID
    project_id = PROJECT_ID
    other_project_id = OTHER_PROJECT_ID
    foreign_org_id = FOREIGN_ORG_ID
    foreign_project_id = FOREIGN_PROJECT_ID

    api_url: str
    control_url: str
    token: str
    non_owner_token: str
    expired_token: str
    foreign_token: str
    username: str
    password: str

    def __init__(self, aws_endpoint_url: str, port: int = 0, host: str = "127.0.0.1") -> None:
        self._aws_endpoint_url = aws_endpoint_url
        self._address = (host, port)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin a new world and serve it; calls are answered once this returns. Raises OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError("the server is running already")
        # Bound here, since werkzeug ends the whole process when a port is taken.
        listener = socket.create_server(self._address, backlog=128)
        try:
            host, port = listener.getsockname()[:2]
            gate_url = f"http://{host}:{port}"
            self._stopping = threading.Event()
            self._server = make_server(
                host,
                port,
                self._new_world(gate_url),
                threaded=True,
                request_handler=_QuietHandler,
                fd=listener.fileno(),
            )
        finally:
            listener.close()
        self.api_url = gate_url + API_ROOT
        self.control_url = gate_url + CONTROL_ROOT
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="dataloop-emulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and forget the world; does nothing when the server is not running."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join(_LONGEST_WAIT_FOR_STOP_S)
        self._server.server_close()
        self._server = self._thread = None

    def _new_world(self, gate_url: str) -> Interception:
        store = _initial_store()
        tokens = TokenIssuer()
        login = MachineLogin(tokens, MACHINE.email, secrets.token_urlsafe(24))
        self.token = tokens.issue(OWNER.email, _TOKEN_LIFETIME_S)
        self.non_owner_token = tokens.issue(MEMBER.email, _TOKEN_LIFETIME_S)
        self.expired_token = tokens.issue(OWNER.email, -3600)
        self.foreign_token = tokens.issue(FOREIGNER.email, _TOKEN_LIFETIME_S)
        self.username, self.password = login.username, login.password
        faults, calls = FaultPlan(API_ROOT), CallLog()
        application = make_application(
            gate_url=gate_url,
            store=store,
            tokens=tokens,
            login=login,
            storage_test=StorageTest(self._aws_endpoint_url),
            faults=faults,
            calls=calls,
        )
        return Interception(application, control_root=CONTROL_ROOT, faults=faults, calls=calls, stopping=self._stopping)


def _initial_store() -> Store:
    now = time.time_ns() // 1_000_000
    owners = (OWNER.email, MACHINE.email)
    members = (*owners, MEMBER.email)
    foreigners = (FOREIGNER.email,)
    return Store(
        users=[OWNER, MEMBER, MACHINE, FOREIGNER],
        organizations=[
            Organization(ORG_ID, "Sandbox", now, owners, members),
            Organization(FOREIGN_ORG_ID, "Foreign", now, foreigners, foreigners),
        ],
        projects=[
            Project(PROJECT_ID, "Sandbox project", ORG_ID, now, members),
            Project(OTHER_PROJECT_ID, "Other sandbox project", ORG_ID, now, members),
            Project(FOREIGN_PROJECT_ID, "Foreign project", FOREIGN_ORG_ID, now, foreigners),
        ],
    )


class _QuietHandler(WSGIRequestHandler):
    """Logs nothing, since a test reads the log of calls; ends a connection that stays silent."""

    protocol_version = "HTTP/1.1"
    timeout = _LONGEST_SILENCE_S

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Replaces werkzeug's log of each request."""

    def handle(self) -> None:
        """Serve one connection; a client that goes away is no error."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()
