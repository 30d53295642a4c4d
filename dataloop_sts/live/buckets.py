"""Buckets as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dataloop_sts.aws import Aws
from dataloop_sts.live.models import Bucket, Encryption, ForeignBucket, PublicAccessBlock
from dataloop_sts.live.seeing import Unseen, in_aws, there_in_aws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html, "Amazon S3 predefined groups"
_EVERYONE = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
# What a bucket's location is where AWS still gives a name from before there were regions:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
_OLD_LOCATIONS = {"": "us-east-1", "EU": "eu-west-1"}


def look_at_buckets(aws: Aws, names: Sequence[str]) -> dict[str, Bucket | ForeignBucket | Unseen | None]:
    """The buckets of these names, whosever they are."""
    s3 = aws.s3()
    needs = "s3:ListAllMyBuckets"
    own = there_in_aws(partial(_own_buckets, s3), "the account's buckets", needs)
    found: dict[str, Bucket | ForeignBucket | Unseen | None] = {}
    for name in names:
        if not isinstance(own, Unseen) and name in own:
            found[name] = _bucket(s3, name)
            continue
        there = in_aws(partial(s3.head_bucket, Bucket=name), f"bucket {name}", "s3:ListBucket")
        if there is None:
            found[name] = None
        elif isinstance(own, Unseen):  # whose it is cannot be told
            found[name] = own.model_copy(update={"unseen": f"bucket {name}"})
        else:
            found[name] = ForeignBucket(name=name)
    return found


def _own_buckets(s3: S3Client) -> frozenset[str]:
    pages = s3.get_paginator("list_buckets").paginate()
    return frozenset(bucket["Name"] for page in pages for bucket in page.get("Buckets", []) if "Name" in bucket)


def _bucket(s3: S3Client, name: str) -> Bucket:
    return Bucket(
        name=name,
        region=there_in_aws(partial(_region, s3, name), f"the region of bucket {name}", "s3:GetBucketLocation"),
        public_access_block=in_aws(
            partial(_public_access_block, s3, name),
            f"the public access block of bucket {name}",
            "s3:GetBucketPublicAccessBlock",
            missing="NoSuchPublicAccessBlockConfiguration",
        ),
        policy=in_aws(
            partial(_policy, s3, name),
            f"the policy of bucket {name}",
            "s3:GetBucketPolicy",
            missing="NoSuchBucketPolicy",
        ),
        public_by_policy=in_aws(
            partial(_public_by_policy, s3, name),
            f"the policy status of bucket {name}",
            "s3:GetBucketPolicyStatus",
            missing="NoSuchBucketPolicy",
        )
        or False,
        public_by_acl=there_in_aws(
            partial(_public_by_acl, s3, name), f"the access control list of bucket {name}", "s3:GetBucketAcl"
        ),
        ownership=in_aws(
            partial(_ownership, s3, name),
            f"the ownership of bucket {name}",
            "s3:GetBucketOwnershipControls",
            missing="OwnershipControlsNotFoundError",
        ),
        encryption=in_aws(
            partial(_encryption, s3, name),
            f"the encryption of bucket {name}",
            "s3:GetEncryptionConfiguration",
            missing="ServerSideEncryptionConfigurationNotFoundError",
        ),
        versioning=there_in_aws(
            partial(_versioning, s3, name), f"the versioning of bucket {name}", "s3:GetBucketVersioning"
        ),
        tags=in_aws(
            partial(_tags, s3, name), f"the tags of bucket {name}", "s3:GetBucketTagging", missing="NoSuchTagSet"
        )
        or {},
    )


def _region(s3: S3Client, name: str) -> str:
    location = s3.get_bucket_location(Bucket=name).get("LocationConstraint") or ""
    return _OLD_LOCATIONS.get(location, location)


def _public_access_block(s3: S3Client, name: str) -> PublicAccessBlock:
    settings = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    return PublicAccessBlock(
        block_public_acls=settings.get("BlockPublicAcls", False),
        ignore_public_acls=settings.get("IgnorePublicAcls", False),
        block_public_policy=settings.get("BlockPublicPolicy", False),
        restrict_public_buckets=settings.get("RestrictPublicBuckets", False),
    )


def _policy(s3: S3Client, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    return document


def _public_by_policy(s3: S3Client, name: str) -> bool:
    return s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"].get("IsPublic", False)


def _public_by_acl(s3: S3Client, name: str) -> bool:
    grants = s3.get_bucket_acl(Bucket=name).get("Grants", [])
    return any(grant.get("Grantee", {}).get("URI") in _EVERYONE for grant in grants)


def _ownership(s3: S3Client, name: str) -> str | None:
    rules = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    return rules[0]["ObjectOwnership"] if rules else None


def _encryption(s3: S3Client, name: str) -> Encryption | None:
    for rule in s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]:
        if default := rule.get("ApplyServerSideEncryptionByDefault"):
            return Encryption(algorithm=default["SSEAlgorithm"], kms_key=default.get("KMSMasterKeyID"))
    return None


def _versioning(s3: S3Client, name: str) -> str:
    return s3.get_bucket_versioning(Bucket=name).get("Status") or "Off"


def _tags(s3: S3Client, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
