"""What the sandbox changes in moto, where moto does not behave as AWS does. `install` puts it in, once a process.

Access control is not among it: the gateway decides before moto sees a request; moto's own check stays switched off.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, wraps
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam import models as iam_models
from moto.iam.access_control import PermissionResult
from moto.iam.exceptions import DeleteConflictException, MalformedPolicyDocument
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse
from moto.iam.utils import generate_access_key_id_from_account_id
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket
from moto.sts import models as sts_models

from sandbox.aws import directory, service_credentials
from sandbox.aws.conditions import PolicyError
from sandbox.aws.directory import PARTITION, StoredPolicy
from sandbox.aws.evaluator import validate
from sandbox.aws.principals import Document, bind, show

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


@cache
def install() -> None:
    """Put the changes into moto; a second call does nothing."""
    _give_users_an_aws_id_and_a_boundary()
    _keep_policies_bound()
    _bind_sessions_to_the_role()
    _refuse_deletes_that_aws_refuses()
    service_credentials.install()
    _replace(FakeBucket, "get_permission", _bucket_permission)


def _replace(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)


def _bucket_permission(_bucket: Any, action: str, resource: str) -> PermissionResult:
    decide = _key_decision.get()
    return PermissionResult.PERMITTED if decide is None or decide(action, resource) else PermissionResult.DENIED


def _give_users_an_aws_id_and_a_boundary() -> None:
    create = iam_models.User.__init__

    @wraps(create)
    def create_as_aws(self: Any, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        self.id = generate_access_key_id_from_account_id(self.account_id, prefix="AIDA", total_length=21)
        self.permissions_boundary_arn = None

    _replace(iam_models.User, "__init__", create_as_aws)
    _replace(iam_models.User, "permissions_boundary", iam_models.Role.permissions_boundary)

    create_user = IamResponse.create_user

    @wraps(create_user)
    def create_user_with_boundary(self: Any) -> ActionResult:
        boundary = self._get_param("PermissionsBoundary")
        if boundary:
            self.backend.get_policy(boundary)
        result: ActionResult = create_user(self)
        self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = boundary
        return result

    def put_user_permissions_boundary(self: Any) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        boundary = self._get_param("PermissionsBoundary")
        self.backend.get_policy(boundary)
        user.permissions_boundary_arn = boundary
        return EmptyResult()

    def delete_user_permissions_boundary(self: Any) -> ActionResult:
        self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
        return EmptyResult()

    _replace(IamResponse, "create_user", create_user_with_boundary)
    _replace(IamResponse, "put_user_permissions_boundary", put_user_permissions_boundary)
    _replace(IamResponse, "delete_user_permissions_boundary", delete_user_permissions_boundary)


def _keep_policies_bound() -> None:
    def get_trust(role: Any) -> str:
        return _shown(role.stored_trust)

    def set_trust(role: Any, text: str) -> None:
        try:
            bound = _bound(text, is_trust=True)
        except PolicyError as problem:
            raise MalformedPolicyDocument(str(problem)) from None
        role.stored_trust = StoredPolicy(text, bound, datetime.now(UTC), getattr(role, "stored_trust", None))

    def get_bucket_policy(bucket: Any) -> bytes | None:
        return _shown(bucket.stored_policy).encode() if bucket.stored_policy else None

    def set_bucket_policy(bucket: Any, text: bytes | None) -> None:
        if text is None:
            bucket.stored_policy = None
            return
        try:
            bound = _bound(text.decode(), is_trust=False)
            _check_bucket_resources(bound, bucket)
        except (PolicyError, UnicodeDecodeError) as problem:
            raise _MalformedPolicyError(str(problem)) from None
        bucket.stored_policy = StoredPolicy(text.decode(), bound, datetime.now(UTC))

    _replace(iam_models.Role, "assume_role_policy_document", property(get_trust, set_trust))
    _replace(FakeBucket, "policy", property(get_bucket_policy, set_bucket_policy))


class _MalformedPolicyError(S3ClientError):
    code = "MalformedPolicy"


def _bound(text: str, *, is_trust: bool) -> Document:
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


def _bind_sessions_to_the_role() -> None:
    class Session(sts_models.AssumedRole):
        """A session of the role that existed when it began, not of a later one of the same name."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.role_id = directory.unique_id_of(self.role_arn) or ""
            self.issued_at = datetime.now(UTC)

        @property
        def user_id(self) -> str:
            return f"{self.role_id}:{self.session_name}"

    _replace(sts_models, "AssumedRole", Session)


def _refuse_deletes_that_aws_refuses() -> None:
    delete_user = iam_models.IAMBackend.delete_user
    delete_policy = iam_models.IAMBackend.delete_policy
    create_role = iam_models.IAMBackend.create_role

    @wraps(delete_user)
    def delete_unused_user(self: Any, user_name: str) -> None:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
        if self.get_user(user_name).access_keys:
            raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
        if self.get_groups_for_user(user_name):
            raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
        delete_user(self, user_name)

    @wraps(delete_policy)
    def delete_unused_policy(self: Any, policy_arn: str) -> None:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
        bearers = [*self.users.values(), *self.roles.values(), *self.groups.values()]
        if any(policy_arn in bearer.managed_policies for bearer in bearers):
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(self.get_policy(policy_arn).versions) > 1:
            raise DeleteConflictException(
                "This policy has more than one version. "
                "Before you delete a policy, you must delete the policy's versions."
            )
        delete_policy(self, policy_arn)

    @wraps(create_role)
    def create_valid_role(
        self: Any, role_name: str, assume_role_policy_document: str, *args: Any, **kwargs: Any
    ) -> Any:
        IAMTrustPolicyDocumentValidator(assume_role_policy_document).validate()
        return create_role(self, role_name, assume_role_policy_document, *args, **kwargs)

    _replace(iam_models.IAMBackend, "delete_user", delete_unused_user)
    _replace(iam_models.IAMBackend, "delete_policy", delete_unused_policy)
    _replace(iam_models.IAMBackend, "create_role", create_valid_role)
