"""AWS partitions: which one a region is in, and the ARNs in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# https://docs.aws.amazon.com/general/latest/gr/rande.html
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_UNSERVED = re.compile(r"[a-z]{2}-iso[a-z]*-.*")


def region_problem(region: str) -> str | None:
    """What is wrong with a region's code, or None. Whether AWS runs such a region is not looked up."""
    if not REGION.fullmatch(region):
        return f"{region!r} is not the code of an AWS region, such as eu-west-1"
    if _UNSERVED.fullmatch(region):
        return f"{region!r} is in an isolated partition, which Dataloop cannot reach"
    return None


def partition_of(region: str) -> str:
    """The partition of a region: ``aws``, ``aws-cn`` or ``aws-us-gov``.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def bucket_arn(partition: str, bucket: str) -> str:
    """The ARN of a bucket, which names neither region nor account."""
    return f"arn:{partition}:s3:::{bucket}"


def user_arn(partition: str, account_id: str, user: str, path: str = "/") -> str:
    """The ARN of an IAM user; ``path`` as in ``/dataloop/``."""
    return f"arn:{partition}:iam::{account_id}:user{path}{user}"


def policy_arn(partition: str, account_id: str, policy: str, path: str = "/") -> str:
    """The ARN of a customer-managed policy; ``path`` as in ``/dataloop/``."""
    return f"arn:{partition}:iam::{account_id}:policy{path}{policy}"


def role_arn(partition: str, account_id: str, role: str, path: str = "/") -> str:
    """The ARN of an IAM role; ``path`` as in ``/dataloop/``."""
    return f"arn:{partition}:iam::{account_id}:role{path}{role}"


def dns_suffix(partition: str) -> str:
    """The last part of the names of a partition's services.

    Source: https://docs.aws.amazon.com/general/latest/gr/rande.html
    """
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"


@dataclass(frozen=True)
class Arn:
    """An ARN, taken apart: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Takes apart what the spec's patterns accept as an ARN."""
        _, partition, service, region, account, resource = text.split(":", 5)
        return cls(partition, service, region, account, resource)
