"""Encryption with KMS keys in S3: which key a request uses, whether the caller may, and how the object is stored.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html; the permissions of multipart uploads:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html; of HeadObject:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.aws import directory, kms_keys
from sandbox.aws.authentication import Caller
from sandbox.aws.authorization import Authorization
from sandbox.aws.directory import PARTITION
from sandbox.aws.errors import RefusedError
from sandbox.aws.http_request import HttpRequest
from sandbox.aws.s3_actions import ObjectName, S3Call

_HEADER = "x-amz-server-side-encryption"
_KEY_HEADER = f"{_HEADER}-aws-kms-key-id"
_BUCKET_KEY_HEADER = f"{_HEADER}-bucket-key-enabled"
_KMS, _S3 = "aws:kms", "AES256"
_READS = {"s3:GetObject", "s3:GetObjectVersion"}


@dataclass(frozen=True)
class _Encryption:
    """What an object is, or will be, encrypted with. key: as it was given; with_bucket_key: by the bucket's own."""

    algorithm: str
    key: str = ""
    with_bucket_key: bool = False


def authorize(authorization: Authorization, caller: Caller, request: HttpRequest, call: S3Call) -> Mapping[str, str]:
    """Return the headers that tell moto how to store the object of a request; none where it stores none.

    Raises RefusedError unless the caller may use every KMS key that the request needs, and each can be used now.
    """
    keys = _Keys(authorization, caller)
    action, target = call.needs[0].action if call.needs else "", call.target
    if call.source:
        keys.decrypt(directory.stored_object(*call.source), call.source)
    if action in _READS and (request.method == "GET" or "x-amz-checksum-mode" in request.headers):
        keys.decrypt(directory.stored_object(*target), target)
    if action != "s3:PutObject":
        return {}
    if upload := request.query.get("uploadId"):
        keys.decrypt(directory.stored_upload(call.bucket, upload), target)
        return {}
    encryption = _asked(request.headers) or _default(call.bucket)
    if encryption.algorithm == _KMS:
        key = keys.use("kms:GenerateDataKey", encryption, target)
        with_bucket_key = str(encryption.with_bucket_key).lower()
        return {_HEADER: _KMS, _KEY_HEADER: key.arn, _BUCKET_KEY_HEADER: with_bucket_key}
    # A copy onto itself that asks for nothing is refused by moto, as by S3: it must not seem to ask.
    return {} if call.source else {_HEADER: encryption.algorithm}


@dataclass(frozen=True)
class _Keys:
    """The use of KMS keys by S3 on behalf of a caller."""

    authorization: Authorization
    caller: Caller

    def decrypt(self, stored: Any | None, target: ObjectName) -> None:
        """Use the key of moto's object, or multipart upload; of None, which moto will answer for, there is none."""
        algorithm = getattr(stored, "encryption", None) or getattr(stored, "sse_encryption", None)
        if stored is not None and algorithm == _KMS:
            with_bucket_key = str(getattr(stored, "bucket_key_enabled", None)).lower() == "true"
            self.use("kms:Decrypt", _Encryption(_KMS, stored.kms_key_id, with_bucket_key), target)

    def use(self, action: str, encryption: _Encryption, target: ObjectName) -> Any:
        """Return moto's key once it may, and can, be used."""
        region = directory.bucket_by_name(target.bucket).region_name
        encrypted = target.bucket if encryption.with_bucket_key else f"{target.bucket}/{target.key}"
        # KMS sees S3's address, and not the caller's.
        own = {name: value for name, value in self.caller.context.items() if name != "aws:sourceip"}
        context = {
            **own,
            "aws:viaawsservice": ("true",),
            "kms:viaservice": (f"s3.{region}.amazonaws.com",),
            "kms:encryptioncontext:aws:s3:arn": (f"arn:{PARTITION}:s3:::{encrypted}",),
        }
        reference = encryption.key or kms_keys.S3_ALIAS
        try:
            key = self.authorization.require_key(self.caller, action, reference, region, context)
            kms_keys.check_usable(key)
        except RefusedError as refusal:
            if refusal.status == 403:
                raise
            raise RefusedError(refusal.status, f"KMS.{refusal.code}", refusal.message) from None
        return key


def _asked(headers: Mapping[str, str]) -> _Encryption | None:
    algorithm, key = headers.get(_HEADER), headers.get(_KEY_HEADER)
    if algorithm not in (None, _KMS, _S3):
        raise RefusedError(400, "InvalidArgument", "The encryption method specified is not supported")
    if key and algorithm != _KMS:
        raise RefusedError(
            400,
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header "
            "x-amz-server-side-encryption : aws:kms",
        )
    with_bucket_key = headers.get(_BUCKET_KEY_HEADER, "").lower() == "true"
    return _Encryption(algorithm, key or "", with_bucket_key) if algorithm else None


def _default(bucket: str) -> _Encryption:
    rule = (directory.bucket_by_name(bucket).encryption or {}).get("Rule", {})
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    algorithm = str(default.get("SSEAlgorithm") or _S3)
    return _Encryption(algorithm, str(default.get("KMSMasterKeyID") or ""), rule.get("BucketKeyEnabled") == "true")
