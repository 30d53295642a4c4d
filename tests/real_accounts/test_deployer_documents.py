"""What a customer gives to whoever deploys, word for word in each partition, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from automation.cli.frame import app
from dataloop_sts import deployer
from dataloop_sts.audit.auditor import auditor_document
from dataloop_sts.errors import SpecError
from dataloop_sts.policies import canonical
from tests.unit.spec_examples import PROJECT, data, driver, spec

ACCOUNT, OPERATOR = "123456789012", "999999999999"
PLACES = [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]


def key(region: str, partition: str) -> str:
    """The ARN of a KMS key."""
    return f"arn:{partition}:kms:{region}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def rich(region: str, partition: str, **changes: Any) -> dict[str, Any]:
    """A spec with a managed and an existing bucket, a key, a path and a boundary."""
    boundary = f"arn:{partition}:iam::{ACCOUNT}:policy/boundary"
    theirs = {"existing": "bucket-theirs", "kms_key_arn": key(region, partition)}
    return data(
        aws={"region": region, "account_id": ACCOUNT, "iam_path": "/dataloop/", "permissions_boundary": boundary},
        on_destroy="delete",
        drivers=[driver("a", "bucket-made"), {"name": "b", "project_id": PROJECT, "bucket": theirs, "prefix": "raw"}],
        **changes,
    )


def own(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements beyond those of an auditor, which end the document."""
    statements: list[dict[str, Any]] = document["Statement"]
    read_only = [statement["Sid"] for statement in statements].index("ReadBuckets")
    return statements[:read_only]


@pytest.mark.parametrize(("region", "partition"), PLACES)
def test_the_deploying_role_may_do_what_the_connection_needs_on_its_own_things_within_its_boundary(
    region: str, partition: str
) -> None:
    parsed = spec(**rich(region, partition))
    document = deployer.deployer_document(parsed, "prod")
    name = "dataloop/dataloop-acme-prod"
    user, role, policy = (f"arn:{partition}:iam::{ACCOUNT}:{kind}/{name}" for kind in ("user", "role", "policy"))
    made = f"arn:{partition}:s3:::bucket-made"
    within = {"iam:PermissionsBoundary": f"arn:{partition}:iam::{ACCOUNT}:policy/boundary"}
    assert document["Version"] == "2012-10-17"
    assert own(document) == [
        {
            "Sid": "SeeBuckets",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [made, f"arn:{partition}:s3:::bucket-theirs"],
        },
        {
            "Sid": "ManageBuckets",
            "Effect": "Allow",
            "Action": [
                "s3:CreateBucket",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutEncryptionConfiguration",
                "s3:GetAccelerateConfiguration",
                "s3:GetBucketCORS",
                "s3:GetBucketLogging",
                "s3:GetBucketObjectLockConfiguration",
                "s3:GetBucketRequestPayment",
                "s3:GetBucketWebsite",
                "s3:GetLifecycleConfiguration",
                "s3:GetReplicationConfiguration",
                "s3:ListTagsForResource",
                "s3:TagResource",
                "s3:UntagResource",
            ],
            "Resource": [made],
        },
        {
            "Sid": "DeleteBuckets",
            "Effect": "Allow",
            "Action": ["s3:DeleteBucket", "s3:ListBucketVersions"],
            "Resource": [made],
        },
        {
            "Sid": "EmptyBuckets",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "Resource": [f"{made}/*"],
        },
        {
            "Sid": "ManageUser",
            "Effect": "Allow",
            "Action": [
                "iam:CreateAccessKey",
                "iam:DeleteAccessKey",
                "iam:DeleteUser",
                "iam:TagUser",
                "iam:UntagUser",
                "iam:UpdateAccessKey",
            ],
            "Resource": [user],
        },
        {
            "Sid": "ManageRole",
            "Effect": "Allow",
            "Action": [
                "iam:DeleteRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            "Resource": [role],
        },
        {
            "Sid": "ManagePolicy",
            "Effect": "Allow",
            "Action": [
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:TagPolicy",
                "iam:UntagPolicy",
            ],
            "Resource": [policy],
        },
        {
            "Sid": "MakeUser",
            "Effect": "Allow",
            "Action": ["iam:CreateUser", "iam:PutUserPermissionsBoundary"],
            "Resource": [user],
            "Condition": {"StringEquals": within},
        },
        {
            "Sid": "MakeRole",
            "Effect": "Allow",
            "Action": [
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePolicy",
                "iam:PutRolePermissionsBoundary",
            ],
            "Resource": [role],
            "Condition": {"StringEquals": within},
        },
        {
            "Sid": "AttachPolicy",
            "Effect": "Allow",
            "Action": ["iam:AttachRolePolicy"],
            "Resource": [role],
            "Condition": {"StringEquals": within, "ArnEquals": {"iam:PolicyARN": policy}},
        },
        {"Sid": "SeeKeys", "Effect": "Allow", "Action": ["kms:DescribeKey"], "Resource": [key(region, partition)]},
    ]
    auditing = document["Statement"][len(own(document)) :]
    assert auditing == auditor_document(parsed, "prod", ACCOUNT)["Statement"]


def test_what_a_connection_does_not_have_the_role_may_not_touch() -> None:
    theirs = {"name": "b", "project_id": PROJECT, "bucket": {"existing": "bucket-theirs"}}
    document = deployer.deployer_document(
        spec(aws={"region": "eu-west-1", "account_id": ACCOUNT}, on_destroy="delete", drivers=[theirs]), "prod"
    )
    statements = {statement["Sid"]: statement for statement in own(document)}
    assert list(statements) == [
        "SeeBuckets",
        "ManageUser",
        "ManageRole",
        "ManagePolicy",
        "MakeUser",
        "MakeRole",
        "AttachPolicy",
    ]
    assert statements["MakeUser"]["Action"] == ["iam:CreateUser"]
    assert "Condition" not in statements["MakeRole"]
    assert "PutRolePermissionsBoundary" not in canonical(document)
    assert "kms:" not in canonical(document)


@pytest.mark.parametrize("on_destroy", ["retain", "refuse"])
def test_a_bucket_that_is_to_stay_cannot_be_deleted_or_emptied(on_destroy: str) -> None:
    text = canonical(
        deployer.deployer_document(spec(aws={"region": "eu-west-1", "account_id": ACCOUNT}, on_destroy=on_destroy), "d")
    )
    assert "s3:CreateBucket" in text
    assert "s3:Delete" not in text
    assert "ListBucketVersions" not in text


def test_no_role_can_be_passed_and_no_object_read_or_written() -> None:
    text = canonical(deployer.deployer_document(spec(**rich("eu-west-1", "aws")), "prod"))
    assert not any(
        action in text for action in ("PassRole", "s3:GetObject", "s3:PutObject", '"s3:*"', '"iam:*"', '"*"]')
    )


def test_more_buckets_than_a_roles_policy_can_hold_are_refused() -> None:
    drivers = [driver(f"d{n}", f"{'b' * 50}-{n}", prefix="p") for n in range(26)]
    with pytest.raises(SpecError) as caught:
        deployer.deployer_document(
            spec(aws={"region": "eu-west-1", "account_id": ACCOUNT}, on_destroy="delete", drivers=drivers), "prod"
        )
    assert "the deploying role's policy would have" in caught.value.problems[0].message


# --- the command


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on a record."""
    monkeypatch.chdir(tmp_path)

    def run(record: dict[str, Any], *arguments: str) -> Result:
        folder = tmp_path / "customers" / "prod"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "acme.yaml").write_text(yaml.safe_dump(record))
        before = sorted(tmp_path.rglob("*"))
        result = CliRunner().invoke(app, ["-e", "prod", "bootstrap", "acme", *arguments])
        assert sorted(tmp_path.rglob("*")) == before
        return result

    return run


@pytest.mark.parametrize(("region", "partition"), PLACES)
def test_the_template_makes_a_role_of_the_records_name_with_exactly_these_documents(
    region: str, partition: str, bootstrap: Any
) -> None:
    record = rich(region, partition)
    arn = f"arn:{partition}:iam::{ACCOUNT}:role/deploy/their-deployer"
    record["aws"]["deploy_role"] = {"arn": arn, "external_id": "acme-4711"}
    principal = f"arn:{partition}:iam::{OPERATOR}:role/ci"
    result = bootstrap(record, "--principal", principal)
    assert (result.exit_code, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout) == {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Role with which dataloop-sts connects buckets of acme to Dataloop (prod)",
        "Resources": {
            "DeployRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "their-deployer",
                    "Path": "/deploy/",
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": "AllowDeployer",
                                "Effect": "Allow",
                                "Principal": {"AWS": principal},
                                "Action": "sts:AssumeRole",
                                "Condition": {"StringEquals": {"sts:ExternalId": "acme-4711"}},
                            }
                        ],
                    },
                    "Policies": [
                        {
                            "PolicyName": "dataloop-sts",
                            "PolicyDocument": deployer.deployer_document(spec(**record), "prod"),
                        }
                    ],
                },
            }
        },
        "Outputs": {"DeployRoleArn": {"Value": {"Fn::GetAtt": ["DeployRole", "Arn"]}}},
    }
    assert f"--region {region} --capabilities CAPABILITY_NAMED_IAM" in result.stdout.splitlines()[1]
    assert "&id" not in result.stdout, "CloudFormation reads no aliases"
    documents = json.loads(bootstrap(record, "--principal", principal, "--format", "policy").stdout)
    properties = yaml.safe_load(result.stdout)["Resources"]["DeployRole"]["Properties"]
    assert documents == {
        "trust": properties["AssumeRolePolicyDocument"],
        "permission": properties["Policies"][0]["PolicyDocument"],
    }


def test_an_external_id_that_is_missing_is_made_each_time_and_told_with_the_role_for_the_record(bootstrap: Any) -> None:
    record = rich("eu-west-1", "aws")
    made = []
    for _ in range(2):
        result = bootstrap(record, "--principal", f"arn:aws:iam::{OPERATOR}:root")
        assert result.exit_code == 0
        assert result.stderr.startswith(
            "The external id was made now, and is kept nowhere: write it into the record.\n"
        )
        role = yaml.safe_load(result.stderr.partition("The record needs:\n")[2])["aws"]["deploy_role"]
        assert role["arn"] == f"arn:aws:iam::{ACCOUNT}:role/dataloop-acme-prod-deploy"
        assert f"sts:ExternalId: {role['external_id']}" in result.stdout
        made.append(role["external_id"])
        record_with_it = {**record, "aws": {**record["aws"], "deploy_role": role}}
        again = bootstrap(record_with_it, "--principal", f"arn:aws:iam::{OPERATOR}:root")
        assert (again.stdout, again.stderr) == (result.stdout, "")
    assert len(set(made)) == 2
    assert all(len(each) == 32 for each in made)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing option '--principal'"),
        (("--principal", "ci"), "name who deploys"),
        (("--principal", f"arn:aws:sts::{OPERATOR}:assumed-role/ci/x"), "of a session"),
        (("--principal", f"arn:aws:iam::{OPERATOR}:role/*"), "name who deploys"),
        (("--principal", f"arn:aws-cn:iam::{OPERATOR}:role/ci"), "it is in partition aws-cn"),
        (
            ("--principal", f"arn:aws:iam::{OPERATOR}:role/ci", "--external-id", "a b"),
            "aws.deploy_role.external_id: use 2",
        ),
    ],
)
def test_a_mistake_of_the_command_is_bad_input(arguments: tuple[str, ...], says: str, bootstrap: Any) -> None:
    result = bootstrap(rich("eu-west-1", "aws"), *arguments)
    told = " ".join(result.stderr.replace("│", " ").split()) or str(result.exception)
    assert says in told
    assert isinstance(result.exception, SpecError) or result.exit_code == 2
    assert result.stdout == ""


def test_a_record_that_does_not_name_the_account_is_told_where(bootstrap: Any) -> None:
    result = bootstrap(data(), "--principal", f"arn:aws:iam::{OPERATOR}:root")
    assert isinstance(result.exception, SpecError)
    assert str(result.exception.problems[0]).startswith("aws.account_id: is needed here")


def test_a_customer_whose_roles_name_would_be_too_long_names_the_role(bootstrap: Any) -> None:
    long = spec(customer="c" * 45, aws={"region": "eu-west-1", "account_id": ACCOUNT})
    with pytest.raises(SpecError) as caught:
        deployer.deployer_role_arn(long, "prod")
    assert caught.value.problems[0].path == "aws.deploy_role.arn"
