"""What an audit and a preflight ask about a bucket, each by its own action."""

import json
from typing import Any

import pytest

from sandbox.aws.public_policy import is_public


def test_region_of_a_bucket_is_told_also_to_who_may_not_list_it(world: Any) -> None:
    europe, name = world.client("s3", region="eu-west-1"), f"eu-{world.tag}"
    europe.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    here, s3 = world.bucket(), world.client("s3")
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket=here).get("LocationConstraint") is None
    assert [s3.head_bucket(Bucket=bucket)["BucketRegion"] for bucket in (name, here)] == ["eu-west-1", "us-east-1"]
    _, stranger = world.user()
    with pytest.raises(Exception, match="403") as caught:
        world.client("s3", **stranger).head_bucket(Bucket=name)
    answer: Any = caught.value
    assert answer.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "eu-west-1"


def test_bucket_that_nobody_configured_is_told_with_what_aws_gives_it(world: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules == [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    missing = {
        "get_bucket_policy": "NoSuchBucketPolicy",
        "get_bucket_policy_status": "NoSuchBucketPolicy",
        "get_bucket_tagging": "NoSuchTagSet",
        "get_public_access_block": "NoSuchPublicAccessBlockConfiguration",
    }
    for call, code in missing.items():
        assert world.refused(lambda call=call: getattr(s3, call)(Bucket=bucket)) == (code, 404)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


READS = {
    "get_bucket_location": "GetBucketLocation",
    "head_bucket": "ListBucket",
    "get_public_access_block": "GetBucketPublicAccessBlock",
    "get_bucket_policy_status": "GetBucketPolicyStatus",
    "get_bucket_policy": "GetBucketPolicy",
    "get_bucket_encryption": "GetEncryptionConfiguration",
    "get_bucket_ownership_controls": "GetBucketOwnershipControls",
    "get_bucket_versioning": "GetBucketVersioning",
    "get_bucket_tagging": "GetBucketTagging",
}


@pytest.fixture(scope="module")
def audited(shared_world: Any) -> Any:
    """A bucket with every setting, and an auditor."""
    world = shared_world
    bucket, s3 = world.bucket(), world.client("s3")
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {**world.allow("s3:*", f"arn:aws:s3:::{bucket}/*", Principal="*", Condition=insecure), "Effect": "Deny"}
    s3.put_bucket_policy(Bucket=bucket, Policy=world.policy(deny))
    return world, bucket, world.user("auditor")[1]


@pytest.mark.parametrize("call", READS)
def test_each_question_needs_its_own_action(audited: Any, call: str) -> None:
    world, bucket, auditor = audited
    action, arn = f"s3:{READS[call]}", f"arn:aws:s3:::{bucket}"

    def grant(statement: Any) -> None:
        world.client("iam").put_user_policy(
            UserName=f"auditor-{world.tag}", PolicyName="own", PolicyDocument=world.policy(statement)
        )

    ask = getattr(world.client("s3", **auditor), call)
    grant({"Effect": "Allow", "NotAction": action, "Resource": "*"})
    assert world.refused(lambda: ask(Bucket=bucket))[1] == 403
    grant(world.allow(action, arn))
    ask(Bucket=bucket)


def test_status_tells_whether_the_policy_is_public(world: Any) -> None:
    bucket, s3 = world.bucket(), world.client("s3")
    opened = world.allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*")
    for statement, public in (
        (opened, True),
        ({**opened, "Principal": {"AWS": world.server.other_account_id}}, False),
        ({**opened, "Effect": "Deny"}, False),
    ):
        s3.put_bucket_policy(Bucket=bucket, Policy=world.policy(statement))
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": public}


@pytest.mark.parametrize(
    ("statement", "public"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::111111111111:root", "*"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}, False),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, False),
        ({"Principal": "*", "Effect": "Deny"}, False),
        ({"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Principal": "*", "Condition": {"StringEquals": {"s3:prefix": "raw/"}}}, True),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, False),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/1"]}}}, True),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}}, False),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "::/0"}}}, True),
        ({"Principal": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, True),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}, False),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:SourceVpce": "vpce-*"}}}, True),
        ({"Principal": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}, True),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:userid": "AROAEXAMPLE:*"}}}, False),
        ({"Principal": "*", "Condition": {"StringLike": {"aws:userid": "*"}}}, True),
        (
            {"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:111111111111:*"}}},
            False,
        ),
        ({"Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}}, True),
    ],
)
def test_public_is_what_s3_calls_so(statement: Any, public: bool) -> None:
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", **statement}
    assert is_public(json.dumps({"Version": "2012-10-17", "Statement": [whole]})) is public
    assert is_public(json.dumps({"Version": "2012-10-17", "Statement": whole})) is public
