"""What a connection declares in a real account: existing buckets, a KMS key, path, boundary, deploying role."""

from __future__ import annotations

import json

import pytest

from dataloop_sts import policies
from tests.components.declared import UNIQUE_ID, Declared, declare
from tests.unit.spec_examples import PROJECT, driver

pytestmark = pytest.mark.filterwarnings("ignore:.* has been deprecated in favor of:DeprecationWarning")

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ROLE = {"arn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "external_id": "acme-4711"}
ADDRESSES = ["203.0.113.0/24"]


@pytest.fixture(scope="module")
def whole() -> Declared:
    """A managed bucket with a KMS key and an existing one, by a deploying role."""
    made = driver()
    made["bucket"]["kms_key_arn"] = KEY
    return declare(
        aws={
            "region": "eu-west-1",
            "iam_path": "/dataloop/",
            "permissions_boundary": BOUNDARY,
            "trust_source_ips": ADDRESSES,
            "deploy_role": ROLE,
        },
        drivers=[made, {"name": "theirs", "project_id": PROJECT, "bucket": {"existing": "bucket-theirs"}}],
    )


def test_an_existing_bucket_is_used_and_nothing_of_it_is_managed(whole: Declared) -> None:
    assert [bucket.name for bucket in whole.of("aws:s3/bucket:Bucket")] == ["dataloop-acme-images"]
    assert [r.name for r in whole.resources if "bucket-theirs" in r.name] == []
    assert whole.outputs["bucket_names"] == ["dataloop-acme-images", "bucket-theirs"]
    assert whole.outputs["bucket_arns"] == ["arn:aws:s3:::dataloop-acme-images", "arn:aws:s3:::bucket-theirs"]
    theirs = whole.one("pulumi-python:dynamic/dataloop:StorageDriver", "theirs")
    assert theirs.inputs["bucket"] == "bucket-theirs"
    assert [target["bucket"] for target in whole.one("command:local:Command", "verification").stdin["targets"]] == [
        "dataloop-acme-images",
        "bucket-theirs",
    ]
    assert list(whole.one("command:local:Command", "guard").stdin["buckets"]) == ["dataloop-acme-images"]


def test_a_managed_bucket_encrypts_with_its_key(whole: Declared) -> None:
    (encryption,) = [r for r in whole.resources if r.name == "dataloop-acme-images-encryption"]
    assert encryption.inputs["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
            "bucketKeyEnabled": True,
        }
    ]


def test_user_role_and_policy_are_at_the_path_and_user_and_role_within_the_boundary(whole: Declared) -> None:
    bounded = {
        kind: (r.inputs["path"], r.inputs.get("permissionsBoundary"))
        for kind in ("user", "role", "policy")
        for r in whole.of(f"aws:iam/{kind}:{kind.title()}")
    }
    assert bounded == {
        "user": ("/dataloop/", BOUNDARY),
        "role": ("/dataloop/", BOUNDARY),
        "policy": ("/dataloop/", None),
    }


def test_the_trust_and_the_verification_know_the_addresses(whole: Declared) -> None:
    trust = json.loads(whole.one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert trust == policies.trust_document(f"arn:aws:iam::{ACCOUNT}:user/dataloop-acme-dev", UNIQUE_ID, ADDRESSES)
    assert whole.one("command:local:Command", "verification").stdin["source_ips"] == ADDRESSES
    assert "source_ips" not in declare().one("command:local:Command", "verification").stdin


def test_the_provider_and_every_step_with_credentials_of_the_shell_assume_the_deploying_role(whole: Declared) -> None:
    provider = whole.one("pulumi:providers:aws").inputs
    assert json.loads(provider["assumeRoles"]) == [
        {"roleArn": ROLE["arn"], "externalId": ROLE["external_id"], "sessionName": "dataloop-sts"}
    ]
    preflight = whole.one("pulumi-python:dynamic/dataloop:Preflight").inputs
    assert preflight["deploy_role"] == ROLE
    steps = {r.name: r.stdin.get("deploy_role") for r in whole.of("command:local:Command")}
    # the verification has the connection's own key
    assert steps.pop("verification") is None
    assert steps == dict.fromkeys(steps, ROLE)
    assert {"dataloop-acme-images-emptied", "access-key-1-description", "guard"} <= set(steps)


def test_the_preflight_is_told_what_the_connection_needs(whole: Declared) -> None:
    inputs = whole.one("pulumi-python:dynamic/dataloop:Preflight").inputs
    assert inputs["needs"] == {
        "existing_buckets": ["bucket-theirs"],
        "bucket_keys": {},
        "kms_key_arns": [KEY],
        "permissions_boundary": BOUNDARY,
    }
    assert inputs["iam_path"] == "/dataloop/"
    assert inputs["names"]["buckets"] == ["dataloop-acme-images"]
