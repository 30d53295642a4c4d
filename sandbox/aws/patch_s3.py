"""Buckets in moto's S3: their default encryption, whether their policy is public, deletes decided key by key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3 import responses as s3_responses
from moto.s3.models import FakeBucket, S3Backend

from sandbox.aws.public_policy import is_public

# Every bucket has it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
_DEFAULT_ENCRYPTION = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}
# Decides about each key of a multi-object delete; None: the gateway has decided about the whole request.
_key_decision: ContextVar[Callable[[str, str], bool] | None] = ContextVar("key_decision", default=None)


@contextmanager
def deciding_each_key(decide: Callable[[str, str], bool]) -> Iterator[None]:
    """Within it, moto asks `decide(action, resource)` before it deletes a key of a multi-object delete."""
    token = _key_decision.set(decide)
    try:
        yield
    finally:
        _key_decision.reset(token)


def install() -> None:
    """Put the changes into moto's S3."""
    bucket: Any = FakeBucket
    bucket.get_permission = _permission
    backend: Any = S3Backend
    backend.get_bucket_encryption = lambda self, name: self.get_bucket(name).encryption or _DEFAULT_ENCRYPTION
    responses: Any = s3_responses
    responses.bucket_policy_is_public = is_public


def _permission(_bucket: Any, action: str, resource: str) -> PermissionResult:
    decide = _key_decision.get()
    return PermissionResult.PERMITTED if decide is None or decide(action, resource) else PermissionResult.DENIED
