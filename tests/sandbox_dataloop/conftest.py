"""An emulator for each test, and a caller that speaks HTTP to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sandbox.dataloop.server import DataloopServer

# Port 9 answers nobody: tests that do not reach storage need no AWS.
NO_AWS = "http://127.0.0.1:9"
SECRET = "emulator-test-secret-access-key-0123456789"


@dataclass
class Api:
    """Calls the emulator over HTTP as one user."""

    server: DataloopServer
    token: str | None

    @property
    def integrations(self) -> str:
        """Path of the organization's integrations."""
        return f"/orgs/{self.server.org_id}/integrations"

    def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """One request to a path below the API's root; every answer is JSON and has a request id."""
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = requests.request(
            method, self.server.api_url + path, headers={**token, **(headers or {})}, timeout=20, **options
        )
        assert answer.headers["x-request-id"]
        if answer.status_code >= 400:
            document = answer.json()
            assert document["status"] == answer.status_code
            assert document["message"]
            assert document["requestId"] == answer.headers["x-request-id"]
        return answer

    def integration_body(self, name: str = "connection", **changes: Any) -> dict[str, Any]:
        """A body that POST integrations accepts, with changes."""
        options = {
            "key": "AKIAEMULATORTEST0001",
            "secret": SECRET,
            "roleArns": "arn:aws:iam::123456789012:role/dataloop",
        }
        return {"type": "aws-sts", "name": name, "options": options, **changes}

    def create_integration(self, name: str = "connection", **changes: Any) -> dict[str, Any]:
        """A new integration."""
        answer = self.call("POST", self.integrations, json=self.integration_body(name, **changes))
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def driver_body(self, integration_id: str, name: str = "driver", **changes: Any) -> dict[str, Any]:
        """A body that POST drivers accepts, with changes."""
        return {
            "type": "s3",
            "name": name,
            "creator": self.call("GET", "/users/me").json()["email"],
            "integrationId": integration_id,
            "integrationType": "aws-sts",
            "metadata": {"system": {"projectId": self.server.project_id}},
            "payload": {"bucketName": "customer-bucket", "region": "eu-west-1", "path": "raw/", "storageClass": ""},
            "allowExternalDelete": False,
            **changes,
        }

    def create_driver(self, integration_id: str, name: str = "driver", **changes: Any) -> dict[str, Any]:
        """A new driver."""
        answer = self.call("POST", "/drivers", json=self.driver_body(integration_id, name, **changes))
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def server() -> Iterator[DataloopServer]:
    """A fresh emulator without storage behind it."""
    running = DataloopServer(NO_AWS)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def owner(server: DataloopServer) -> Api:
    """The organization's owner."""
    return Api(server, server.token)


@pytest.fixture
def member(server: DataloopServer) -> Api:
    """A member of the organization who is not its owner."""
    return Api(server, server.non_owner_token)
