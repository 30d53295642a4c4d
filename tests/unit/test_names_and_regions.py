"""AWS's rules on names, against the examples of its own documentation; partitions and ARNs."""

from __future__ import annotations

import pytest

from dataloop_sts import naming, regions


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
@pytest.mark.parametrize(
    "name",
    [
        "bucket1-a1b2c3d4-5678-90ab-cdef-example11111",
        "my-example-bucket",
        "docexamplewebsite.com",
        "www.docexamplewebsite.com",
        "my.example.s3.bucket",
        "abc",
        "a" * 63,
        "1.2.3.4.5",
        "256",
    ],
)
def test_bucket_names_that_aws_documents_as_valid_are_accepted(name: str) -> None:
    assert naming.bucket_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 64,
        "amzn_s3_demo_bucket",
        "AmznS3DemoBucket",
        "amzn-s3-demo-bucket-",
        "doc-example-",
        "-doc-example",
        ".doc-example",
        "example..com",
        "192.168.5.4",
        "xn--bucket",
        "sthree-bucket",
        "sthree-configurator-x",
        "amzn-s3-demo-bucket",
        "bucket-s3alias",
        "bucket--ol-s3",
        "bucket.mrap",
        "bucket--use1-az5--x-s3",
        "bucket--table-s3",
        "bücket",
        "bucket\n",
    ],
)
def test_bucket_names_that_aws_documents_as_invalid_are_refused(name: str) -> None:
    assert naming.bucket_name_problem(name)


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "ap-southeast-4", "cn-northwest-1", "us-gov-east-1"])
def test_codes_of_regions_are_accepted(region: str) -> None:
    assert regions.region_problem(region) is None


@pytest.mark.parametrize(
    "region", ["", "eu-west", "EU-WEST-1", "eu-west-1a", "eu_west_1", "us-iso-east-1", "us-isob-east-1", "eu-west-1\n"]
)
def test_what_is_no_region_that_dataloop_reaches_is_refused(region: str) -> None:
    assert regions.region_problem(region)


@pytest.mark.parametrize(
    ("region", "bucket", "user"),
    [
        ("eu-west-1", "arn:aws:s3:::b", "arn:aws:iam::123456789012:user/u"),
        ("cn-north-1", "arn:aws-cn:s3:::b", "arn:aws-cn:iam::123456789012:user/u"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:::b", "arn:aws-us-gov:iam::123456789012:user/u"),
    ],
)
def test_arns_carry_the_partition_of_the_region(region: str, bucket: str, user: str) -> None:
    partition = regions.partition_of(region)
    assert regions.bucket_arn(partition, "b") == bucket
    assert regions.user_arn(partition, "123456789012", "u") == user
