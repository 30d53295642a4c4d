"""The S3 resource types, through a served plugin, on the sandbox AWS."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from plugin_driver import PluginProcess, Resource, call_error, start_plugin, stop_plugin

from sandbox.plugins.values import UNKNOWN, Unknown

BUCKET = "aws:s3/bucket:Bucket"


@pytest.fixture
def name() -> str:
    return f"plugin-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(aws_plugin: PluginProcess, name: str) -> Iterator[Resource]:
    resource = aws_plugin.resource(BUCKET)
    resource.create({"bucket": name, "forceDestroy": True})
    yield resource
    resource.delete()


def test_a_bucket_goes_through_its_life(aws_plugin: PluginProcess, s3: Any, name: str) -> None:
    bucket, inputs = aws_plugin.resource(BUCKET), {"bucket": name, "tags": {"team": "data"}}
    created = bucket.create(inputs)
    assert bucket.id == name
    assert created == {
        "arn": f"arn:aws:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegion": "us-east-1",
        "bucketRegionalDomainName": f"{name}.s3.us-east-1.amazonaws.com",
        "forceDestroy": False,
        "region": "us-east-1",
        "tags": {"team": "data"},
        "tagsAll": {"managed-by": "pulumi", "team": "data"},
    }
    assert bucket.refresh() == created
    assert bucket.changes(inputs) == {}

    changed = {"bucket": name, "forceDestroy": True, "tags": {"team": "ml", "a.b": "c"}}
    assert bucket.changes(changed) == {"forceDestroy": "UPDATE", "tags.team": "UPDATE", 'tags["a.b"]': "ADD"}
    assert bucket.update(changed)["tagsAll"] == {"managed-by": "pulumi", "team": "ml", "a.b": "c"}
    assert bucket.changes(changed) == {}

    bucket.delete()
    assert bucket.refresh() is None
    bucket.delete()


def test_a_bucket_in_another_region_is_made_there(aws_plugin: PluginProcess, s3: Any, name: str) -> None:
    bucket = aws_plugin.resource(BUCKET)
    assert bucket.create({"bucket": name, "region": "eu-west-1"})["region"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert bucket.refresh() is not None
    assert bucket.changes({"bucket": name, "region": "eu-west-1"}) == {}
    moved = bucket.diff({"bucket": name, "region": "eu-central-1"})
    assert list(moved.replaces) == ["region"]
    assert moved.deleteBeforeReplace
    bucket.delete()


@pytest.fixture
def moved_plugin(aws_settings: dict[str, Any]) -> Iterator[PluginProcess]:
    """The provider, as it is once its region was changed."""
    plugin = start_plugin("sandbox.plugins.aws")
    plugin.configure({**aws_settings, "region": "eu-west-1"})
    yield plugin
    stop_plugin(plugin)


def test_another_region_of_the_provider_replaces_the_bucket_and_its_settings(
    aws_plugin: PluginProcess, moved_plugin: PluginProcess, bucket: Resource, name: str
) -> None:
    assert bucket.inputs["region"] == "us-east-1" and "region" not in bucket.inputs["__defaults"]
    moved = dataclasses.replace(bucket, stub=moved_plugin.stub)
    answer = moved.diff({"bucket": name, "forceDestroy": True})
    assert list(answer.replaces) == ["region"] and answer.deleteBeforeReplace
    kept = moved.diff({"bucket": name, "forceDestroy": True, "region": "us-east-1"})
    assert not kept.replaces and not kept.detailedDiff

    for token, first, _, _ in SETTINGS.values():
        setting = aws_plugin.resource(token)
        setting.create({"bucket": name, **first})
        answer = dataclasses.replace(setting, stub=moved_plugin.stub).diff({"bucket": name, **first})
        assert list(answer.replaces) == ["region"]
        setting.delete()


def test_an_import_is_of_the_region_that_was_asked(
    aws_plugin: PluginProcess, moved_plugin: PluginProcess, bucket: Resource, name: str
) -> None:
    imported = moved_plugin.resource(BUCKET)
    imported.import_(name)
    assert (imported.outputs["region"], imported.outputs["bucketRegion"]) == ("eu-west-1", "us-east-1")


def test_a_bucket_with_objects_is_only_deleted_by_force(aws_plugin: PluginProcess, s3: Any, name: str) -> None:
    bucket = aws_plugin.resource(BUCKET)
    bucket.create({"bucket": name})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="kept", Body=body)
    s3.delete_object(Bucket=name, Key="kept")

    error = call_error(bucket.delete)
    assert error.details() is not None and "BucketNotEmpty" in error.details() and name in error.details()
    assert bucket.refresh() is not None
    bucket.update({"bucket": name, "forceDestroy": True})
    bucket.delete()
    assert bucket.refresh() is None


def test_a_bucket_that_exists_is_not_adopted(aws_plugin: PluginProcess, bucket: Resource, name: str) -> None:
    error = call_error(aws_plugin.resource(BUCKET).create, {"bucket": name})
    assert "already exists" in error.details()


def test_a_bucket_without_a_name_gets_one_and_keeps_it(aws_plugin: PluginProcess) -> None:
    bucket = aws_plugin.resource(BUCKET, "pictures")
    bucket.create({})
    assert bucket.id.startswith("pictures-")
    assert bucket.changes({}) == {}
    replaced = bucket.diff({"region": "eu-west-1"})
    assert not replaced.deleteBeforeReplace
    bucket.delete()


def test_a_preview_knows_what_it_can_and_creates_nothing(aws_plugin: PluginProcess, s3: Any, name: str) -> None:
    bucket = aws_plugin.resource(BUCKET)
    planned = bucket.create({"bucket": name, "tags": UNKNOWN}, preview=True)
    assert planned["bucket"] == name
    assert isinstance(planned["arn"], Unknown) and isinstance(planned["tagsAll"], Unknown)
    assert name not in {found["Name"] for found in s3.list_buckets()["Buckets"]}


SETTINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any], set[str]]] = {
    "public access block": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True},
        {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True},
        {"restrictPublicBuckets"},
    ),
    "ownership controls": (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        {"rule.objectOwnership"},
    ),
    "encryption": (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        {
            "rules": [
                {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True},
            ]
        },
        {"rules[0].applyServerSideEncryptionByDefault.sseAlgorithm", "rules[0].bucketKeyEnabled"},
    ),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_of_a_bucket_goes_through_its_life(
    aws_plugin: PluginProcess, bucket: Resource, setting: str, name: str
) -> None:
    token, first, second, paths = SETTINGS[setting]
    resource = aws_plugin.resource(token)
    created = resource.create({"bucket": name, **first})
    assert resource.id == name
    assert resource.refresh() == created
    assert resource.changes({"bucket": name, **first}) == {}

    assert set(resource.changes({"bucket": name, **second})) == paths
    resource.update({"bucket": name, **second})
    assert resource.changes({"bucket": name, **second}) == {}

    other = resource.diff({"bucket": "some-other-bucket", **second})
    assert list(other.replaces) == ["bucket"]
    assert not other.deleteBeforeReplace

    imported = aws_plugin.resource(token)
    assert imported.import_(name)["bucket"] == name
    assert imported.changes({"bucket": name, **second}) == {}

    resource.delete()
    left = resource.refresh()
    if setting == "encryption":  # S3 encrypts in any case, and tells what with
        assert left is not None
        assert left["rules"][0]["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    else:
        assert left is None
    resource.delete()


def _deny(bucket: str, action: Any = "s3:*") -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": action,
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def test_a_bucket_policy_is_compared_by_meaning(
    aws_plugin: PluginProcess, bucket: Resource, s3: Any, name: str
) -> None:
    policy = aws_plugin.resource("aws:s3/bucketPolicy:BucketPolicy")
    policy.create({"bucket": name, "policy": json.dumps(_deny(name))})
    assert policy.changes({"bucket": name, "policy": json.dumps(_deny(name, ["s3:*"]), indent=2)}) == {}

    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_deny(name, "s3:PutObject")))
    drifted = policy.refresh()
    assert drifted is not None and "s3:PutObject" in drifted["policy"]
    assert policy.changes({"bucket": name, "policy": json.dumps(_deny(name))}) == {"policy": "UPDATE"}
    policy.update({"bucket": name, "policy": json.dumps(_deny(name))})
    assert json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]) == _deny(name)

    s3.delete_bucket_policy(Bucket=name)
    assert policy.refresh() is None
    policy.delete()


def test_settings_of_a_deleted_bucket_are_gone(aws_plugin: PluginProcess, name: str) -> None:
    bucket = aws_plugin.resource(BUCKET)
    bucket.create({"bucket": name})
    settings = []
    for token, first, _, _ in SETTINGS.values():
        settings.append(aws_plugin.resource(token))
        settings[-1].create({"bucket": name, **first})
    bucket.delete()
    for setting in settings:
        assert setting.refresh() is None
        setting.delete()


def test_tags_that_others_own_are_neither_shown_nor_removed(
    aws_plugin: PluginProcess, bucket: Resource, s3: Any, name: str
) -> None:
    live = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [*live, {"Key": "AKIAEXAMPLE", "Value": "DataLoop"}]})
    refreshed = bucket.refresh()
    assert refreshed is not None and refreshed["tagsAll"] == {"managed-by": "pulumi"}
    assert bucket.changes({"bucket": name, "forceDestroy": True}) == {}
    bucket.update({"bucket": name, "forceDestroy": True, "tags": {"team": "ml"}})
    keys = {tag["Key"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert keys == {"AKIAEXAMPLE", "managed-by", "team"}
