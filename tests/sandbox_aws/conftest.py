"""A running AWS sandbox, and clients of it, as anyone outside would have them."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.server import AwsServer

Document = dict[str, Any]


@dataclass
class World:
    """The server and what a test makes in it; names are new for each test, so that tests do not meet."""

    server: AwsServer
    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def client(
        self, service: str, key: str | None = None, secret: str = "", token: str | None = None, **more: Any
    ) -> Any:
        """A client with the given key; without one, the administrator's."""
        return boto3.client(
            service,
            endpoint_url=self.server.endpoint_url,
            region_name=more.pop("region", self.server.region),
            aws_access_key_id=key or self.server.access_key_id,
            aws_secret_access_key=secret if key else self.server.secret_access_key,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, **more),
        )

    @staticmethod
    def policy(*statements: Document) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    @staticmethod
    def allow(actions: str | list[str], resources: str | list[str], **more: Any) -> Document:
        return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}

    @staticmethod
    def refused(call: Callable[[], Any]) -> tuple[str, int]:
        """Return the error code and HTTP status of a call that must be refused."""
        with pytest.raises(ClientError) as caught:
            call()
        response = caught.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    @staticmethod
    def refusal(call: Callable[[], Any]) -> tuple[str, str]:
        """Return the error code and the message of a call that must be refused."""
        with pytest.raises(ClientError) as caught:
            call()
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def other_account(self, service: str) -> Any:
        server = self.server
        return self.client(service, server.other_account_access_key_id, server.other_account_secret_access_key)

    def bucket(self, name: str = "bucket") -> str:
        self.client("s3").create_bucket(Bucket=f"{name}-{self.tag}")
        return f"{name}-{self.tag}"

    def encrypted_bucket(self, key: str, name: str = "bucket", **more: Any) -> str:
        """Make a bucket whose default encryption is the KMS key."""
        bucket, default = self.bucket(name), {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rule = {"ApplyServerSideEncryptionByDefault": default, **more}
        self.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        return bucket

    def key(self, *statements: Document, account: Any = None) -> str:
        """Make a KMS key, by default with the policy that hands the decision to IAM; return its ARN."""
        policy = {"Policy": self.policy(*statements)} if statements else {}
        kms = account or self.client("kms")
        return str(kms.create_key(**policy)["KeyMetadata"]["Arn"])

    def user(self, name: str = "user") -> tuple[str, dict[str, str]]:
        """Make a user with a key and no permissions; return its ARN and the arguments of `client`."""
        iam = self.client("iam")
        arn = iam.create_user(UserName=f"{name}-{self.tag}")["User"]["Arn"]
        made = iam.create_access_key(UserName=f"{name}-{self.tag}")["AccessKey"]
        return arn, {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}

    def role(self, trusted: Any, name: str = "role", condition: Document | None = None, **more: Any) -> str:
        statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        if condition:
            statement["Condition"] = condition
        made = self.client("iam").create_role(
            RoleName=f"{name}-{self.tag}", AssumeRolePolicyDocument=self.policy(statement), **more
        )
        return str(made["Role"]["Arn"])

    def grant(self, role_arn: str, *statements: Document) -> None:
        self.client("iam").put_role_policy(
            RoleName=role_arn.rsplit("/", 1)[-1], PolicyName="granted", PolicyDocument=self.policy(*statements)
        )

    def session(self, user: dict[str, str], role_arn: str, **more: Any) -> dict[str, str]:
        """Assume the role; return the arguments of `client`."""
        answer = self.client("sts", **user).assume_role(RoleArn=role_arn, RoleSessionName="test", **more)
        made = answer["Credentials"]
        return {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"], "token": made["SessionToken"]}


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    running = AwsServer()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def world(server: AwsServer) -> World:
    return World(server)


@pytest.fixture(scope="module")
def shared_world(server: AwsServer) -> World:
    """One for all tests of a module, which change nothing that another one looks at."""
    return World(server)
