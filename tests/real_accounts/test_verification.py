"""The verification in real accounts: KMS keys, boundaries, bucket policies and addresses in its way, told in words."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dataloop_sts.steps import verify as verification
from dataloop_sts.steps.verify import Report, VerificationRequest, verify
from tests.steps.aws_world import Connected, World
from tests.steps.verifying import failed, request_of

OBJECTS = ("s3:ListBucket", "s3:PutObject", "s3:GetObject")


def encrypted_bucket(world: World, key: str) -> str:
    """The test's bucket, encrypting with a KMS key."""
    bucket = world.make_bucket()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    rules = [{**rule, "BucketKeyEnabled": True}]
    world.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    return bucket


def of_addresses(connected: Connected) -> VerificationRequest:
    """What the component asks for a connection of some addresses."""
    return request_of(connected).model_copy(update={"source_ips": connected.spec.aws.trust_source_ips})


def deny(world: World, bucket: str, role_arn: str, action: str) -> None:
    """A statement of the bucket's owner against the role."""
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": role_arn},
        "Action": action,
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_a_bucket_that_encrypts_with_the_specs_key_passes_every_check(world: World) -> None:
    key = world.make_key()
    bucket = encrypted_bucket(world, key)
    connected = world.connect(make_bucket=False, bucket={"existing": bucket, "kms_key_arn": key}, allow_delete=True)
    assert failed(verify(request_of(connected), seconds=0)) == {}


def test_a_key_that_the_spec_does_not_name_is_named_by_the_checks_that_need_it(world: World) -> None:
    key = world.make_key()
    connected = world.connect(make_bucket=False, bucket={"existing": encrypted_bucket(world, key)}, allow_delete=True)
    found = failed(verify(request_of(connected), seconds=0))
    assert found["put"] == (
        f"refused: no identity-based policy allows kms:GenerateDataKey on key {key} (drivers[].bucket.kms_key_arn)"
    )
    assert set(found) == {"put", "get"}


def test_a_key_whose_own_policy_does_not_let_the_account_decide_is_told(world: World) -> None:
    only_me = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{world.aws.account_id}:user/sandbox/sandbox-administrator"},
        "Action": "kms:*",
        "Resource": "*",
    }
    key = world.make_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [only_me]}))
    bucket = encrypted_bucket(world, key)
    connected = world.connect(make_bucket=False, bucket={"existing": bucket, "kms_key_arn": key})
    found = failed(verify(request_of(connected), seconds=0))
    assert found["put"] == (
        f"refused: no resource-based policy allows kms:GenerateDataKey on key {key} (the key's own policy)"
    )


def test_a_key_that_is_switched_off_is_told_by_awss_own_code(world: World) -> None:
    key = world.make_key()
    bucket = encrypted_bucket(world, key)
    connected = world.connect(make_bucket=False, bucket={"existing": bucket, "kms_key_arn": key})
    world.kms.disable_key(KeyId=key)
    assert failed(verify(request_of(connected), seconds=0))["put"] == "KMS.DisabledException"


@pytest.mark.parametrize("missing", OBJECTS)
def test_a_boundary_that_leaves_out_what_the_connection_needs_is_told_until_it_is_mended(
    missing: str, world: World
) -> None:
    allowed = [action for action in OBJECTS if action != missing]
    boundary = world.make_policy(f"boundary-{world.tag}", *allowed)
    connected = world.connect(aws={"permissions_boundary": boundary, "iam_path": "/dataloop/"})
    found = failed(verify(request_of(connected), seconds=0))
    said = f"refused: no permissions boundary allows {missing} (aws.permissions_boundary)"
    assert found[{"s3:ListBucket": "list", "s3:PutObject": "put", "s3:GetObject": "get"}[missing]] == said
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*OBJECTS], "Resource": "*"}]}
    world.iam.create_policy_version(PolicyArn=boundary, PolicyDocument=json.dumps(document), SetAsDefault=True)
    assert failed(verify(request_of(connected), seconds=0)) == {}


def test_a_bucket_policy_against_the_role_is_told_and_no_secret_with_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    connected = world.connect()
    deny(world, connected.bucket, connected.role_arn, "s3:PutObject")
    request = request_of(connected)
    found = failed(verify(request, seconds=0))
    assert found["put"] == "refused: explicit deny in a resource-based policy for s3:PutObject (the bucket's policy)"
    assert verification._step(request) == 1
    said = capsys.readouterr()
    _, reason = said.err.splitlines()
    assert "expected allowed, got refused: explicit deny in a resource-based policy for s3:PutObject" in reason
    assert connected.secret not in said.err + said.out


def test_from_inside_the_addresses_everything_is_proved(world: World) -> None:
    connected = world.connect(aws={"trust_source_ips": ["127.0.0.0/8", "203.0.113.0/24"]})
    report = verify(of_addresses(connected), seconds=0)
    assert failed(report) == {}
    assert report.checks[0].model_dump() == {
        "name": "user assumes the role",
        "expected": "allowed",
        "actual": "allowed",
        "ok": True,
    }
    assert len(report.checks) == 7


def outside(report: Report) -> None:
    """The report is of a machine that may be outside: it says so, and tries what can be tried."""
    assume, *others = report.checks
    assert report.ok
    assert assume.expected == "allowed from 203.0.113.0/24"
    assert assume.actual.startswith("refused here, where the address may be outside of aws.trust_source_ips")
    assert "Dataloop's TEST has to prove it" in assume.actual
    assert [check.name.partition(": ")[0] for check in others] == ["user without the role"]


def test_from_outside_the_addresses_the_check_says_so_and_leaves_the_proof_to_dataloop(world: World) -> None:
    outside(verify(of_addresses(world.connect(aws={"trust_source_ips": ["203.0.113.0/24"]})), seconds=0))


def test_the_wait_outside_of_the_addresses_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "OUTSIDE_SECONDS", 0.5)
    connected = world.connect(aws={"trust_source_ips": ["203.0.113.0/24"]})
    began = time.monotonic()
    outside(verify(of_addresses(connected), seconds=60))
    assert 0.5 < time.monotonic() - began < 10


@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_wrong_credentials_are_a_failure_outside_of_the_addresses_too(wrong: str, world: World) -> None:
    connected = world.connect(aws={"trust_source_ips": ["203.0.113.0/24"]})
    change: dict[str, Any] = {"secret": {"secret": "x" * 40}, "key": {"access_key_id": "AKIAIOSFODNN7EXAMPLE"}}[wrong]
    for name, value in change.items():
        setattr(connected, name, value)
    report = verify(of_addresses(connected), seconds=0)
    assert not report.ok
    assert len(report.checks) == 1


def test_a_key_that_is_not_known_everywhere_yet_is_waited_for_inside_the_addresses(world: World) -> None:
    world.aws.consistency_delay_s = 1.5
    connected = world.connect(aws={"trust_source_ips": ["127.0.0.0/8"]})
    report = verify(of_addresses(connected), seconds=20)
    assert (failed(report), report.checks[0].actual) == ({}, "allowed")
