"""The objects with which the verification tries a role, named so that none can be a customer's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dataloop_sts.aws import failure

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROBE_NAME = "test-file"
RANDOM_PROBE_PREFIX = "dataloop-sts-probe-"
"""What the name of every other object begins with that the verification writes."""
# The answer to who may read a key that is not there but may not list the bucket: it refuses the listing, by name.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html,
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
_LISTING_REFUSED = "to perform: s3:ListBucket "


class Probe:
    """An object of the verification's own, and whether it may be there."""

    def __init__(self, bucket: str, prefix: str, name: str | None = None) -> None:
        self.bucket = bucket
        self.key = prefix + (name or f"{RANDOM_PROBE_PREFIX}{secrets.token_hex(8)}")
        self.there = False

    def put(self, s3: S3Client) -> None:
        # AWS looks at the condition only after it has authorised the write
        with taken_as_allowed("PreconditionFailed"):
            s3.put_object(Bucket=self.bucket, Key=self.key, Body=b"", IfNoneMatch="*")
        self.there = True

    def get(self, s3: S3Client) -> None:
        s3.get_object(Bucket=self.bucket, Key=self.key)

    def delete(self, s3: S3Client) -> None:
        s3.delete_object(Bucket=self.bucket, Key=self.key)
        self.there = False

    def put_and_remove(self, s3: S3Client) -> None:
        self.put(s3)
        failure(partial(self.delete, s3))

    def get_missing(self, s3: S3Client) -> None:
        with taken_as_allowed("NoSuchKey", naming=_LISTING_REFUSED):
            self.get(s3)


@contextmanager
def taken_as_allowed(code: str, naming: str = "") -> Iterator[None]:
    """Lets an error pass that AWS gives only to a caller who may make the call: by its code, or by what it names."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        if answer.get("Code") != code and not (naming and naming in answer.get("Message", "")):
            raise
