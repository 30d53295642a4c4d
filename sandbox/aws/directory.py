"""What moto's state says about accounts: keys, users, roles, sessions, buckets, and the policies in force.

Read-only. Everything is read anew for each request: a deleted key, a detached policy or a removed role counts at once.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from sandbox.aws.conditions import PolicyError
from sandbox.aws.evaluator import Policies
from sandbox.aws.principals import Document, Principal

PARTITION = "aws"


@dataclass(frozen=True)
class Credential:
    """An access key that may be used now. token, issued_at and expires_at: of a session only."""

    principal: Principal
    secret: str
    token: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    session_policy: Document | None = None


@dataclass(frozen=True)
class StoredPolicy:
    """A resource policy as AWS keeps it: as sent, with its principals bound, and what it replaced."""

    text: str
    bound: Document
    saved_at: datetime
    previous: "StoredPolicy | None" = None


class Directory:
    """delay_s: how long a new key, trust policy or policy version is not yet in force: IAM is eventually consistent."""

    def __init__(self, delay_s: float = 0) -> None:
        self.delay_s = delay_s

    @property
    def delay_s(self) -> float:
        """Seconds; a change bears on what is made after it."""
        return self._delay_s

    @delay_s.setter
    def delay_s(self, seconds: float) -> None:
        self._delay_s = seconds
        self._delayed_from = datetime.now(UTC)

    def credential(self, access_key_id: str) -> Credential | None:
        """Return an active access key of a user, or a session's; None for any other."""
        for backend in _every_iam():
            if user := _user_of_key(backend, access_key_id):
                key = user.get_access_key_by_id(access_key_id)
                usable = key.status == "Active" and self._in_force(key.create_date.replace(tzinfo=UTC))
                return Credential(user_principal(user), key.secret_access_key) if usable else None
        for account, by_partition in list(sts_backends.items()):
            sessions: list[Any] = by_partition[PARTITION].assumed_roles
            for session in reversed(sessions):  # the latest are the ones in use
                if session.access_key_id == access_key_id:
                    principal = Principal(
                        "session",
                        account,
                        session.arn,
                        session.role_arn,
                        session.role_id,
                        f"{session.role_id}:{session.session_name}",
                    )
                    return Credential(
                        principal,
                        session.secret_access_key,
                        session.session_token,
                        session.issued_at,
                        session.expiration.replace(tzinfo=UTC),
                        json.loads(session.policy) if session.policy else None,
                    )
        return None

    def policies_of(self, principal: Principal, session_policy: Document | None) -> Policies:
        """Return the policies on the caller's side: nothing for anonymous callers and for what no longer exists."""
        if principal.kind == "anonymous":
            return Policies()
        bearer = bearer_of(principal)
        if bearer is None:
            return Policies()
        documents = self._documents(bearer)
        if principal.kind == "user":
            for group in _iam(principal.account).get_groups_for_user(bearer.name):
                documents += self._documents(group)
        boundary_arn = getattr(bearer, "permissions_boundary_arn", None)
        boundary = self._boundary(principal.account, boundary_arn) if boundary_arn else None
        return Policies(tuple(documents), boundary, session_policy)

    def trust_of(self, role: Any) -> Document:
        """Return the trust policy of a role that is in force; an empty document where none is yet."""
        return self._stored(role.stored_trust)

    def bucket_policy(self, bucket: str) -> Document | None:
        """Return a bucket's policy, None without one. S3 is strongly consistent: no delay."""
        stored = bucket_by_name(bucket).stored_policy
        return stored.bound if stored else None

    def _stored(self, stored: StoredPolicy | None) -> Document:
        while stored is not None and not self._in_force(stored.saved_at):
            stored = stored.previous
        return stored.bound if stored else {}

    def _documents(self, bearer: Any) -> list[Document]:
        inline = [_parse(text) for text in bearer.policies.values()]
        return inline + [document for policy in bearer.managed_policies.values() for document in self._managed(policy)]

    def _managed(self, policy: Any) -> list[Document]:
        for version in sorted(
            policy.versions, key=lambda version: (not version.is_default, -int(version.version_id[1:]))
        ):
            if self._in_force(version.create_date.replace(tzinfo=UTC)):
                return [_parse(version.document)]
        return []

    def _boundary(self, account: str, arn: str) -> Document:
        policy = _iam(account).managed_policies.get(arn)
        documents = self._managed(policy) if policy else []
        # A boundary whose policy is gone allows nothing.
        return documents[0] if documents else {}

    def _in_force(self, since: datetime) -> bool:
        settled = since + timedelta(seconds=self._delay_s) <= datetime.now(UTC)
        return settled or since < self._delayed_from


def user_principal(user: Any) -> Principal:
    """Return the principal that a user is."""
    return Principal("user", user.account_id, user.arn, user.arn, user.id, user.id)


def unique_id_of(name: str) -> str | None:
    """Return the unique id of an existing user or role, given its ARN or its unique id."""
    return next((bearer.id for bearer in _bearers() if name in (bearer.arn, bearer.id)), None)


def bearer_of(principal: Principal) -> Any | None:
    """Return moto's user, or the role behind a session, that a caller is; None once it is gone."""
    backend = _iam(principal.account)
    if principal.kind == "session":
        return backend.roles.get(principal.unique_id)
    user = backend.users.get(principal.name)
    return user if user is not None and user.id == principal.unique_id else None


def arn_of(unique_id: str) -> str | None:
    """Return the ARN of an existing user or role."""
    bearer = _by_unique_id(unique_id)
    return str(bearer.arn) if bearer else None


def role_by_arn(arn: str) -> Any | None:
    """Return moto's role, None if there is none."""
    return next((role for role in _roles() if role.arn == arn), None)


def bucket_owner(bucket: str) -> str | None:
    """Return the account id of a bucket's owner, None if there is no such bucket."""
    found = s3_backends.bucket_accounts.get(bucket)
    return found[1] if found else None


def bucket_by_name(name: str) -> Any:
    """Return moto's bucket, which must exist."""
    return _s3(name).buckets[name]


def stored_object(bucket: str, key: str, version: str | None) -> Any | None:
    """Return moto's object, or that version of it; None if there is none."""
    return _s3(bucket).get_object(bucket, key, version) if bucket_owner(bucket) else None


def stored_upload(bucket: str, upload_id: str) -> Any | None:
    """Return moto's multipart upload that is under way, None if there is none."""
    return bucket_by_name(bucket).multiparts.get(upload_id)


def user_of_key(account: str, access_key_id: str) -> Any | None:
    """Return moto's user of an account who has the access key, None if there is none."""
    return _user_of_key(_iam(account), access_key_id)


def bearer_by_name(account: str, kind: str, name: str) -> Any | None:
    """Return moto's user, role, group or instance profile of an account, None if there is none."""
    backend = _iam(account)
    if kind == "role":
        return next((role for role in backend.roles.values() if role.name == name), None)
    return {"user": backend.users, "group": backend.groups, "instance-profile": backend.instance_profiles}[kind].get(
        name
    )


def _iam(account: str) -> Any:
    return iam_backends[account][PARTITION]


def _s3(bucket: str) -> Any:
    partition, account = s3_backends.bucket_accounts[bucket]
    return s3_backends[account][partition]


def _every_iam() -> Iterator[Any]:
    for by_partition in list(iam_backends.values()):
        yield by_partition[PARTITION]


def _user_of_key(backend: Any, access_key_id: str) -> Any | None:
    key = backend.access_keys.get(access_key_id)
    return backend.users.get(key.user_name) if key else None


def _users() -> Iterator[Any]:
    for backend in _every_iam():
        yield from list(backend.users.values())


def _roles() -> Iterator[Any]:
    for backend in _every_iam():
        yield from list(backend.roles.values())


def _bearers() -> Iterator[Any]:
    yield from _users()
    yield from _roles()


def _by_unique_id(unique_id: str) -> Any | None:
    for backend in _every_iam():
        if role := backend.roles.get(unique_id):
            return role
    return next((user for user in _users() if user.id == unique_id), None)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Document:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise PolicyError("a policy document is not an object")
    return document
