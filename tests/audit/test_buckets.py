"""Every deviation of a bucket is found, by itself, with evidence and mend; somebody else's is judged less."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from dataloop_sts import policies
from tests.audit.audited import PRIVATE, Audited, encrypt, ids
from tests.steps.aws_world import REGION, World

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/ffffffff-12ab-34cd-56ef-1234567890ab"


def also_in_policy(audited: Audited, **statement: Any) -> None:
    """One more statement in the bucket's policy."""
    document = policies.bucket_document("aws", audited.bucket)
    more = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{audited.bucket}/*", **statement}
    document["Statement"].append(more)
    audited.world.s3.put_bucket_policy(Bucket=audited.bucket, Policy=json.dumps(document))


@pytest.mark.parametrize("setting", PRIVATE)
def test_each_setting_of_the_public_access_block_counts(setting: str, audited: Audited) -> None:
    block = {**PRIVATE, setting: False}
    audited.world.s3.put_public_access_block(Bucket=audited.bucket, PublicAccessBlockConfiguration=block)
    (finding,) = audited.findings()
    assert finding.check == "bucket-public-access-block"
    assert finding.subject == f"bucket {audited.bucket}"
    assert finding.what.replace("_", "").lower() == f"off: {setting.lower()}."


def test_a_bucket_without_a_public_access_block_is_found(audited: Audited) -> None:
    audited.world.s3.delete_public_access_block(Bucket=audited.bucket)
    (finding,) = audited.findings()
    assert (finding.check, finding.what) == ("bucket-public-access-block", "Off: all four settings.")


def test_a_public_policy_is_found(audited: Audited) -> None:
    audited.world.s3.delete_public_access_block(Bucket=audited.bucket)
    also_in_policy(audited, Principal="*")
    assert ids(audited.findings()) == ["bucket-public", "bucket-public-access-block"]


def test_a_public_access_control_list_is_found(audited: Audited) -> None:
    s3, bucket = audited.world.s3, {"Bucket": audited.bucket}
    s3.delete_public_access_block(**bucket)
    s3.delete_bucket_ownership_controls(**bucket)
    s3.put_bucket_acl(**bucket, ACL="public-read")
    public, block, ownership = audited.findings()
    assert (public.check, public.what) == ("bucket-public", "Its access control list is public.")
    assert (block.check, ownership.check) == ("bucket-public-access-block", "bucket-ownership")


def test_a_managed_bucket_without_its_policy_is_found(audited: Audited) -> None:
    audited.world.s3.delete_bucket_policy(Bucket=audited.bucket)
    (finding,) = audited.findings()
    assert (finding.check, finding.what) == ("bucket-tls", "It has no policy.")


def test_a_policy_that_refuses_less_without_tls_is_found(audited: Audited) -> None:
    document = policies.bucket_document("aws", audited.bucket)
    document["Statement"][0]["Action"] = "s3:PutObject"
    audited.world.s3.put_bucket_policy(Bucket=audited.bucket, Policy=json.dumps(document))
    (finding,) = audited.findings()
    assert (finding.check, finding.what) == ("bucket-tls", "Calls without TLS are not refused.")


def test_a_policy_that_lets_another_account_in_is_found(audited: Audited) -> None:
    also_in_policy(audited, Principal={"AWS": "arn:aws:iam::210987654321:root"})
    (finding,) = audited.findings()
    assert finding.check == "bucket-policy"
    assert "allows AWS arn:aws:iam::210987654321:root s3:GetObject on arn:aws:s3:::" in finding.what


@pytest.mark.parametrize("ownership", [None, "BucketOwnerPreferred"])
def test_a_bucket_whose_lists_count_is_found(ownership: str | None, audited: Audited) -> None:
    bucket = {"Bucket": audited.bucket}
    audited.world.s3.delete_bucket_ownership_controls(**bucket)
    if ownership:
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        audited.world.s3.put_bucket_ownership_controls(**bucket, OwnershipControls=rules)
    (finding,) = audited.findings()
    assert finding.check == "bucket-ownership"
    assert f"is {ownership or 'not set'}" in finding.what


def test_a_key_that_the_spec_does_not_have_is_found(audited: Audited) -> None:
    encrypt(audited.world, audited.bucket, SSEAlgorithm="aws:kms", KMSMasterKeyID=OTHER_KEY)
    (finding,) = audited.findings()
    assert finding.check == "bucket-encryption"
    assert finding.what == f"It encrypts with {OTHER_KEY}; the spec says S3's own key."


def test_a_key_that_the_spec_has_and_the_bucket_has_not_is_found(audited: Audited) -> None:
    audited.respec(drivers=[_with(audited, bucket={"name": audited.bucket, "kms_key_arn": KEY})])
    found = {finding.check: finding for finding in audited.findings()}
    assert set(found) == {"bucket-encryption", "role-permission-missing"}  # the role may not use the key either
    assert f"S3's own key; the spec says {KEY}" in found["bucket-encryption"].what
    assert f"kms:Decrypt on {KEY} if StringEquals kms:viaservice" in found["role-permission-missing"].what
    for written in (KEY, KEY.rpartition("/")[2]):
        encrypt(audited.world, audited.bucket, SSEAlgorithm="aws:kms", KMSMasterKeyID=written)
        assert ids(audited.findings()) == ["role-permission-missing"]


def test_a_bucket_in_another_region_is_found(audited: Audited) -> None:
    world = audited.world
    name = f"far-{world.tag}"
    far = boto3.client(
        "s3",
        endpoint_url=world.aws.endpoint_url,
        region_name="us-west-2",
        aws_access_key_id=world.aws.access_key_id,
        aws_secret_access_key=world.aws.secret_access_key,
    )
    far.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    far.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PRIVATE)
    audited.respec(drivers=[*_drivers(audited), _with(audited, name="far", bucket={"existing": name})])
    found = {finding.check: finding for finding in audited.findings()}
    assert set(found) == {"bucket-region", "driver-missing", "role-permission-missing"}
    assert found["bucket-region"].what == f"It is in us-west-2; the spec says {REGION}."


def test_a_bucket_that_is_gone_is_found(audited: Audited) -> None:
    audited.calling = True
    audited.world.s3.delete_bucket(Bucket=audited.bucket)
    report = audited.report()
    findings = report.findings
    assert ids(findings) == ["bucket-missing", "driver-test", "call-list"]
    assert {unseen.needs for unseen in report.hidden} == {"an answer of AWS"}  # that there is no bucket is no refusal
    assert findings[0].subject == f"bucket {audited.bucket}"


def test_a_bucket_that_another_account_took_is_found(audited: Audited) -> None:
    world = audited.world
    world.s3.delete_bucket(Bucket=audited.bucket)
    theirs = boto3.client(
        "s3",
        endpoint_url=world.aws.endpoint_url,
        region_name=REGION,
        aws_access_key_id=world.aws.other_account_access_key_id,
        aws_secret_access_key=world.aws.other_account_secret_access_key,
    )
    theirs.create_bucket(Bucket=audited.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    (finding,) = audited.findings()
    assert (finding.check, finding.severity) == ("bucket-foreign", "critical")
    assert world.aws.account_id in finding.what


def test_of_somebody_elses_bucket_only_place_and_privacy_count(audited: Audited) -> None:
    s3, bucket = audited.world.s3, {"Bucket": audited.bucket}
    audited.respec(drivers=[_with(audited, bucket={"existing": audited.bucket})])
    s3.delete_bucket_policy(**bucket)
    s3.delete_bucket_tagging(**bucket)
    s3.delete_bucket_ownership_controls(**bucket)
    encrypt(audited.world, audited.bucket, SSEAlgorithm="aws:kms", KMSMasterKeyID=OTHER_KEY)
    assert audited.findings() == ()
    s3.delete_public_access_block(**bucket)
    assert ids(audited.findings()) == ["bucket-public-access-block"]


def _drivers(audited: Audited) -> list[dict[str, Any]]:
    return [driver.model_dump(mode="json", exclude_none=True) for driver in audited.spec.drivers]


def _with(audited: Audited, **changes: Any) -> dict[str, Any]:
    return {**_drivers(audited)[0], **changes}


def test_tags_of_a_managed_bucket_count(world: World, audited: Audited) -> None:
    world.s3.delete_bucket_tagging(Bucket=audited.bucket)
    (finding,) = audited.findings()
    assert (finding.check, finding.subject) == ("tags", f"bucket {audited.bucket}")
