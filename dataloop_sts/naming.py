"""Names that derive from the customer and the environment, and the rules AWS and Pulumi put on names."""

from __future__ import annotations

import re
from dataclasses import dataclass

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
IAM_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
IAM_USER_NAME_MAX = 64
IAM_ROLE_NAME_MAX = 64
IAM_POLICY_NAME_MAX = 128

OWN_TAG_KEYS = ("managed-by", "dataloop-sts:customer", "dataloop-sts:environment")
"""The tags that every resource has beside the spec's."""

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_BUCKET_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


@dataclass(frozen=True)
class Names:
    """The names of one connection's IAM objects and of its Dataloop integration."""

    user: str
    role: str
    policy: str
    integration: str


def names_dataloop(description: str) -> bool:
    """Whether an access key's description tells people what the key is for."""
    return "dataloop" in description.lower()


def derived_names(customer: str, environment: str) -> Names:
    """The names a connection gets where its spec gives none.

    Args:
        customer: the spec's customer, a slug.
        environment: the environment's name, a slug, for example ``dev``.
    """
    base = f"dataloop-{customer}-{environment}"
    return Names(user=base, role=base, policy=base, integration=f"{customer}-{environment}-sts")


def environment_of(stack: str) -> str:
    """The environment of a stack, its name up to the first dot: ``prod`` of ``prod.acme``, ``dev`` of ``dev``."""
    return stack.partition(".")[0]


def stack_name(environment: str, customer: str | None = None) -> str:
    """The stack of a customer in an environment (``prod.acme``), or the environment's own stack (``dev``)."""
    return f"{environment}.{customer}" if customer else environment


def bucket_name_problem(name: str) -> str | None:
    """What is wrong with a bucket's name, or None.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if not 3 <= len(name) <= 63:
        return f"a bucket's name has 3 to 63 characters, this one has {len(name)}"
    if not BUCKET_NAME.fullmatch(name):
        return "a bucket's name has lower-case letters, digits, dots and hyphens only, a letter or digit at both ends"
    if ".." in name:
        return "a bucket's name has no two dots side by side"
    if _IP_ADDRESS.fullmatch(name):
        return "a bucket's name must not look like an IP address"
    for prefix in _BUCKET_RESERVED_PREFIXES:
        if name.startswith(prefix):
            return f"AWS reserves bucket names that begin with {prefix!r}"
    for suffix in _BUCKET_RESERVED_SUFFIXES:
        if name.endswith(suffix):
            return f"AWS reserves bucket names that end with {suffix!r}"
    return None


def iam_name_problem(name: str, maximum: int) -> str | None:
    """What is wrong with an IAM name of at most ``maximum`` characters, or None.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    if not name or len(name) > maximum:
        return f"IAM allows 1 to {maximum} characters here, {name!r} has {len(name)}"
    if not IAM_NAME.fullmatch(name):
        return f"IAM allows letters, digits and the characters _+=,.@- in a name, not {name!r}"
    return None
