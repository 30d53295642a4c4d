"""What an import finds of things that somebody made by hand, and which changes `ignoreChanges` leaves."""

from __future__ import annotations

import json
import uuid
from typing import Any

import grpc
import handmade
import pytest
from handmade import HandMade
from plugin_driver import PluginProcess, call_error
from pulumi.runtime.proto import provider_pb2

BUCKET, USER, KEY = "aws:s3/bucket:Bucket", "aws:iam/user:User", "aws:iam/accessKey:AccessKey"
ROLE, POLICY = "aws:iam/role:Role", "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
TOKENS = list(HandMade("", "", "", "").ids)


@pytest.fixture(scope="module")
def made(iam: Any, s3: Any) -> HandMade:
    return handmade.make(iam, s3, f"hand-made-{uuid.uuid4().hex[:12]}")


def found(made: HandMade) -> dict[str, dict[str, Any]]:
    """The inputs that an import tells: what is live, without what is a default."""
    name, tags, region = made.name, handmade.MADE_BY_HAND, {"region": "us-east-1"}
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": handmade.KMS_KEY}
    encryption = [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}]
    inputs: list[dict[str, Any]] = [
        {"bucket": name, "tags": tags, **region},
        {"bucket": name, "blockPublicAcls": True, "restrictPublicBuckets": True, **region},
        {"bucket": name, "rule": {"objectOwnership": "BucketOwnerPreferred"}, **region},
        {"bucket": name, "rules": encryption, **region},
        {"bucket": name, "policy": json.loads(handmade.no_plain_http(name)), **region},
        {"name": name, "tags": tags},
        {
            "name": name,
            "assumeRolePolicy": json.loads(handmade.trust(made.user_arn)),
            "description": "by hand",
            "maxSessionDuration": 7200,
            "tags": tags,
        },
        {"user": name},
        {
            "name": name,
            "policy": json.loads(handmade.permission("s3:*")),
            "description": "by hand",
            "tags": tags,
        },
        {"role": name, "policyArn": made.policy_arn},
    ]
    return dict(zip(TOKENS, inputs, strict=True))


@pytest.mark.parametrize("token", TOKENS)
def test_an_import_tells_what_is_live_and_leaves_only_defaults_to_write(
    aws_plugin: PluginProcess, made: HandMade, token: str
) -> None:
    resource = aws_plugin.resource(token)
    inputs = resource.import_(made.ids[token])
    documents = {name: json.loads(inputs[name]) for name in ("policy", "assumeRolePolicy") if name in inputs}
    assert inputs | documents == found(made)[token]
    assert resource.id == made.ids[token] and resource.inputs["__defaults"] == []

    # The official provider sets no forceDestroy at an import, and so finds its default to be written.
    left = {"forceDestroy": "ADD"} if token in (BUCKET, USER) else {}
    if "tags" in inputs:
        left['tagsAll["managed-by"]'] = "ADD"
    assert resource.changes(inputs) == left
    assert resource.changes(inputs, ["forceDestroy", "tagsAll"]) == {}


@pytest.mark.parametrize("token", [token for token in TOKENS if token != KEY])
def test_what_is_not_there_is_the_engines_to_refuse(aws_plugin: PluginProcess, token: str) -> None:
    absent = HandMade("nobody-by-this-name", "", "arn:aws:iam::123456789012:policy/none-by-this-name", "").ids[token]
    assert aws_plugin.resource(token).import_(absent) == {}


def test_an_access_key_that_is_not_there_is_an_error_of_the_call_that_looks_for_its_user(
    aws_plugin: PluginProcess,
) -> None:
    error = call_error(aws_plugin.resource(KEY).import_, "AKIANOBODYBYTHISNAME")
    assert error.details().startswith("reading IAM access key (AKIANOBODYBYTHISNAME): NoSuchEntity")
    assert "\n" not in error.details()


def test_an_attachment_needs_both_halves_of_its_id(aws_plugin: PluginProcess) -> None:
    assert "ROLE_NAME/POLICY_ARN" in call_error(aws_plugin.resource(ATTACHMENT).import_, "just-a-role").details()


def test_the_secret_of_an_imported_key_is_not_known(aws_plugin: PluginProcess, made: HandMade, iam: Any) -> None:
    key = aws_plugin.resource(KEY)
    assert key.import_(made.access_key_id) == {"user": made.name}
    assert "secret" not in key.outputs and "sesSmtpPasswordV4" not in key.outputs
    assert key.changes({"user": made.name, "status": "Inactive"}) == {"status": "UPDATE"}
    assert key.changes({"user": made.name, "status": "Inactive"}, ["status"]) == {}
    key.update({"user": made.name, "status": "Inactive"})
    assert iam.list_access_keys(UserName=made.name)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    key.update({"user": made.name})
    assert iam.list_access_keys(UserName=made.name)["AccessKeyMetadata"][0]["Status"] == "Active"
    assert "secret" not in key.outputs


def test_an_imported_roles_force_detach_policies_is_false(aws_plugin: PluginProcess, made: HandMade) -> None:
    role = aws_plugin.resource(ROLE)
    role.import_(made.name)
    assert role.outputs["forceDetachPolicies"] is False


def test_a_refresh_leaves_unset_what_the_import_left_unset(aws_plugin: PluginProcess, made: HandMade) -> None:
    user = aws_plugin.resource(USER)
    inputs = user.import_(made.name)
    imported = user.outputs
    assert user.refresh() == imported and "forceDestroy" not in imported
    assert user.changes(inputs, ["tagsAll"]) == {"forceDestroy": "ADD"}


def test_a_policys_description_replaces_it_unless_it_is_ignored(aws_plugin: PluginProcess, made: HandMade) -> None:
    policy = aws_plugin.resource(POLICY)
    policy.import_(made.policy_arn)
    wanted = {"name": made.name, "policy": handmade.permission("s3:GetObject")}
    assert list(policy.diff(wanted).replaces) == ["description"]
    ignoring = policy.diff(wanted, ["description", "tags", "tagsAll"])
    assert list(ignoring.diffs) == ["policy"] and not ignoring.replaces


def test_a_path_ignores_what_is_below_it_and_nothing_beside_it(aws_plugin: PluginProcess, made: HandMade) -> None:
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    encryption = aws_plugin.resource(token)
    encryption.import_(made.name)
    wanted = {"bucket": made.name, "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}
    assert encryption.changes(wanted, ["rules"]) == {}
    assert set(encryption.changes(wanted, ["rule", "rules[0].applyServerSideEncryptionByDefault"])) == {
        "rules[0].bucketKeyEnabled"
    }
    # The engine resolves a wildcard before it asks; to the official provider it means nothing.
    assert len(encryption.changes(wanted, ["*"])) == 3


def test_an_update_touches_no_tag_of_what_ignores_them(aws_plugin: PluginProcess, made: HandMade, iam: Any) -> None:
    role = aws_plugin.resource(ROLE)
    inputs = role.import_(made.name) | {"description": "ours"}
    outputs = role.update(inputs, ignoring=["tags", "tagsAll"])
    assert outputs["description"] == "ours" and outputs["tagsAll"] == handmade.MADE_BY_HAND
    assert {tag["Key"] for tag in iam.get_role(RoleName=made.name)["Role"]["Tags"]} == {"made-by"}
    planned = role.update(inputs, preview=True, ignoring=["tagsAll"])
    assert planned["tagsAll"] == handmade.MADE_BY_HAND

    assert role.update(inputs | {"description": "by hand"})["tagsAll"] == {
        **handmade.MADE_BY_HAND,
        "managed-by": "pulumi",
    }
    iam.untag_role(RoleName=made.name, TagKeys=["managed-by"])


def test_code_of_an_import_cannot_be_generated_and_the_error_says_what_to_do(aws_plugin: PluginProcess) -> None:
    error = call_error(aws_plugin.stub.GetSchema, provider_pb2.GetSchemaRequest(version=0), timeout=10)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED and "--generate-code=false" in error.details()
