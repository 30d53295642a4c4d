"""Objects encrypted with KMS keys: S3 uses the key on behalf of the caller, who needs the permission for it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED

VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
USE = ["kms:GenerateDataKey", "kms:Decrypt"]


def reader_and_writer(world: Any, *statements: Any) -> Any:
    """An S3 client of a role that may do everything in S3, and in KMS what the statements say."""
    user_arn, user = world.user()
    role = world.role(user_arn)
    world.grant(role, world.allow("s3:*", "*"), *statements)
    return world.client("s3", **world.session(user, role))


def put(s3: Any, bucket: str, key: str = "k", **more: Any) -> Callable[[], Any]:
    return lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"content", **more)


def get(s3: Any, bucket: str, key: str = "k") -> Callable[[], Any]:
    return lambda: s3.get_object(Bucket=bucket, Key=key)


def test_the_buckets_key_is_needed_to_write_and_to_read(world: Any) -> None:
    key = world.key()
    bucket = world.encrypted_bucket(key)
    s3 = reader_and_writer(world, world.allow(["kms:GenerateDataKey"], key, Condition=VIA_S3))
    made = put(s3, bucket)()
    assert (made["ServerSideEncryption"], made["SSEKMSKeyId"]) == ("aws:kms", key)
    role = f"arn:aws:sts::{world.server.account_id}:assumed-role/role-{world.tag}/test"
    assert world.refusal(get(s3, bucket)) == (
        "AccessDenied",
        f"User: {role} is not authorized to perform: kms:Decrypt on resource: {key} "
        "because no identity-based policy allows the kms:Decrypt action",
    )
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key  # tells of the object, reads nothing of it
    assert world.refused(lambda: s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")) == ("403", 403)
    _grant(world, world.allow("s3:*", "*"), world.allow(["kms:Decrypt"], key, Condition=VIA_S3))
    assert get(s3, bucket)()["Body"].read() == b"content"
    code, message = world.refusal(put(s3, bucket, "new"))
    assert code == "AccessDenied"
    assert message.endswith(
        f"is not authorized to perform: kms:GenerateDataKey on resource: {key} "
        "because no identity-based policy allows the kms:GenerateDataKey action"
    )
    assert world.refused(lambda: world.client("s3").head_object(Bucket=bucket, Key="new")) == ("404", 404)


def _grant(world: Any, *statements: Any) -> None:
    world.grant(f"role-{world.tag}", *statements)


@pytest.mark.parametrize(
    ("condition", "works"),
    [
        (VIA_S3, True),
        ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, False),
        ({"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::bucket-{tag}/raw/*"}}, True),
        ({"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::bucket-{tag}/other/*"}}, False),
        ({"Bool": {"aws:ViaAWSService": "true"}}, True),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False),  # KMS sees S3's address
    ],
)
def test_conditions_see_s3_between_caller_and_key(world: Any, condition: Any, works: bool) -> None:
    key = world.key()
    bucket = world.encrypted_bucket(key)
    filled = {
        operator: {name: value.replace("{tag}", world.tag) for name, value in keys.items()}
        for operator, keys in condition.items()
    }
    s3 = reader_and_writer(world, world.allow(USE, key, Condition=filled))
    if works:
        put(s3, bucket, "raw/k")()
        assert get(s3, bucket, "raw/k")()["Body"].read() == b"content"
    else:
        assert world.refused(put(s3, bucket, "raw/k")) == ("AccessDenied", 403)
    direct = boto3.client("kms", **_arguments(s3))
    if condition != {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}:
        assert world.refused(lambda: direct.generate_data_key(KeyId=key, KeySpec="AES_256"))[1] == 400


def _arguments(client: Any) -> dict[str, Any]:
    made = client._request_signer._credentials.get_frozen_credentials()
    return {
        "endpoint_url": client.meta.endpoint_url,
        "region_name": client.meta.region_name,
        "aws_access_key_id": made.access_key,
        "aws_secret_access_key": made.secret_key,
        "aws_session_token": made.token,
    }


def test_bucket_key_is_kept_and_stands_in_the_encryption_context(world: Any) -> None:
    key = world.key()
    bucket = world.encrypted_bucket(key, BucketKeyEnabled=True)
    kept = world.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert [rule["ApplyServerSideEncryptionByDefault"] for rule in kept] == [default]
    assert [rule["BucketKeyEnabled"] for rule in kept] == [True]
    of_bucket = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}"}}
    s3 = reader_and_writer(world, world.allow(USE, key, Condition=of_bucket))
    assert put(s3, bucket)()["BucketKeyEnabled"] is True
    assert get(s3, bucket)()["BucketKeyEnabled"] is True
    assert world.refused(put(s3, bucket, "k2", ServerSideEncryption="aws:kms", SSEKMSKeyId=key))[0] == "AccessDenied"


def test_key_that_cannot_be_used_refuses_with_the_words_of_s3(world: Any) -> None:
    kms, key = world.client("kms"), world.key()
    bucket, admin = world.encrypted_bucket(key), world.client("s3")
    put(admin, bucket)()
    kms.disable_key(KeyId=key)
    for call in (put(admin, bucket), get(admin, bucket)):
        assert world.refused(call) == ("KMS.DisabledException", 400)
        assert world.refusal(call)[1] == f"{key} is disabled."
    kms.enable_key(KeyId=key)
    kms.schedule_key_deletion(KeyId=key.rsplit("/", 1)[-1], PendingWindowInDays=7)
    for call in (put(admin, bucket), get(admin, bucket)):
        assert world.refusal(call) == ("KMS.KMSInvalidStateException", f"{key} is pending deletion.")
    unknown = key.rsplit("/", 1)[0] + "/11111111-2222-3333-4444-555555555555"
    elsewhere = unknown.replace("us-east-1", "eu-west-1")
    cases = [(unknown, f"Key '{unknown}' does not exist"), (elsewhere, "Invalid arn eu-west-1")]
    for name, message in cases:
        by_header = put(admin, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
        assert world.refusal(by_header) == ("KMS.NotFoundException", message)
        assert world.refusal(put(admin, world.encrypted_bucket(name))) == ("KMS.NotFoundException", message)


def test_what_the_request_asks_for_goes_before_the_buckets_default(world: Any) -> None:
    mine, other = world.key(), world.key()
    bucket = world.encrypted_bucket(mine)
    s3 = reader_and_writer(world, world.allow(USE, other))
    assert world.refused(put(s3, bucket))[0] == "AccessDenied"
    made = put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=other.rsplit("/", 1)[-1])()
    assert made["SSEKMSKeyId"] == other
    assert put(s3, bucket, "plain", ServerSideEncryption="AES256")()["ServerSideEncryption"] == "AES256"
    assert get(s3, bucket, "plain")()["Body"].read() == b"content"
    assert put(s3, world.bucket("unset"), "plain")()["ServerSideEncryption"] == "AES256"
    without = put(s3, bucket, SSEKMSKeyId=other)
    assert world.refused(without) == ("InvalidArgument", 400)


def test_without_a_named_key_s3_has_its_own_for_its_account_alone(world: Any) -> None:
    bucket = world.bucket()
    s3 = reader_and_writer(world)
    made = put(s3, bucket, ServerSideEncryption="aws:kms")()
    assert get(s3, bucket)()["SSEKMSKeyId"] == made["SSEKMSKeyId"]
    kms = world.client("kms")
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (described["Arn"], described["KeyManager"]) == (made["SSEKMSKeyId"], "AWS")
    assert world.refused(lambda: kms.encrypt(KeyId=described["Arn"], Plaintext=b"s"))[0] == "AccessDeniedException"
    everyone = {"AWS": f"arn:aws:iam::{world.server.other_account_id}:root"}
    opened = world.allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], Principal=everyone)
    world.client("s3").put_bucket_policy(Bucket=bucket, Policy=world.policy(opened))
    assert world.refused(get(world.other_account("s3"), bucket)) == ("AccessDenied", 403)


def test_copy_reads_with_one_key_and_writes_with_the_other(world: Any) -> None:
    one, two = world.key(), world.key()
    source, target = world.encrypted_bucket(one, "source"), world.encrypted_bucket(two, "target")
    put(world.client("s3"), source)()

    def copy(s3: Any) -> Callable[[], Any]:
        return lambda: s3.copy_object(Bucket=target, Key="k", CopySource={"Bucket": source, "Key": "k"})

    s3 = reader_and_writer(world)
    for granted, missing in (
        ([world.allow(USE, two)], f"kms:Decrypt on resource: {one}"),
        ([world.allow(USE, one)], f"kms:GenerateDataKey on resource: {two}"),
    ):
        _grant(world, world.allow("s3:*", "*"), *granted)
        code, message = world.refusal(copy(s3))
        assert (code, missing in message) == ("AccessDenied", True)
    _grant(world, world.allow("s3:*", "*"), world.allow(USE, [one, two]))
    assert copy(s3)()["SSEKMSKeyId"] == two
    assert get(s3, target)()["Body"].read() == b"content"


def test_multipart_upload_needs_to_decrypt_its_own_parts(world: Any, tmp_path: Any) -> None:
    key = world.key()
    bucket, source = world.encrypted_bucket(key), tmp_path / "large"
    source.write_bytes(b"x" * (6 << 20))
    in_parts = TransferConfig(multipart_threshold=1, multipart_chunksize=5 << 20)
    s3 = reader_and_writer(world, world.allow(["kms:GenerateDataKey"], key))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")
    assert upload["SSEKMSKeyId"] == key
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"], "PartNumber": 1, "Body": b"x"}
    _, message = world.refusal(lambda: s3.upload_part(**part))
    assert f"kms:Decrypt on resource: {key}" in message
    _grant(world, world.allow("s3:*", "*"), world.allow(USE, key))
    s3.upload_file(str(source), bucket, "large", Config=in_parts)
    assert s3.head_object(Bucket=bucket, Key="large")["SSEKMSKeyId"] == key
    _grant(world, world.allow("s3:*", "*"), world.allow(["kms:Decrypt"], key))
    assert len(s3.get_object(Bucket=bucket, Key="large")["Body"].read()) == 6 << 20
    assert world.refused(lambda: s3.create_multipart_upload(Bucket=bucket, Key="k"))[0] == "AccessDenied"


def test_each_version_is_read_with_its_own_key(world: Any) -> None:
    one, two, admin = world.key(), world.key(), world.client("s3")
    bucket = world.encrypted_bucket(one)
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = put(admin, bucket)()["VersionId"]
    put(admin, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=two)()
    s3 = reader_and_writer(world, world.allow(["kms:Decrypt"], two))
    assert get(s3, bucket)()["SSEKMSKeyId"] == two
    assert world.refused(lambda: s3.get_object(Bucket=bucket, Key="k", VersionId=old))[0] == "AccessDenied"


def test_key_of_another_account_needs_both_sides(world: Any) -> None:
    mine, theirs = world.server.account_id, world.server.other_account_id
    root = world.allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{theirs}:root"})
    for_me = world.allow(USE, "*", Principal={"AWS": f"arn:aws:iam::{mine}:root"}, Condition=VIA_S3)
    elsewhere = world.other_account("kms")
    closed, opened = world.key(account=elsewhere), world.key(root, for_me, account=elsewhere)
    s3 = reader_and_writer(world, world.allow(USE, "*"))
    code, message = world.refusal(put(s3, world.encrypted_bucket(closed)))
    assert code == "AccessDenied"
    assert message.endswith("because no resource-based policy allows the kms:GenerateDataKey action")
    bucket = world.encrypted_bucket(opened)
    put(s3, bucket)()
    assert get(s3, bucket)()["SSEKMSKeyId"] == opened
    _grant(world, world.allow("s3:*", "*"))
    code, message = world.refusal(get(s3, bucket))
    assert message.endswith("because no identity-based policy allows the kms:Decrypt action")
    assert world.refused(put(s3, bucket, SSEKMSKeyId=f"{opened[:-3]}000", ServerSideEncryption="aws:kms"))[1] == 403


def test_anonymous_reads_nothing_that_a_kms_key_protects(world: Any) -> None:
    bucket, admin = world.encrypted_bucket(world.key()), world.client("s3")
    put(admin, bucket, "sealed")()
    put(admin, bucket, "plain", ServerSideEncryption="AES256")()
    opened = world.allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*")
    admin.put_bucket_policy(Bucket=bucket, Policy=world.policy(opened))
    nobody = world.client("s3", signature_version=UNSIGNED)
    assert get(nobody, bucket, "plain")()["Body"].read() == b"content"
    assert world.refused(get(nobody, bucket, "sealed")) == ("AccessDenied", 403)
