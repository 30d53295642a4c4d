"""What real accounts ask for beside the main job: IAM paths, permissions boundaries, KMS keys."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import handmade
import pytest
from plugin_driver import PluginProcess

from sandbox.aws.server import AwsServer

ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
OTHER_KEY = handmade.KMS_KEY.replace("1111", "9999")


@pytest.fixture
def name() -> str:
    return f"plugin-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def boundary(aws_plugin: PluginProcess, name: str) -> Iterator[str]:
    policy = aws_plugin.resource("aws:iam/policy:Policy")
    policy.create({"name": f"{name}-boundary", "policy": handmade.permission("s3:*")})
    yield policy.id
    policy.delete()


def test_a_role_under_a_path_and_a_boundary_loses_the_boundary_in_place(
    aws_plugin: PluginProcess, iam: Any, name: str, boundary: str
) -> None:
    user = aws_plugin.resource("aws:iam/user:User")
    user.create({"name": name, "path": "/dataloop/", "permissionsBoundary": boundary})
    assert user.outputs["arn"].endswith(f":user/dataloop/{name}")
    role = aws_plugin.resource("aws:iam/role:Role")
    inputs = {"name": name, "path": "/dataloop/", "assumeRolePolicy": handmade.trust(user.outputs["arn"])}
    created = role.create(inputs | {"permissionsBoundary": boundary, "tags": {"team": "data"}})
    assert created["arn"].endswith(f":role/dataloop/{name}") and created["permissionsBoundary"] == boundary
    assert role.refresh() == created

    assert role.changes(inputs | {"tags": {"team": "data"}}) == {"permissionsBoundary": "DELETE"}
    role.update(inputs | {"tags": {"team": "data"}})
    assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    role.refresh()
    assert role.changes(inputs | {"tags": {"team": "data"}}) == {"permissionsBoundary": "DELETE"}

    imported = aws_plugin.resource("aws:iam/role:Role")
    found = imported.import_(name)
    assert (found["path"], found["permissionsBoundary"]) == ("/dataloop/", boundary)
    role.delete()
    user.delete()


def test_a_policy_under_a_path_is_replaced_when_it_moves(
    aws_plugin: PluginProcess, aws_server: AwsServer, name: str
) -> None:
    policy, inputs = aws_plugin.resource("aws:iam/policy:Policy"), {"policy": handmade.permission("s3:GetObject")}
    policy.create({"name": name, "path": "/dataloop/", **inputs})
    assert policy.id == f"arn:aws:iam::{aws_server.account_id}:policy/dataloop/{name}"
    assert aws_plugin.resource("aws:iam/policy:Policy").import_(policy.id)["path"] == "/dataloop/"
    moved = policy.diff({"name": name, **inputs})
    assert list(moved.replaces) == ["path"] and moved.deleteBeforeReplace
    policy.delete()


def test_a_buckets_own_kms_key_is_set_seen_to_drift_and_mended_in_place(
    aws_plugin: PluginProcess, s3: Any, name: str
) -> None:
    bucket, encryption = aws_plugin.resource("aws:s3/bucket:Bucket"), aws_plugin.resource(ENCRYPTION)
    bucket.create({"bucket": name})
    encryption.create(_encrypted(name, {"sseAlgorithm": "AES256"}))

    wanted = _encrypted(name, {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": handmade.KMS_KEY}, bucketKeyEnabled=True)
    default = "rules[0].applyServerSideEncryptionByDefault"
    assert encryption.changes(wanted) == {
        f"{default}.sseAlgorithm": "UPDATE",
        f"{default}.kmsMasterKeyId": "ADD",
        "rules[0].bucketKeyEnabled": "UPDATE",
    }
    encryption.update(wanted)
    assert encryption.changes(wanted) == {}
    assert _live(s3, name) == ("aws:kms", handmade.KMS_KEY, True)

    _write(s3, name, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": OTHER_KEY})
    encryption.refresh()
    assert encryption.changes(wanted) == {f"{default}.kmsMasterKeyId": "UPDATE", "rules[0].bucketKeyEnabled": "UPDATE"}
    encryption.update(wanted)
    assert _live(s3, name) == ("aws:kms", handmade.KMS_KEY, True)
    bucket.delete()


def _encrypted(bucket: str, default: dict[str, str], **rule: Any) -> dict[str, Any]:
    return {"bucket": bucket, "rules": [{"applyServerSideEncryptionByDefault": default, **rule}]}


def _write(s3: Any, bucket: str, default: dict[str, str]) -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _live(s3: Any, bucket: str) -> tuple[str, str, bool]:
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule["ApplyServerSideEncryptionByDefault"]
    return default["SSEAlgorithm"], default["KMSMasterKeyID"], rule["BucketKeyEnabled"]


def test_an_endpoint_for_kms_is_accepted_as_long_as_it_is_loopback(
    aws_plugin: PluginProcess, aws_settings: dict[str, Any]
) -> None:
    endpoints = json.loads(aws_settings["endpoints"])[0]
    settings = aws_settings | {"endpoints": json.dumps([endpoints | {"kms": endpoints["iam"]}])}
    assert aws_plugin.check_config(settings) == {}
    away = json.dumps([endpoints | {"kms": "https://kms.eu-west-1.amazonaws.com"}])
    assert set(aws_plugin.check_config(aws_settings | {"endpoints": away})) == {"endpoints"}
