"""An emulator for each test, a caller that speaks HTTP to it, and an AWS with a customer in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import requests

from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer

# Port 9 answers nobody: tests that do not reach storage need no AWS.
NO_AWS = "http://127.0.0.1:9"
BUCKET = "customer-bucket"
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
        with requests.Session() as session:
            # A proxy in the environment is for other hosts than this one.
            session.trust_env = False
            answer = session.request(
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
            "payload": {"bucketName": BUCKET, "region": "eu-west-1", "path": "raw/", "storageClass": ""},
            "allowExternalDelete": False,
            **changes,
        }

    def create_driver(self, integration_id: str, name: str = "driver", **changes: Any) -> dict[str, Any]:
        """A new driver."""
        answer = self.call("POST", "/drivers", json=self.driver_body(integration_id, name, **changes))
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


@dataclass
class Customer:
    """A customer's account: a bucket, a user without permissions and the role that only this user may assume."""

    iam: Any
    s3: Any
    options: dict[str, str]
    role_name: str = "dataloop"

    @property
    def everything_needed(self) -> list[dict[str, Any]]:
        """Statements that a driver with all rights needs."""
        objects = f"arn:aws:s3:::{BUCKET}/*"
        return [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": objects},
        ]

    def permit(self, *statements: dict[str, Any]) -> None:
        """Make these statements the role's only permissions."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="dataloop", PolicyDocument=document)

    def trust(self, principal: str) -> None:
        """Let this principal, and no other, assume the role."""
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.update_assume_role_policy(RoleName=self.role_name, PolicyDocument=document)

    def keys(self) -> list[str]:
        """The keys of the bucket's objects."""
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    """An AWS that enforces IAM."""
    running = AwsServer()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def customer(aws: AwsServer) -> Customer:
    """The customer's side of a working connection."""
    admin = {
        "endpoint_url": aws.endpoint_url,
        "region_name": aws.region,
        "aws_access_key_id": aws.access_key_id,
        "aws_secret_access_key": aws.secret_access_key,
    }
    iam, s3 = boto3.client("iam", **admin), boto3.client("s3", **admin)
    s3.create_bucket(Bucket=BUCKET)
    user = iam.create_user(UserName="dataloop")["User"]
    key = iam.create_access_key(UserName="dataloop")["AccessKey"]
    statement = {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="dataloop", AssumeRolePolicyDocument=trust)["Role"]
    options = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"], "roleArns": role["Arn"]}
    ready = Customer(iam, s3, options)
    ready.permit(*ready.everything_needed)
    return ready


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


@pytest.fixture
def owner_of() -> Callable[[DataloopServer], Api]:
    """The owner, as a caller of an emulator that the test starts itself."""
    return lambda running: Api(running, running.token)
