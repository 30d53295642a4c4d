"""The administrator's calls that declaring a connection needs, with AWS's answers and error codes."""

from typing import Any

import pytest


def test_bucket_settings_are_written_read_and_removed(world: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
    ownership = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == ownership
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.delete_public_access_block(Bucket=bucket)
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)
    gone = [
        world.refused(lambda: s3.get_public_access_block(Bucket=bucket)),
        world.refused(lambda: s3.get_bucket_ownership_controls(Bucket=bucket)),
        world.refused(lambda: s3.get_bucket_tagging(Bucket=bucket)),
        world.refused(lambda: s3.get_bucket_policy(Bucket=bucket)),
    ]
    assert [code for code, _ in gone] == [
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "NoSuchTagSet",
        "NoSuchBucketPolicy",
    ]
    s3.delete_bucket(Bucket=bucket)
    assert world.refused(lambda: s3.list_objects_v2(Bucket=bucket)) == ("NoSuchBucket", 404)


def test_bucket_name_is_taken_by_another_account_or_owned_already(world: Any) -> None:
    name = world.bucket()
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    europe = world.client("s3", region="eu-west-1")
    world.client("s3").create_bucket(Bucket=name)  # in us-east-1 a repeated creation succeeds
    assert world.refused(lambda: world.other_account("s3").create_bucket(Bucket=name)) == ("BucketAlreadyExists", 409)
    assert world.refused(lambda: europe.create_bucket(Bucket=name, **elsewhere)) == ("BucketAlreadyOwnedByYou", 409)
    europe.create_bucket(Bucket=f"eu-{name}", **elsewhere)
    assert world.refused(lambda: europe.create_bucket(Bucket=f"eu-{name}", **elsewhere)) == (
        "BucketAlreadyOwnedByYou",
        409,
    )
    assert europe.head_bucket(Bucket=f"eu-{name}")["BucketRegion"] == "eu-west-1"
    assert world.refused(lambda: world.other_account("s3").list_objects_v2(Bucket=name)) == ("AccessDenied", 403)


def test_bucket_with_objects_is_not_deleted(world: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert world.refused(lambda: s3.delete_bucket(Bucket=bucket)) == ("BucketNotEmpty", 409)


@pytest.mark.parametrize("key", ["a//b", "/lead", "dir/", "ü +&=?#%2F%", "a/../b", "~(x)'*!"])
def test_any_key_is_written_and_read_back(world: Any, key: str) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]] == [key]


def test_multipart_upload_and_copy(world: Any, tmp_path: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    source = tmp_path / "large"
    source.write_bytes(b"x" * (9 << 20))
    s3.upload_file(str(source), bucket, "large")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "large"})
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 9 << 20


def test_user_with_keys_is_not_deleted_and_a_third_key_is_refused(world: Any) -> None:
    world.user()
    iam, name = world.client("iam"), f"user-{world.tag}"
    iam.create_access_key(UserName=name)
    assert world.refused(lambda: iam.create_access_key(UserName=name)) == ("LimitExceeded", 409)
    assert world.refused(lambda: iam.delete_user(UserName=name)) == ("DeleteConflict", 409)
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    assert world.refused(lambda: iam.get_user(UserName=name)) == ("NoSuchEntity", 404)


def test_policy_in_use_is_not_deleted(world: Any) -> None:
    iam, (arn, _) = world.client("iam"), world.user()
    role = world.role(arn).rsplit("/", 1)[-1]
    document = world.policy(world.allow("s3:ListBucket", "*"))
    made = iam.create_policy(PolicyName=f"p-{world.tag}", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=made)
    assert world.refused(lambda: iam.delete_policy(PolicyArn=made)) == ("DeleteConflict", 409)
    assert world.refused(lambda: iam.delete_role(RoleName=role)) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName=role, PolicyArn=made)
    iam.create_policy_version(PolicyArn=made, PolicyDocument=document, SetAsDefault=True)
    assert world.refused(lambda: iam.delete_policy(PolicyArn=made)) == ("DeleteConflict", 409)
    iam.delete_policy_version(PolicyArn=made, VersionId="v1")
    iam.delete_policy(PolicyArn=made)


def test_key_tells_when_it_was_last_used(world: Any) -> None:
    _, user = world.user()
    iam = world.client("iam")
    assert "LastUsedDate" not in iam.get_access_key_last_used(AccessKeyId=user["key"])["AccessKeyLastUsed"]
    world.client("sts", **user).get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=user["key"])
    assert used["UserName"] == f"user-{world.tag}"
    assert used["AccessKeyLastUsed"]["ServiceName"] == "sts"


def test_tag_named_after_an_access_key_is_kept_on_the_user(world: Any) -> None:
    _, user = world.user()
    iam, name = world.client("iam"), f"user-{world.tag}"
    iam.tag_user(UserName=name, Tags=[{"Key": user["key"], "Value": "DataLoop images"}])
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": user["key"], "Value": "DataLoop images"}]
    iam.untag_user(UserName=name, TagKeys=[user["key"]])
    assert iam.list_user_tags(UserName=name)["Tags"] == []


def test_trust_in_a_user_that_does_not_exist_is_refused(world: Any) -> None:
    nobody = f"arn:aws:iam::{world.server.account_id}:user/nobody"
    assert world.refused(lambda: world.role(nobody)) == ("MalformedPolicyDocument", 400)
