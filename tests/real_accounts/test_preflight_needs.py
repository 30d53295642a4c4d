"""What the preflight finds of what a connection uses without making it: buckets, KMS keys, the boundary."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from dataloop_sts.preflight import Needs, PreflightRequest
from tests.steps.aws_world import REGION, World
from tests.steps.looking import look, problems

BUCKET, KEY, BOUNDARY = "drivers[].bucket.existing", "drivers[].bucket.kms_key_arn", "aws.permissions_boundary"
Ask = Callable[..., PreflightRequest]


@pytest.fixture
def ask(request_of: Ask) -> Ask:
    """A request that makes no bucket and needs what is given."""
    return lambda **needs: replace(request_of(buckets=()), needs=Needs(**needs))


def encrypt(world: World, bucket: str, **default: str) -> None:
    """Sets the bucket's default encryption to a KMS key."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", **default}}
    world.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_everything_that_is_there_and_in_order_is_no_problem(world: World, ask: Ask) -> None:
    key = world.make_key()
    bucket = world.close_bucket(world.make_bucket())
    encrypt(world, bucket, KMSMasterKeyID=key)
    boundary = world.make_policy(f"boundary-{world.tag}", "s3:*")
    needs = {"existing_buckets": (bucket,), "bucket_keys": {bucket: key}, "kms_key_arns": (key,)}
    assert look(ask(**needs, permissions_boundary=boundary)).problems == ()


@pytest.mark.parametrize("owner", ["123456789012", "aws"])
def test_a_boundary_that_is_not_there_is_told(owner: str, ask: Ask) -> None:
    arn = f"arn:aws:iam::{owner}:policy/none"
    said = f"There is no policy {arn}: correct the ARN, or have the policy made."
    assert problems(ask(permissions_boundary=arn)) == {BOUNDARY: said}


def test_a_boundary_and_a_key_of_another_account_are_told(world: World, ask: Ask) -> None:
    other = world.aws.other_account_id
    found = problems(
        ask(
            permissions_boundary=f"arn:aws:iam::{other}:policy/theirs",
            kms_key_arns=(f"arn:aws:kms:{REGION}:{other}:key/{'0' * 8}-0000-0000-0000-{'0' * 12}",),
        )
    )
    assert set(found) == {BOUNDARY, KEY}
    assert all(
        f"of account {other}, the connection of {world.aws.account_id}: name one of its own" in m
        for m in found.values()
    )


def test_a_bucket_that_is_not_there_is_told(world: World, ask: Ask) -> None:
    found = problems(ask(existing_buckets=(f"none-{world.tag}",)))
    assert found == {BUCKET: f"There is no bucket 'none-{world.tag}': correct the name, or have it made as `name`."}


def test_a_bucket_that_these_credentials_may_not_see_is_told(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    found = problems(replace(ask(existing_buckets=(bucket,)), account_id=None))
    assert list(found) == [BUCKET]
    assert f"'{bucket}' cannot be seen with these credentials" in found[BUCKET]


def test_a_bucket_in_another_region_is_told_and_nothing_else_of_it(world: World, ask: Ask) -> None:
    bucket = f"far-{world.tag}"
    far = boto3.client(
        "s3",
        endpoint_url=world.aws.endpoint_url,
        region_name="eu-central-1",
        aws_access_key_id=world.aws.access_key_id,
        aws_secret_access_key=world.aws.secret_access_key,
    )
    far.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    found = problems(ask(existing_buckets=(bucket,)))
    assert found == {
        BUCKET: f"Bucket '{bucket}' is in eu-central-1, aws.region is {REGION}: one of the two has to change."
    }


@pytest.mark.parametrize("missing", ["all", "BlockPublicPolicy"])
def test_a_bucket_that_is_not_closed_is_told_with_what_is_open_and_the_command_that_closes_it(
    missing: str, world: World, ask: Ask
) -> None:
    bucket = world.make_bucket()
    if missing != "all":
        world.close_bucket(bucket)
        block = world.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        world.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**block, missing: False})
    said = problems(ask(existing_buckets=(bucket,)))[BUCKET]
    listed = (
        "BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets" if missing == "all" else missing
    )
    assert f"does not block public access ({listed}): turn all of it on" in said
    assert f"aws s3api put-public-access-block --bucket {bucket} " in said


def test_a_public_policy_is_told(world: World, ask: Ask) -> None:
    bucket = world.make_bucket()
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    world.close_bucket(bucket)
    found = problems(ask(existing_buckets=(bucket,)))
    assert found == {
        BUCKET: f"The policy of bucket '{bucket}' is public: take out or narrow what it allows to everyone."
    }


@pytest.mark.parametrize("named", ["arn", "id", "alias"])
def test_a_bucket_that_encrypts_with_a_key_which_the_spec_does_not_name_is_told(
    named: str, world: World, ask: Ask
) -> None:
    key, other = world.make_key(), world.make_key()
    bucket = world.close_bucket(world.make_bucket())
    world.kms.create_alias(AliasName=f"alias/{world.tag}", TargetKeyId=key)
    encrypt(
        world, bucket, KMSMasterKeyID={"arn": key, "id": key.rpartition("/")[2], "alias": f"alias/{world.tag}"}[named]
    )
    for keys in ({}, {bucket: other}):
        found = problems(ask(existing_buckets=(bucket,), bucket_keys=keys))
        assert list(found) == [KEY]
        assert f"'{bucket}' encrypts with KMS key " in found[KEY]
        assert key.rpartition("/")[2] in found[KEY]
    assert problems(ask(existing_buckets=(bucket,), bucket_keys={bucket: key})) == {}


def test_a_bucket_that_encrypts_with_awss_own_key_needs_none_in_the_spec(world: World, ask: Ask) -> None:
    bucket = world.close_bucket(world.make_bucket())
    encrypt(world, bucket)
    assert problems(ask(existing_buckets=(bucket,))) == {}


@pytest.mark.parametrize(
    ("key", "spoil", "says"),
    [
        ({}, "disable_key", "is Disabled: enable it"),
        ({}, "schedule_key_deletion", "is PendingDeletion: enable it (cancel its deletion first), or name another"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, "", "is not for symmetric encryption"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, "", "is not for symmetric encryption"),
    ],
)
def test_a_key_that_s3_cannot_use_is_told(key: dict[str, Any], spoil: str, says: str, world: World, ask: Ask) -> None:
    arn = world.make_key(**key)
    if spoil:
        getattr(world.kms, spoil)(KeyId=arn)
    found = problems(ask(kms_key_arns=(arn,)))
    assert list(found) == [KEY]
    assert f"KMS key {arn} {says}" in found[KEY]


def test_a_key_that_is_not_there_is_told(world: World, ask: Ask) -> None:
    arn = f"arn:aws:kms:{REGION}:{world.aws.account_id}:key/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    assert problems(ask(kms_key_arns=(arn,))) == {KEY: f"There is no KMS key {arn}: correct the ARN."}


def test_what_may_not_be_looked_at_is_told_at_its_place_and_hides_nothing_else(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, bucket = world.make_key(), world.close_bucket(world.make_bucket())
    user = f"looker-{world.tag}"
    world.iam.create_user(UserName=user)
    actions = ["iam:Get*", "iam:List*", "s3:List*", "s3:GetBucketPolicyStatus", "s3:GetEncryptionConfiguration"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    world.iam.put_user_policy(UserName=user, PolicyName="look", PolicyDocument=json.dumps(document))
    made = world.iam.create_access_key(UserName=user)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
    missing = f"arn:aws:iam::{world.aws.account_id}:policy/none"
    found = problems(ask(existing_buckets=(bucket,), kms_key_arns=(key,), permissions_boundary=missing))
    assert set(found) == {BUCKET, KEY, BOUNDARY}
    assert f"Cannot read the public access block of bucket {bucket}: AccessDenied" in found[BUCKET]
    assert f"Cannot look at KMS key {key}: AccessDenied" in found[KEY]
    assert "Have that permission granted" in found[KEY]
