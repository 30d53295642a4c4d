"""A world for the steps and the providers: AWS and Dataloop as they run, and connections in them made by hand."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
import requests
from botocore.loaders import create_loader

from dataloop_sts import policies
from dataloop_sts.dataloop import DataloopClient, NewDriver, StsCredentials
from dataloop_sts.spec import ConnectionSpec
from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer

REGION = "eu-west-1"
_MODELS = create_loader()
_NO_PROXY = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
_numbers = itertools.count(1)


@cache
def _client(service: str, endpoint_url: str, access_key_id: str, secret: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
    )


@dataclass
class Connected:
    """The AWS side of one connection: what its spec says, and the credentials Dataloop would hold."""

    spec: ConnectionSpec
    user: str
    user_arn: str
    unique_id: str
    role: str
    role_arn: str
    policy_arn: str
    access_key_id: str
    secret: str

    @property
    def bucket(self) -> str:
        """The bucket of its first driver."""
        return self.spec.drivers[0].bucket_name

    @property
    def credentials(self) -> StsCredentials:
        """What an integration holds."""
        return StsCredentials.model_validate(
            {"access_key_id": self.access_key_id, "secret_access_key": self.secret, "role_arn": self.role_arn}
        )


@dataclass
class World:
    """Both servers, an administrator's clients, and names that no other test uses."""

    aws: AwsServer
    dataloop: DataloopServer
    tag: str = field(default_factory=lambda: f"t{next(_numbers)}")

    def __post_init__(self) -> None:
        """Makes the administrator's clients."""
        admin = (self.aws.endpoint_url, self.aws.access_key_id, self.aws.secret_access_key)
        self.s3: Any = _client("s3", *admin)
        self.iam: Any = _client("iam", *admin)
        self.kms: Any = _client("kms", *admin)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a shell in which `python -m sandbox env` was taken over, without any waiting."""
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.secret_access_key,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **_NO_PROXY,
            "DATALOOP_API_URL": self.dataloop.api_url,
            "DATALOOP_TOKEN": self.dataloop.token,
            "DATALOOP_STS_SETTLE_SECONDS": "0",
        }

    @property
    def elsewhere(self) -> dict[str, str]:
        """The variables of another account's administrator."""
        return {
            "AWS_ACCESS_KEY_ID": self.aws.other_account_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.other_account_secret_access_key,
        }

    @property
    def client(self) -> DataloopClient:
        """A client of the organization's owner."""
        return DataloopClient.shared()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Calls in this block are the test's own; Dataloop's log of calls begins after it."""
        yield
        self._control("DELETE", "/calls")

    def make_bucket(self, name: str | None = None) -> str:
        """A bucket in the connection's region."""
        name = name or f"bucket-{self.tag}"
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def close_bucket(self, bucket: str) -> str:
        """Blocks all public access to a bucket."""
        settings = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        block = dict.fromkeys(settings, True)
        self.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
        return bucket

    def make_policy(self, name: str, *actions: str) -> str:
        """A managed policy that allows some actions everywhere; returns its ARN."""
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(self.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])

    def make_key(self, **settings: Any) -> str:
        """A KMS key in the connection's region; returns its ARN."""
        return str(self.kms.create_key(**settings)["KeyMetadata"]["Arn"])

    def connect(self, *, make_bucket: bool = True, aws: dict[str, Any] | None = None, **driver: Any) -> Connected:
        """Bucket, user, key, policy and role as the program makes them, for one driver; ``aws``: more of the spec's."""
        bucket = f"bucket-{self.tag}"
        spec = ConnectionSpec.parse(
            {
                "customer": self.tag,
                "organization_id": self.dataloop.org_id,
                "aws": {"region": REGION, **(aws or {})},
                "drivers": [
                    {
                        "name": f"driver-{self.tag}",
                        "project_id": self.dataloop.project_id,
                        "bucket": {"name": bucket},
                        **driver,
                    }
                ],
            },
            environment="dev",
        )
        if make_bucket:
            self.make_bucket(bucket)
        names = spec.names("dev")
        path = {"Path": spec.aws.iam_path}
        boundary = spec.aws.permissions_boundary
        bounded = {**path, **({"PermissionsBoundary": boundary} if boundary else {})}
        user = self.iam.create_user(UserName=names.user, **bounded)["User"]
        key = self.iam.create_access_key(UserName=names.user)["AccessKey"]
        permission = policies.canonical(policies.permission_document(spec))
        policy = self.iam.create_policy(PolicyName=names.policy, PolicyDocument=permission, **path)["Policy"]
        trust = policies.canonical(policies.trust_document(user["Arn"], user["UserId"], spec.aws.trust_source_ips))
        role = self.iam.create_role(RoleName=names.role, AssumeRolePolicyDocument=trust, **bounded)["Role"]
        self.iam.attach_role_policy(RoleName=names.role, PolicyArn=policy["Arn"])
        return Connected(
            spec=spec,
            user=names.user,
            user_arn=user["Arn"],
            unique_id=user["UserId"],
            role=names.role,
            role_arn=role["Arn"],
            policy_arn=policy["Arn"],
            access_key_id=key["AccessKeyId"],
            secret=key["SecretAccessKey"],
        )

    def also_grant(self, role: str, action: Any, resource: Any) -> None:
        """One more permission of a role, beside its policy."""
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=role, PolicyName="also", PolicyDocument=document)

    def put(self, *keys: str) -> None:
        """Objects in the test's bucket."""
        for key in keys:
            self.s3.put_object(Bucket=f"bucket-{self.tag}", Key=key, Body=b"x")

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket's objects."""
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def register(self, connected: Connected, name: str | None = None) -> tuple[str, str]:
        """An integration with the connection's credentials and its driver; returns their ids."""
        driver = connected.spec.drivers[0]
        integration = self.client.create_integration(
            self.dataloop.org_id, name or f"integration-{self.tag}", connected.credentials
        )
        return integration.id, self.make_driver(integration.id, connected, driver.name)

    def make_driver(self, integration_id: str, connected: Connected, name: str, **changes: Any) -> str:
        """A driver of the connection's bucket; returns its id."""
        driver = connected.spec.drivers[0]
        wanted = {
            "name": name,
            "project_id": driver.project_id,
            "integration_id": integration_id,
            "bucket": driver.bucket_name,
            "region": REGION,
            "path": driver.prefix,
            "allow_delete": driver.allow_delete,
            "creator": self.client.me().email,
            **changes,
        }
        return self.client.create_driver(NewDriver.model_validate(wanted)).id

    def make_dataset(self, driver_id: str, name: str) -> str:
        """A dataset whose items are on a driver; returns its id."""
        body = {"name": name, "projects": [self.dataloop.project_id], "driver": driver_id}
        answer = self.call("POST", "/datasets", json=body)
        return str(answer.json()["id"])

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request to Dataloop as the owner, as somebody else than the program would make it."""
        headers = {"Authorization": f"Bearer {self.dataloop.token}"}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, self.dataloop.api_url + path, headers=headers, timeout=10, **options)
        answer.raise_for_status()
        return answer

    def fault(self, method: str, path: str, *, times: int = 1, **what: Any) -> None:
        """Lets the next calls of Dataloop go wrong."""
        body = {"method": method, "path": path, "times": times, **what}
        self._control("POST", "/faults", json=body)

    def clear_faults(self) -> None:
        """Lets all calls of Dataloop go right again, and forgets those that were made."""
        self._control("DELETE", "/faults")
        self._control("DELETE", "/calls")

    def calls(self, method: str | None = None) -> list[str]:
        """The paths of the calls that Dataloop has received, below the API's address."""
        received = self._control("GET", "/calls").json()
        return [c["path"].partition("/api/v1")[2] for c in received if method in (None, c["method"])]

    def _control(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, self.dataloop.control_url + path, timeout=10, **options)
        answer.raise_for_status()
        return answer


@contextmanager
def servers() -> Iterator[tuple[AwsServer, DataloopServer]]:
    """Both servers for as long as the block runs; one AWS at a time in a process."""
    aws = AwsServer()
    aws.start()
    dataloop = DataloopServer(aws.endpoint_url)
    try:
        dataloop.start()
        yield aws, dataloop
    finally:
        dataloop.stop()
        aws.stop()


@contextmanager
def world_of(running: tuple[AwsServer, DataloopServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of one test: its environment in place, no fault pending before and after."""
    # botocore reads its models anew for each session, which would be most of the tests' time
    monkeypatch.setattr("botocore.session.create_loader", lambda search_path=None: _MODELS)
    for name in list(os.environ):
        if name.startswith(("AWS_", "DATALOOP_", "PULUMI_COMMAND_")):
            monkeypatch.delenv(name)
    for name, value in _NO_PROXY.items():
        monkeypatch.setenv(name, value)
    world = World(*running)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    world.clear_faults()
    yield world
    world.clear_faults()
    world.aws.consistency_delay_s = 0
