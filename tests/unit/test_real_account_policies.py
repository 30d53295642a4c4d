"""The policy documents with KMS keys, source addresses and paths, word for word in each partition."""

from __future__ import annotations

import pytest

from dataloop_sts import policies, regions
from tests.unit.spec_examples import PROJECT, driver, spec

ACCOUNT = "123456789012"
PLACES = [
    ("eu-west-1", "aws", "s3.eu-west-1.amazonaws.com"),
    ("cn-north-1", "aws-cn", "s3.cn-north-1.amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "s3.us-gov-west-1.amazonaws.com"),
]


def key(partition: str, region: str, last: str = "b") -> str:
    """The ARN of a KMS key."""
    return f"arn:{partition}:kms:{region}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890a{last}"


@pytest.mark.parametrize(("region", "partition", "service"), PLACES)
def test_the_role_may_use_just_the_buckets_keys_and_only_through_s3(region: str, partition: str, service: str) -> None:
    theirs = {"existing": "bucket-theirs", "kms_key_arn": key(partition, region)}
    drivers = [
        driver("a", "bucket-plain"),
        {"name": "b", "project_id": PROJECT, "bucket": theirs, "prefix": "raw", "allow_delete": True},
        {
            "name": "c",
            "project_id": PROJECT,
            "bucket": {"name": "bucket-c", "kms_key_arn": key(partition, region, "a")},
        },
    ]
    parsed = spec(aws={"region": region, "account_id": ACCOUNT}, drivers=drivers)
    arn = f"arn:{partition}:s3:::"
    assert policies.permission_document(parsed) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowListBucket",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:PutObject", "s3:GetObject"],
                "Resource": [f"{arn}bucket-c", f"{arn}bucket-c/*"],
            },
            {
                "Sid": "AllowListBucket2",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:PutObject", "s3:GetObject"],
                "Resource": [f"{arn}bucket-plain", f"{arn}bucket-plain/*"],
            },
            {
                "Sid": "AllowListFolder",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"{arn}bucket-theirs"],
                "Condition": {"StringLike": {"s3:prefix": ["raw/*"]}},
            },
            {
                "Sid": "AllowObjectsInFolder",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:DeleteObject", "s3:GetObject"],
                "Resource": [f"{arn}bucket-theirs/raw/*"],
            },
            {
                "Sid": "AllowKeysThroughS3",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": [key(partition, region, "a"), key(partition, region)],
                "Condition": {"StringEquals": {"kms:ViaService": service}},
            },
        ],
    }


@pytest.mark.parametrize(("region", "partition", "service"), PLACES)
def test_the_trust_names_the_user_at_its_path_and_the_addresses(region: str, partition: str, service: str) -> None:
    user = regions.user_arn(partition, ACCOUNT, "dataloop-acme-prod", "/dataloop/")
    assert policies.trust_document(user, "AIDAEXAMPLE", ("203.0.113.0/24", "2001:db8::/32")) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowUserAIDAEXAMPLE",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{ACCOUNT}:user/dataloop/dataloop-acme-prod"},
                "Action": "sts:AssumeRole",
                "Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}},
            }
        ],
    }
