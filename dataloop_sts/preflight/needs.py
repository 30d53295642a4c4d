"""The preflight's look at what a connection uses without making it: existing buckets, KMS keys, the boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dataloop_sts.aws import MISSING, REFUSED, Aws, aws_errors
from dataloop_sts.errors import AwsError, Problem
from dataloop_sts.preflight.request import PreflightRequest
from dataloop_sts.regions import Arn

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET, _KEY, _BOUNDARY = "drivers[].bucket.existing", "drivers[].bucket.kms_key_arn", "aws.permissions_boundary"
_PUBLIC_ACCESS_SETTINGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_OWN_S3_KEY = "alias/aws/s3"
"""AWS's own key for S3, which every principal of the account may use through S3."""

T = TypeVar("T")


def needs_problems(aws: Aws, account: str, request: PreflightRequest) -> Iterator[Problem]:
    """What is missing, out of order, or open to others than its owner.

    Args:
        aws: credentials that may look.
        account: the account that they are of.
        request: what to look at.

    Raises:
        AwsError: AWS gave no answer.
    """
    s3 = aws.s3()
    for bucket in request.needs.existing_buckets:
        if elsewhere := list(_told(_BUCKET, _not_there(s3, bucket, request.region))):
            yield from elsewhere
            continue
        yield from _told(_BUCKET, _not_closed(s3, bucket))
        yield from _told(_BUCKET, _public_by_policy(s3, bucket))
        yield from _told(_KEY, _default_key(aws, bucket, request.needs.bucket_keys.get(bucket, "")))
    for arn in request.needs.kms_key_arns:
        yield from _told(_KEY, _kms_key(aws, arn, account))
    if request.needs.permissions_boundary:
        yield from _told(_BOUNDARY, _boundary(aws, request.needs.permissions_boundary, account))


def _told(path: str, messages: Iterator[str]) -> Iterator[Problem]:
    """The messages at their place in the spec, and what may not be looked at as one of them."""
    try:
        for message in messages:
            yield Problem(path, message)
    except AwsError as error:
        if error.code not in REFUSED:
            raise
        yield Problem(path, str(error))


def _not_there(s3: S3Client, bucket: str, region: str) -> Iterator[str]:
    try:
        with aws_errors(f"look for bucket {bucket}"):
            found = s3.head_bucket(Bucket=bucket)
    except AwsError as error:
        if error.code in MISSING:
            yield f"There is no bucket {bucket!r}: correct the name, or have it made as `name`."
        elif error.code in REFUSED:
            yield (
                f"Bucket {bucket!r} cannot be seen with these credentials: it is of another account, or they lack "
                "s3:ListBucket on it."
            )
        else:
            raise
        return
    if found.get("BucketRegion", region) != region:
        yield f"Bucket {bucket!r} is in {found['BucketRegion']}, aws.region is {region}: one of the two has to change."


def _not_closed(s3: S3Client, bucket: str) -> Iterator[str]:
    found = _unless(
        "NoSuchPublicAccessBlockConfiguration",
        f"read the public access block of bucket {bucket}",
        lambda: s3.get_public_access_block(Bucket=bucket),
    )
    live: dict[str, Any] = {**found["PublicAccessBlockConfiguration"]} if found else {}
    if off := [name for name in _PUBLIC_ACCESS_SETTINGS if not live.get(name)]:
        settings = ",".join(f"{name}=true" for name in _PUBLIC_ACCESS_SETTINGS)
        yield (
            f"Bucket {bucket!r} does not block public access ({', '.join(off)}): turn all of it on (aws s3api "
            f"put-public-access-block --bucket {bucket} --public-access-block-configuration {settings})."
        )


def _public_by_policy(s3: S3Client, bucket: str) -> Iterator[str]:
    found = _unless(
        "NoSuchBucketPolicy",
        f"read whether the policy of bucket {bucket} is public",
        lambda: s3.get_bucket_policy_status(Bucket=bucket),
    )
    if found and found["PolicyStatus"].get("IsPublic"):
        yield f"The policy of bucket {bucket!r} is public: take out or narrow what it allows to everyone."


def _default_key(aws: Aws, bucket: str, named: str) -> Iterator[str]:
    """The role may use the keys of the spec alone: with another one the bucket would refuse what it writes."""
    default = _default_encryption(aws.s3(), bucket)
    key = default.get("KMSMasterKeyID") or _OWN_S3_KEY
    if not default.get("SSEAlgorithm", "").startswith("aws:kms") or key.endswith(_OWN_S3_KEY):
        return
    if ":alias/" in key or key.startswith("alias/"):
        with aws_errors(f"look at KMS key {key}, with which bucket {bucket} encrypts"):
            key = aws.kms().describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    if key.rpartition("/")[2] != named.rpartition("/")[2]:
        yield f"Bucket {bucket!r} encrypts with KMS key {key}: name that key here."


def _default_encryption(s3: S3Client, bucket: str) -> dict[str, Any]:
    found = _unless(
        "ServerSideEncryptionConfigurationNotFoundError",
        f"read the encryption of bucket {bucket}",
        lambda: s3.get_bucket_encryption(Bucket=bucket),
    )
    rules = found["ServerSideEncryptionConfiguration"]["Rules"] if found else []
    return next(({**rule.get("ApplyServerSideEncryptionByDefault", {})} for rule in rules), {})


def _kms_key(aws: Aws, arn: str, account: str) -> Iterator[str]:
    owner = Arn.parse(arn).account
    if owner != account:
        yield f"KMS key {arn} is of account {owner}, the connection of {account}: name one of its own."
        return
    describe = partial(aws.kms().describe_key, KeyId=arn)
    found = _unless("NotFoundException", f"look at KMS key {arn}", describe)
    if found is None:
        yield f"There is no KMS key {arn}: correct the ARN."
        return
    key = found["KeyMetadata"]
    if (
        key.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT"
        or key.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT"
    ):
        yield f"KMS key {arn} is not for symmetric encryption, and S3 uses no other: name one that is."
    elif key.get("KeyState") != "Enabled":
        yield f"KMS key {arn} is {key.get('KeyState')}: enable it (cancel its deletion first), or name another."


def _boundary(aws: Aws, arn: str, account: str) -> Iterator[str]:
    owner = Arn.parse(arn).account
    if owner not in ("aws", account):
        yield f"Policy {arn} is of account {owner}, the connection of {account}: name one of its own."
        return
    get = partial(aws.iam().get_policy, PolicyArn=arn)
    if _unless("NoSuchEntity", f"look for policy {arn}", get) is None:
        yield f"There is no policy {arn}: correct the ARN, or have the policy made."


def _unless(missing: str, what: str, call: Callable[[], T]) -> T | None:
    """What a call gives, or None where AWS says that there is none."""
    try:
        with aws_errors(what):
            return call()
    except AwsError as error:
        if error.code == missing:
            return None
        raise
