"""What a rule is about: a resource as its stack declares it, and what rules on it look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Props = Mapping[str, Any]
Settings = Mapping[str, Any]

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
USER = "aws:iam/user:User"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
COMMAND = "command:local:Command"
DRIVER = "pulumi-python:dynamic/dataloop:StorageDriver"
AWS_PROVIDER = "pulumi:providers:aws"

DESCRIBES = "dataloop_sts.key_description"
EMPTIES = "dataloop_sts.empty_bucket"
GUARDS = "dataloop_sts.guard"
"""The steps that a command runs, by their module."""


@dataclass(frozen=True)
class Declared:
    """A resource as its stack declares it.

    Attributes:
        urn, type, name: of the resource; the type is its own, such as ``aws:s3/bucket:Bucket``.
        props: its properties, named as the engine has them. For a rule on one resource all are there, and looking at
            one that is not known yet raises; for a rule on the whole stack, those that are known.
        provider: the settings of its provider; empty where it has none.
        depends_on: the URNs of all that it depends on.
        made_of: the URNs that a property is made of, by the property's name.
    """

    urn: str
    type: str
    name: str
    props: Props
    provider: Props = field(default_factory=dict)
    depends_on: frozenset[str] = frozenset()
    made_of: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceRule:
    """A rule on one resource: decided before the resource is made, as soon as all that it looks at is known.

    Attributes:
        name: of the policy.
        description: what has to hold, in one sentence.
        check: what is wrong with a resource, in words; nothing for one that it is not about.
        settings: those that it takes, each as a JSON schema.
    """

    name: str
    description: str
    check: Callable[[Declared, Settings], Iterator[str]]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class StackRule:
    """A rule on the resources of a stack together: decided by a preview, and once more at the end of an update.

    Attributes:
        name, description: as of :class:`ResourceRule`.
        check: what is wrong, in words, each with the resource that it is about.
    """

    name: str
    description: str
    check: Callable[[Sequence[Declared]], Iterator[tuple[Declared, str]]]
