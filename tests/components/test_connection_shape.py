"""What a connection declares: names and types that every stack's state holds, settings, secrets and order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataloop_sts import policies
from dataloop_sts.steps.guard import GuardRequest
from tests.components.declared import SECRET, SEEN_ACCOUNT_ID, UNIQUE_ID, Declared, declare
from tests.unit.spec_examples import driver, spec

# pulumi_aws warns of its own old names when it is imported
pytestmark = pytest.mark.filterwarnings("ignore:.* has been deprecated in favor of:DeprecationWarning")

# In every stack's state: another type or name here is a replacement there, unless it comes with an alias.
CONTRACT = {
    ("dataloop-sts:connection:Connection", "acme"),
    ("pulumi-python:dynamic/dataloop:Preflight", "preflight"),
    ("pulumi:providers:aws", "aws"),
    ("dataloop-sts:storage:ManagedBucket", "dataloop-acme-images"),
    ("aws:s3/bucket:Bucket", "dataloop-acme-images"),
    ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "dataloop-acme-images-public-access"),
    ("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "dataloop-acme-images-ownership"),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "dataloop-acme-images-encryption",
    ),
    ("aws:s3/bucketPolicy:BucketPolicy", "dataloop-acme-images-tls-only"),
    ("command:local:Command", "dataloop-acme-images-emptied"),
    ("dataloop-sts:identity:Identity", "identity"),
    ("aws:iam/user:User", "user"),
    ("aws:iam/accessKey:AccessKey", "access-key-1"),
    ("command:local:Command", "access-key-1-description"),
    ("aws:iam/policy:Policy", "policy"),
    ("aws:iam/role:Role", "role"),
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role-policy"),
    ("command:local:Command", "verification"),
    ("pulumi-python:dynamic/dataloop:Integration", "integration"),
    ("pulumi-python:dynamic/dataloop:StorageDriver", "images"),
    ("command:local:Command", "guard"),
}
TWO = {"drivers": [driver(), driver("labels", "dataloop-acme-labels", prefix="out", allow_delete=True)]}


@pytest.fixture(scope="module")
def smallest() -> Declared:
    """The smallest spec's connection."""
    return declare()


@pytest.fixture(scope="module")
def two() -> Declared:
    """A connection of two buckets and two drivers."""
    return declare(**TWO)


def test_types_and_names_are_what_every_stacks_state_holds(smallest: Declared) -> None:
    assert {(r.type, r.name) for r in smallest.resources} == CONTRACT
    assert len(smallest.resources) == len(CONTRACT)


def test_a_key_of_the_next_generation_is_another_resource() -> None:
    later = declare(access_key={"generation": 2})
    assert later.one("aws:iam/accessKey:AccessKey").name == "access-key-2"
    assert later.one("command:local:Command", "access-key-2-description").stdin["access_key_id"].startswith("AKIA")
    assert later.one("pulumi-python:dynamic/dataloop:Integration").inputs["generation"] == 2


def test_every_managed_bucket_is_closed_owned_encrypted_and_tls_only(two: Declared) -> None:
    names = ["dataloop-acme-images", "dataloop-acme-labels"]
    assert sorted(bucket.inputs["bucket"] for bucket in two.of("aws:s3/bucket:Bucket")) == names
    for name in names:
        block = two.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", f"{name}-public-access").inputs
        assert {key: value for key, value in block.items() if key != "bucket"} == {
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        }
        ownership = two.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls", f"{name}-ownership").inputs
        assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
        (encryption,) = [r for r in two.resources if r.name == f"{name}-encryption"]
        assert "AES256" in json.dumps(encryption.inputs["rules"])
        policy = two.one("aws:s3/bucketPolicy:BucketPolicy", f"{name}-tls-only").inputs
        assert json.loads(policy["policy"]) == policies.bucket_document("aws", name)
        assert {block["bucket"], ownership["bucket"], encryption.inputs["bucket"], policy["bucket"]} == {name}


def test_a_bucket_is_never_deleted_by_force(two: Declared) -> None:
    assert [bucket.inputs["forceDestroy"] for bucket in two.of("aws:s3/bucket:Bucket")] == [False, False]
    assert not any(resource.protect for resource in two.resources)


@pytest.mark.parametrize(("on_destroy", "kept"), [("retain", True), ("refuse", False), ("delete", False)])
def test_a_bucket_that_is_retained_stays_with_all_its_settings_and_nothing_else_does(
    on_destroy: str, kept: bool
) -> None:
    declared = declare(on_destroy=on_destroy)
    of_bucket = {r.name for r in declared.resources if r.name.startswith("dataloop-acme-images")}
    assert len(of_bucket) == 6
    assert declared.retained() == (of_bucket if kept else set())


def test_a_buckets_settings_go_with_it_and_never_before(two: Declared) -> None:
    buckets = {bucket.name: bucket.urn for bucket in two.of("aws:s3/bucket:Bucket")}
    settings = ("public-access", "ownership", "encryption", "tls-only")
    expected = {f"{name}-{part}": urn for name, urn in buckets.items() for part in settings}
    assert len(expected) == 8
    # the step that empties the bucket is none of them: with the bucket alone it would not run at all
    assert {r.name: r.deleted_with for r in two.resources if r.deleted_with} == expected


def test_a_user_of_another_name_is_another_user(smallest: Declared) -> None:
    in_aws = [r for r in smallest.resources if r.type.startswith("aws:") and r.replace_on_changes]
    assert {r.name: r.replace_on_changes for r in in_aws} == {"user": ("name",)}


def test_the_user_has_no_policy_and_the_role_exactly_the_specs(two: Declared) -> None:
    assert json.loads(two.one("aws:iam/policy:Policy").inputs["policy"]) == policies.permission_document(spec(**TWO))
    attachment = two.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs
    assert attachment["role"] == "dataloop-acme-dev"
    assert attachment["policyArn"].endswith(":policy/dataloop-acme-dev")
    assert [r.type for r in two.resources if "serPolicy" in r.type or "groupMembership" in r.type] == []


def test_the_trust_carries_the_users_unique_id(smallest: Declared) -> None:
    trust = json.loads(smallest.one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert trust == policies.trust_document("arn:aws:iam::123456789012:user/dataloop-acme-dev", UNIQUE_ID)


def test_names_given_in_the_spec_are_the_names_of_the_resources() -> None:
    names = {"user": "their-user", "role": "their-role", "policy": "their-policy"}
    declared = declare(aws={"region": "eu-west-1", "names": names}, integration={"name": "Their STS"})
    assert declared.one("aws:iam/user:User").inputs["name"] == "their-user"
    assert declared.one("aws:iam/role:Role").inputs["name"] == "their-role"
    assert declared.one("aws:iam/policy:Policy").inputs["name"] == "their-policy"
    assert declared.one("pulumi-python:dynamic/dataloop:Integration").inputs["name"] == "Their STS"


def test_the_provider_is_held_to_the_account_and_tags_everything_but_descriptions_of_keys() -> None:
    aws = {"region": "eu-west-1", "account_id": "210987654321", "tags": {"team": "data"}}
    provider = declare(environment="prod", aws=aws).one("pulumi:providers:aws").inputs
    assert provider["region"] == "eu-west-1"
    assert json.loads(provider["allowedAccountIds"]) == ["210987654321"]
    assert json.loads(provider["ignoreTags"]) == {"keyPrefixes": ["AKIA"]}
    assert json.loads(provider["defaultTags"]) == {
        "tags": {
            "managed-by": "dataloop-sts",
            "dataloop-sts:customer": "acme",
            "dataloop-sts:environment": "prod",
            "team": "data",
        }
    }


def test_without_an_account_in_the_spec_the_provider_is_held_to_the_one_that_the_preflight_saw(
    smallest: Declared,
) -> None:
    assert "account_id" not in smallest.one("pulumi-python:dynamic/dataloop:Preflight").inputs
    assert json.loads(smallest.one("pulumi:providers:aws").inputs["allowedAccountIds"]) == [SEEN_ACCOUNT_ID]


def test_the_steps_that_delete_are_held_to_the_account_that_the_preflight_saw(two: Declared) -> None:
    for name in ("guard", "dataloop-acme-images-emptied", "dataloop-acme-labels-emptied"):
        assert two.one("command:local:Command", name).stdin["account_id"] == SEEN_ACCOUNT_ID


def test_only_a_sandbox_stack_gets_another_endpoint(smallest: Declared) -> None:
    real = smallest.one("pulumi:providers:aws").inputs
    assert not {"endpoints", "s3UsePathStyle", "skipMetadataApiCheck"} & real.keys()
    assert "127.0.0.1" not in json.dumps(real)
    provider = declare(sandbox_endpoint="http://127.0.0.1:5000").one("pulumi:providers:aws").inputs
    assert json.loads(provider["endpoints"]) == [
        dict.fromkeys(("iam", "s3", "s3control", "sts"), "http://127.0.0.1:5000")
    ]
    assert provider["httpProxy"] == "http://127.0.0.1:5000"
    assert json.loads(provider["s3UsePathStyle"]) is True


def test_the_preflight_knows_whether_the_stack_lives_in_a_sandbox(smallest: Declared) -> None:
    preflight = "pulumi-python:dynamic/dataloop:Preflight"
    assert smallest.one(preflight).inputs["sandbox"] is False
    assert declare(sandbox_endpoint="http://127.0.0.1:5000").one(preflight).inputs["sandbox"] is True


def test_every_aws_resource_uses_the_explicit_provider(two: Declared) -> None:
    provider = two.one("pulumi:providers:aws")
    resources = [r for r in two.resources if r.type.startswith("aws:")]
    assert len(resources) == 15
    assert {r.provider.rpartition("::")[0] for r in resources} == {provider.urn}


def test_the_secret_is_secret_wherever_it_goes_and_no_output(smallest: Declared) -> None:
    integration = smallest.one("pulumi-python:dynamic/dataloop:Integration")
    assert integration.additional_secret_outputs == ("secret_access_key",)
    assert integration.inputs["secret_access_key"] == SECRET
    carriers = {r.name: r.secret_inputs for r in smallest.resources if SECRET in json.dumps(r.inputs)}
    assert carriers == {
        "integration": frozenset({"secret_access_key"}),
        "verification": frozenset({"stdin"}),
    }
    assert SECRET not in json.dumps(smallest.outputs)
    assert smallest.secret_outputs == set()


def test_the_outputs_are_the_ones_that_others_rely_on(two: Declared) -> None:
    assert two.outputs == {
        "bucket_names": ["dataloop-acme-images", "dataloop-acme-labels"],
        "bucket_arns": ["arn:aws:s3:::dataloop-acme-images", "arn:aws:s3:::dataloop-acme-labels"],
        "user_arn": "arn:aws:iam::123456789012:user/dataloop-acme-dev",
        "role_arn": "arn:aws:iam::123456789012:role/dataloop-acme-dev",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "access_key_created_at": "2026-01-02T03:04:05Z",
        "access_key_generation": 1,
        "integration_id": "integration-id",
        "driver_ids": {"images": "images-id", "labels": "labels-id"},
        "verification": {"ok": True, "checks": []},
    }


def test_the_preflight_keeps_what_the_next_one_has_to_know(two: Declared) -> None:
    inputs = two.one("pulumi-python:dynamic/dataloop:Preflight").inputs
    assert (inputs["customer"], inputs["on_destroy"], inputs["region"]) == ("acme", "retain", "eu-west-1")
    assert inputs["names"]["buckets"] == ["dataloop-acme-images", "dataloop-acme-labels"]
    assert inputs["names"]["drivers"] == [
        {"project_id": "project-1", "name": "images", "bucket": "dataloop-acme-images", "path": ""},
        {"project_id": "project-1", "name": "labels", "bucket": "dataloop-acme-labels", "path": "out/"},
    ]


def test_the_preflight_comes_before_everything(two: Declared) -> None:
    preflight = two.one("pulumi-python:dynamic/dataloop:Preflight")
    for resource in two.resources:
        if resource.custom and resource is not preflight:
            assert preflight.urn in two.needed_by(resource), resource.name


def test_the_verification_stands_between_the_role_and_the_integration(two: Declared) -> None:
    verification = two.one("command:local:Command", "verification")
    before = {urn.rpartition("::")[2] for urn in two.needed_by(verification)}
    assert {"role", "role-policy", "access-key-1", "user"} <= before
    assert {f"{bucket}-tls-only" for bucket in two.outputs["bucket_names"]} <= before
    for dataloop in ("Integration", "StorageDriver"):
        for resource in two.of(f"pulumi-python:dynamic/dataloop:{dataloop}"):
            assert verification.urn in two.needed_by(resource)


def test_the_guard_depends_on_everything_and_so_is_deleted_first(two: Declared) -> None:
    guard = two.one("command:local:Command", "guard")
    others = {r.urn for r in two.resources if r.custom} - {guard.urn}
    assert others - two.needed_by(guard) == set()
    assert not any(guard.urn in two.needed_by(r) for r in two.resources)
    assert "create" not in guard.inputs
    assert guard.stdin["drivers"] == [
        {"id": f"{name}-id", "name": name, "project_id": "project-1"} for name in ("images", "labels")
    ]
    assert guard.stdin["buckets"] == {"dataloop-acme-images": [""], "dataloop-acme-labels": ["out/"]}
    assert guard.stdin["identity"] == {
        **dict.fromkeys(("user", "role", "policy"), "dataloop-acme-dev"),
        "path": "/",
        "access_key_ids": ["AKIAIOSFODNN7EXAMPLE"],
        "key_description": "DataLoop reads S3 over STS",
    }
    GuardRequest.model_validate(guard.stdin)


def test_a_renamed_driver_is_the_one_of_its_former_name() -> None:
    renamed = declare(drivers=[driver("pictures", former_name="images"), driver("other")])
    drivers = renamed.of("pulumi-python:dynamic/dataloop:StorageDriver")
    assert {each.name: each.former_names for each in drivers} == {"pictures": ("images",), "other": ()}
    places = renamed.one("pulumi-python:dynamic/dataloop:Preflight").inputs["names"]["drivers"]
    assert [place.get("former_name") for place in places] == ["images", None]


def test_the_guard_knows_every_key_of_the_stack() -> None:
    rotated = declare(access_key={"generation": 2, "retiring": 1, "grace_days": 7})
    assert len(rotated.one("command:local:Command", "guard").stdin["identity"]["access_key_ids"]) == 2


def test_a_renamed_user_role_or_policy_is_made_beside_the_old_one(smallest: Declared) -> None:
    renamed = {r.name: r.delete_before_replace for r in smallest.resources if r.type.startswith("aws:iam/")}
    assert renamed == {"user": False, "access-key-1": None, "policy": False, "role": False, "role-policy": False}


def test_the_step_that_empties_a_bucket_is_deleted_before_its_settings_and_by_delete_alone(two: Declared) -> None:
    for name in two.outputs["bucket_names"]:
        step = two.one("command:local:Command", f"{name}-emptied")
        before = {urn.rpartition("::")[2] for urn in two.needed_by(step)}
        assert {
            name,
            *(f"{name}-{part}" for part in ("public-access", "ownership", "encryption", "tls-only")),
        } <= before
        assert "create" not in step.inputs
        assert step.inputs["delete"] == "python -m dataloop_sts.empty_bucket"
        assert step.stdin["bucket"] == name
        assert step.stdin["folders"] == two.one("command:local:Command", "guard").stdin["buckets"][name]


@pytest.mark.parametrize(
    ("drivers", "alone"),
    [
        ([driver(prefix="raw")], [True]),
        ([driver("a", prefix="raw"), driver("b", prefix="cooked")], [True, True]),
        ([driver("a", prefix="raw"), driver("b")], [False, False]),
        ([driver("a", prefix="raw"), driver("b", "another-bucket")], [True, False]),
    ],
)
def test_a_refusal_outside_a_folder_is_expected_only_where_no_driver_reaches_there(
    drivers: list[dict[str, Any]], alone: list[bool]
) -> None:
    request = declare(drivers=drivers).one("command:local:Command", "verification").stdin
    assert [target["alone"] for target in request["targets"]] == alone


def test_commands_are_constant_and_run_again_in_place_when_their_request_changes(smallest: Declared) -> None:
    changed = declare(drivers=[driver(prefix="raw", allow_delete=True)])
    for name in ("verification", "guard", "access-key-1-description", "dataloop-acme-images-emptied"):
        before, after = smallest.one("command:local:Command", name), changed.one("command:local:Command", name)
        for key in ("create", "update", "delete", "triggers"):
            assert before.inputs.get(key) == after.inputs.get(key)
        assert "triggers" not in before.inputs
        assert SECRET not in str(before.inputs.get("create")) + str(before.inputs.get("delete"))
    documents = [d.one("command:local:Command", "verification").stdin["documents"] for d in (smallest, changed)]
    assert documents[0] != documents[1]
