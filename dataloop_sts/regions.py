"""AWS partitions: which one a region is in, and the ARNs in it."""

from __future__ import annotations

import re

# https://docs.aws.amazon.com/general/latest/gr/rande.html
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_UNSERVED = re.compile(r"[a-z]{2}-iso[a-z]*-.*")


def region_problem(region: str) -> str | None:
    """What is wrong with a region's code, or None. Whether AWS runs such a region is not looked up."""
    if not _REGION.fullmatch(region):
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


def user_arn(partition: str, account_id: str, user: str) -> str:
    """The ARN of an IAM user at the root path."""
    return f"arn:{partition}:iam::{account_id}:user/{user}"
