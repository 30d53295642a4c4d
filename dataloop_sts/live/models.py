"""What is live of one connection, as frozen models that serialise to JSON.

Where a field can be None there is no such thing; what could not be looked at is :class:`Unseen`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from dataloop_sts.dataloop import Dataset, Driver, Integration
from dataloop_sts.live.seeing import LiveModel, Unseen
from dataloop_sts.policies import Document


class PublicAccessBlock(LiveModel):
    """The four settings that keep a bucket private."""

    block_public_acls: bool
    ignore_public_acls: bool
    block_public_policy: bool
    restrict_public_buckets: bool


class Encryption(LiveModel):
    """A bucket's default encryption: ``AES256``, or ``aws:kms`` with a key."""

    algorithm: str
    kms_key: str | None
    """As AWS gives it: an ARN, an id or an alias; None for S3's own key, or AWS's own of KMS."""


class Bucket(LiveModel):
    """A bucket of the account."""

    name: str
    region: str | Unseen
    public_access_block: PublicAccessBlock | Unseen | None
    policy: Document | Unseen | None
    public_by_policy: bool | Unseen
    """AWS's own judgement of the policy."""
    public_by_acl: bool | Unseen
    """Whether the bucket's list grants something to everyone, or to everyone with an AWS account."""
    ownership: str | Unseen | None
    encryption: Encryption | Unseen | None
    versioning: str | Unseen
    """``Enabled``, ``Suspended``, or ``Off`` where it never was enabled."""
    tags: dict[str, str] | Unseen


class ForeignBucket(LiveModel):
    """A bucket of that name which another account owns."""

    name: str


class AttachedPolicy(LiveModel):
    """A managed policy on a user or a role, with the document that is in force."""

    arn: str
    document: Document | Unseen


class LastUse(LiveModel):
    """When, and for what, an access key was last used."""

    at: datetime
    service: str
    region: str


class AccessKey(LiveModel):
    """An access key of the user; its secret is nowhere to be had."""

    id: str
    active: bool
    created: datetime
    last_used: LastUse | Unseen | None
    description: str | None
    """The tag on the user that the console shows beside the key."""


class User(LiveModel):
    """The IAM user."""

    name: str
    arn: str
    unique_id: str
    path: str
    created: datetime
    boundary: str | None
    tags: dict[str, str]
    keys: tuple[AccessKey, ...] | Unseen
    inline_policies: dict[str, Document | Unseen] | Unseen
    attached_policies: tuple[AttachedPolicy, ...] | Unseen
    groups: tuple[str, ...] | Unseen
    console_login: bool | Unseen
    mfa_devices: tuple[str, ...] | Unseen
    ssh_keys: tuple[str, ...] | Unseen
    signing_certificates: tuple[str, ...] | Unseen
    service_credentials: tuple[str, ...] | Unseen
    """Such as those of CodeCommit, as ``SERVICE ID``."""


class Role(LiveModel):
    """The IAM role."""

    name: str
    arn: str
    unique_id: str
    path: str
    created: datetime
    boundary: str | None
    tags: dict[str, str]
    max_session_seconds: int
    last_used: datetime | None
    trust: Document
    inline_policies: dict[str, Document | Unseen] | Unseen
    attached_policies: tuple[AttachedPolicy, ...] | Unseen
    instance_profiles: tuple[str, ...] | Unseen


class Policy(LiveModel):
    """The customer-managed policy of the spec's name and path."""

    arn: str
    name: str
    path: str
    description: str | None
    tags: dict[str, str]
    default_version: str
    document: Document | Unseen
    versions: int | Unseen
    attached_to: tuple[str, ...] | Unseen
    """As ``role NAME``, ``user NAME``, ``group NAME``."""


class LiveIntegration(LiveModel):
    """An integration of the spec's name, and who uses it."""

    integration: Integration
    driver_count: int | Unseen
    """In all projects, also in those that the token's user may not see."""
    drivers: tuple[Driver, ...] | Unseen


class LiveDriver(LiveModel):
    """A driver of a spec's name in its project, and who uses it."""

    driver: Driver
    datasets: tuple[Dataset, ...] | Unseen


class Live(LiveModel):
    """What is live of one connection, by the names that its spec gives."""

    account_id: str
    """Of the credentials with which AWS was looked at."""
    buckets: dict[str, Bucket | ForeignBucket | Unseen | None]
    """By name, managed and existing ones."""
    user: User | Unseen | None
    role: Role | Unseen | None
    policy: Policy | Unseen | None
    integration: LiveIntegration | Unseen | None
    drivers: dict[str, LiveDriver | Unseen | None]
    """By the driver's name in the spec."""

    def unseen(self) -> tuple[Unseen, ...]:
        """Everything that could not be looked at, each once."""
        return tuple(dict.fromkeys(_unseen(self)))


def _unseen(value: Any) -> Iterator[Unseen]:
    if isinstance(value, Unseen):
        yield value
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _unseen(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _unseen(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _unseen(part)
