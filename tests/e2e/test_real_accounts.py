"""A connection in a customer's account, deployed by a role of the customer's that may do no more than it needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from typer.testing import CliRunner

from automation.cli.frame import app
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import StackError
from automation.records import find
from dataloop_sts.deployer import PROVIDERS_OWN
from sandbox.aws import authorization
from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer
from tests.e2e.harness import World

REGION, CUSTOMER = "eu-west-1", "acme"
NAME, PATH = "dataloop-acme-prod", "/dataloop/"
# AWS asks for it where an object has versions, the sandbox does not:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
VERSIONS = ("s3:DeleteObjectVersion",)
OPEN_TO_ROLE = ["s3:ListBucket", "s3:GetObject", "s3:DeleteObject", "kms:Decrypt", "kms:GenerateDataKey"]


@dataclass
class Customer:
    """A customer's account, its administrator, and a record; an operator of another account who may assume one role."""

    aws: AwsServer
    dataloop: DataloopServer
    folder: Path
    used: list[tuple[Access, Policies]]
    """Each decision in favour of the deploying role."""

    def __post_init__(self) -> None:
        self.account = self.aws.other_account_id
        self.s3, self.iam, self.kms = (
            boto3.client(
                service,
                endpoint_url=self.aws.endpoint_url,
                region_name=REGION,
                aws_access_key_id=self.aws.other_account_access_key_id,
                aws_secret_access_key=self.aws.other_account_secret_access_key,
            )
            for service in ("s3", "iam", "kms")
        )
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.boundary = self.iam.create_policy(
            PolicyName="boundary", PolicyDocument=_document(*OPEN_TO_ROLE), Path="/security/"
        )["Policy"]["Arn"]
        self._make_bucket_of_their_own()
        self.record = {
            "organization_id": self.dataloop.org_id,
            "aws": {
                "region": REGION,
                "account_id": self.account,
                "tags": {"team": "data", "gone-soon": "yes"},
                "iam_path": PATH,
                "permissions_boundary": self.boundary,
                "trust_source_ips": ["203.0.113.0/24"],
            },
            "on_destroy": "delete",
            "drivers": [
                self._driver("acme-made", {"name": "acme-made", "kms_key_arn": self.key}),
                self._driver("acme-raw", {"existing": "acme-theirs", "kms_key_arn": self.key}, "raw/"),
                self._driver("acme-out", {"existing": "acme-theirs", "kms_key_arn": self.key}, "out/"),
            ],
        }

    def _driver(self, name: str, bucket: dict[str, str], prefix: str | None = None) -> dict[str, Any]:
        folder = {"prefix": prefix} if prefix else {}
        return {"name": name, "project_id": self.dataloop.project_id, "bucket": bucket, **folder}

    def _make_bucket_of_their_own(self) -> None:
        bucket = "acme-theirs"
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        settings = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(settings, True))
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}
        self.s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
        )
        self.s3.put_object(Bucket=bucket, Key="raw/cat.jpg", Body=b"a cat")

    def write(self) -> Connection:
        """Writes the record, and gives the connection that it describes."""
        file = self.folder / "customers" / "prod" / f"{CUSTOMER}.yaml"
        file.write_text(yaml.safe_dump(self.record))
        return self.connection

    @property
    def connection(self) -> Connection:
        return Connection.of(find(Environment.of("prod", self.folder), CUSTOMER))

    def command(self, *arguments: str) -> str:
        """Runs `dataloop-sts` in this process; returns its standard output."""
        done = CliRunner().invoke(app, ["-e", "prod", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def make_deploy_role(self) -> dict[str, Any]:
        """Does what the template says, and writes into the record what the command says; returns the permissions."""
        operator = f"arn:aws:iam::{self.aws.account_id}:user/operator"
        template = yaml.safe_load(self.command("bootstrap", CUSTOMER, "--principal", operator))
        made = template["Resources"]["DeployRole"]["Properties"]
        arn = self.iam.create_role(
            RoleName=made["RoleName"],
            Path=made["Path"],
            AssumeRolePolicyDocument=json.dumps(made["AssumeRolePolicyDocument"]),
        )["Role"]["Arn"]
        (policy,) = made["Policies"]
        self.iam.put_role_policy(
            RoleName=made["RoleName"],
            PolicyName=policy["PolicyName"],
            PolicyDocument=json.dumps(policy["PolicyDocument"]),
        )
        external_id = made["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
        self.record["aws"]["deploy_role"] = {"arn": arn, "external_id": external_id}
        permissions: dict[str, Any] = policy["PolicyDocument"]
        return permissions

    def left(self) -> dict[str, list[str]]:
        """What is in the account, by kind."""
        return {
            "buckets": [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]],
            "users": [user["UserName"] for user in self.iam.list_users()["Users"]],
            "roles": [role["RoleName"] for role in self.iam.list_roles()["Roles"]],
            "policies": [policy["PolicyName"] for policy in self.iam.list_policies(Scope="Local")["Policies"]],
        }

    def spoil(self) -> None:
        """What people do to user and role: the boundary off, longer sessions, a policy on the user."""
        self.iam.delete_user_permissions_boundary(UserName=NAME)
        self.iam.delete_role_permissions_boundary(RoleName=NAME)
        self.iam.update_role(RoleName=NAME, MaxSessionDuration=7200)
        self.iam.put_user_policy(UserName=NAME, PolicyName="theirs", PolicyDocument=_document("s3:ListBucket"))


def _document(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def customer(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Customer]:
    """An AWS in this process, so that each of its decisions can be seen, and a shell of the operator's."""
    used: list[tuple[Access, Policies]] = []

    def seen(access: Access, policies: Policies) -> Any:
        decision = evaluate(access, policies)
        if decision.allowed and access.principal.name == f"{NAME}-deploy":
            used.append((access, policies))
        return decision

    monkeypatch.setattr(authorization, "evaluate", seen)
    aws = AwsServer()
    aws.start()
    dataloop = DataloopServer(aws.endpoint_url)
    try:
        dataloop.start()
        operator = _make_operator(aws)
        settings = {
            **world.environment,
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": operator["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": operator["SecretAccessKey"],
            "DATALOOP_API_URL": dataloop.api_url,
            "DATALOOP_TOKEN": dataloop.token,
            "DATALOOP_STS_SETTLE_SECONDS": "1",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "customers" / "prod").mkdir(parents=True)
        (tmp_path / "customers" / "prod" / "_environment.yaml").write_text("sandbox: true\n")
        monkeypatch.chdir(tmp_path)
        yield Customer(aws, dataloop, tmp_path, used)
    finally:
        dataloop.stop()
        aws.stop()


def _make_operator(aws: AwsServer) -> dict[str, str]:
    iam = boto3.client(
        "iam",
        endpoint_url=aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
    )
    iam.create_user(UserName="operator")
    iam.put_user_policy(UserName="operator", PolicyName="deploy", PolicyDocument=_document("sts:AssumeRole"))
    key: dict[str, str] = iam.create_access_key(UserName="operator")["AccessKey"]
    return key


def _unneeded(document: dict[str, Any], used: list[tuple[Access, Policies]]) -> set[str]:
    """The actions, each of one statement, without which all that was done would have been allowed too."""
    unneeded = set()
    for statement in document["Statement"]:
        for action in statement["Action"]:
            reduced = copy.deepcopy(document)
            (same,) = [each for each in reduced["Statement"] if each["Sid"] == statement["Sid"]]
            same["Action"] = [each for each in same["Action"] if each != action] or ["none:None"]
            asked = [(access, policies) for access, policies in used if access.action == action]
            if all(evaluate(access, replace(policies, identity=(reduced,))).allowed for access, policies in asked):
                unneeded.add(action)
    return unneeded


def test_a_customers_account_is_connected_by_a_role_that_may_do_no_more_than_that(customer: Customer) -> None:
    customer.write()
    permissions = customer.make_deploy_role()
    before = customer.left()

    # from outside of the addresses the verification cannot tell; Dataloop's TEST does, which is outside too
    with pytest.raises(StackError) as outside:
        customer.write().up()
    assert "Dataloop's TEST of driver \"acme-" in str(outside.value)
    assert "aws.trust_source_ips" in str(outside.value)

    # inside: the boundary forgets PutObject, which the verification tells before Dataloop hears of anything more
    customer.record["aws"]["trust_source_ips"] = ["127.0.0.0/8"]
    with pytest.raises(StackError) as bounded:
        customer.write().up()
    said = "refused: no permissions boundary allows s3:PutObject (aws.permissions_boundary)"
    assert f"expected allowed, got {said}" in str(bounded.value)

    mended = _document(*OPEN_TO_ROLE, "s3:PutObject")
    customer.iam.create_policy_version(PolicyArn=customer.boundary, PolicyDocument=mended, SetAsDefault=True)
    customer.connection.up()
    outputs = customer.connection.outputs()
    assert outputs["verification"]["ok"] is True
    assert outputs["bucket_names"] == ["acme-made", "acme-theirs"]
    assert outputs["user_arn"] == f"arn:aws:iam::{customer.account}:user{PATH}{NAME}"
    assert len(outputs["driver_ids"]) == 3
    _is_as_the_record_says(customer, {"team": "data", "gone-soon": "yes"})
    assert customer.connection.preview().changed == 0

    # a shut-off, and what people spoil, are mended in one run, together with changes of the record
    customer.command("revoke", CUSTOMER, "--yes")
    customer.spoil()
    found = {finding.check for finding in customer.connection.audit(use_state=False).findings}
    assert found == {"boundary-missing", "key-inactive", "role-sessions-revoked", "user-permission"}
    customer.iam.delete_user_policy(UserName=NAME, PolicyName="theirs")
    customer.record["aws"]["tags"] = {"team": "data"}
    customer.record["aws"]["trust_source_ips"] = ["127.0.0.0/8", "203.0.113.0/24"]
    customer.record["drivers"][0]["allow_delete"] = True
    customer.record["access_key"] = {"generation": 2}
    customer.write().up(refresh=True)
    assert customer.connection.outputs()["access_key_generation"] == 2
    _is_as_the_record_says(customer, {"team": "data"})
    assert customer.iam.get_role(RoleName=NAME)["Role"]["MaxSessionDuration"] == 3600
    assert customer.connection.audit(use_state=False).at_or_above("high") == ()

    customer.s3.put_object(Bucket="acme-made", Key=".dataloop/state", Body=b"the platform's")
    customer.connection.destroy()
    assert customer.left() == before
    assert customer.s3.get_object(Bucket="acme-theirs", Key="raw/cat.jpg")["Body"].read() == b"a cat"
    keys = [entry["Key"] for entry in customer.s3.list_objects_v2(Bucket="acme-theirs")["Contents"]]
    assert sorted(keys) == ["out/test-file", "raw/cat.jpg", "raw/test-file"]

    # nothing of it could have been left out of the role's permissions
    assert len(customer.used) > 200
    assert _unneeded(permissions, customer.used) == {*PROVIDERS_OWN, *VERSIONS}


def _is_as_the_record_says(customer: Customer, tags: dict[str, str]) -> None:
    s3, iam = customer.s3, customer.iam
    expected = {
        "managed-by": "dataloop-sts",
        "dataloop-sts:customer": CUSTOMER,
        "dataloop-sts:environment": "prod",
        **tags,
    }
    user = iam.get_user(UserName=NAME)["User"]
    role = iam.get_role(RoleName=NAME)["Role"]
    policy = iam.get_policy(PolicyArn=f"arn:aws:iam::{customer.account}:policy{PATH}{NAME}")["Policy"]
    of_bucket = s3.get_bucket_tagging(Bucket="acme-made")["TagSet"]
    for tagged in (user["Tags"], role["Tags"], policy["Tags"], of_bucket):
        assert {t["Key"]: t["Value"] for t in tagged if not t["Key"].startswith("AKIA")} == expected
    assert (user["Path"], role["Path"], policy["Path"]) == (PATH, PATH, PATH)
    for bounded in (user, role):
        assert bounded["PermissionsBoundary"]["PermissionsBoundaryArn"] == customer.boundary
    rules = s3.get_bucket_encryption(Bucket="acme-made")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == customer.key
    stored = s3.head_object(Bucket="acme-theirs", Key="raw/test-file")
    assert stored["SSEKMSKeyId"] == customer.key
