"""Trust, bucket and key policies in moto: checked when they are saved, and kept with their principals bound to ids."""

import json
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.iam import models as iam_models
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.kms.models import Key
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket

from sandbox.aws import directory
from sandbox.aws.conditions import PolicyError
from sandbox.aws.directory import PARTITION, StoredPolicy
from sandbox.aws.evaluator import validate
from sandbox.aws.principals import Document, bind, show


def install() -> None:
    """Make moto's roles, buckets and keys keep a StoredPolicy."""
    patched_role: Any = iam_models.Role
    patched_role.assume_role_policy_document = property(_get_trust, _set_trust)
    patched_bucket: Any = FakeBucket
    patched_bucket.policy = property(_get_bucket_policy, _set_bucket_policy)
    patched_key: Any = Key
    patched_key.policy = property(_get_key_policy, _set_key_policy)
    _check_the_trust_of_a_new_role()


class _MalformedPolicyError(S3ClientError):
    code = "MalformedPolicy"


def _get_trust(role: Any) -> str:
    return _shown(role.stored_trust)


def _set_trust(role: Any, text: str) -> None:
    try:
        bound = bind_policy(text, is_trust=True)
    except PolicyError as problem:
        raise MalformedPolicyDocument(str(problem)) from None
    role.stored_trust = StoredPolicy(text, bound, datetime.now(UTC), getattr(role, "stored_trust", None))


def _get_bucket_policy(bucket: Any) -> bytes | None:
    return _shown(bucket.stored_policy).encode() if bucket.stored_policy else None


def _set_bucket_policy(bucket: Any, text: bytes | None) -> None:
    if text is None:
        bucket.stored_policy = None
        return
    try:
        bound = bind_policy(text.decode(), is_trust=False)
        _check_bucket_resources(bound, bucket)
    except (PolicyError, UnicodeDecodeError) as problem:
        raise _MalformedPolicyError(str(problem)) from None
    bucket.stored_policy = StoredPolicy(text.decode(), bound, datetime.now(UTC))


def _get_key_policy(key: Any) -> str:
    return _shown(key.stored_policy)


def _set_key_policy(key: Any, text: str) -> None:
    try:
        bound = bind_policy(text, is_trust=False)
    except PolicyError as problem:
        raise JsonRESTError("MalformedPolicyDocumentException", str(problem)) from None
    key.stored_policy = StoredPolicy(text, bound, datetime.now(UTC))


def _check_the_trust_of_a_new_role() -> None:
    backend: Any = iam_models.IAMBackend
    create_role = backend.create_role

    def create_valid_role(
        self: Any, role_name: str, assume_role_policy_document: str, *args: Any, **kwargs: Any
    ) -> Any:
        IAMTrustPolicyDocumentValidator(assume_role_policy_document).validate()
        return create_role(self, role_name, assume_role_policy_document, *args, **kwargs)

    backend.create_role = create_valid_role


def bind_policy(text: str, *, is_trust: bool) -> Document:
    """Return a resource policy as AWS stores it. Raises PolicyError for one that AWS would not save."""
    try:
        document = json.loads(text)
    except ValueError:
        raise PolicyError("This policy contains invalid Json") from None
    validate(document, is_trust=is_trust)
    return bind(document, PARTITION, directory.unique_id_of)


def _shown(stored: StoredPolicy) -> str:
    shown = show(stored.bound, directory.arn_of)
    return stored.text if shown == json.loads(stored.text) else json.dumps(shown)


def _check_bucket_resources(document: Document, bucket: Any) -> None:
    arn = f"arn:{bucket.partition}:s3:::{bucket.name}"
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        resources = statement.get("Resource", statement.get("NotResource"))
        for resource in resources if isinstance(resources, list) else [resources]:
            if resource != arn and not str(resource).startswith(f"{arn}/") and resource not in (f"{arn}*", "*"):
                raise PolicyError("Policy has invalid resource")
