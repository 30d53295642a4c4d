"""A bucket, user, role and policy as somebody made them by hand, for what an import finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MADE_BY_HAND = {"made-by": "hand"}
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def trust(arn: str, sid: str = "Hand") -> str:
    return _document({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})


def permission(*actions: str) -> str:
    return _document({"Effect": "Allow", "Action": list(actions), "Resource": "arn:aws:s3:::some-bucket/*"})


def no_plain_http(bucket: str, sid: str = "Hand") -> str:
    return _document(
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class HandMade:
    """What was made; everything that has a name has this one."""

    name: str
    access_key_id: str
    policy_arn: str
    user_arn: str

    @property
    def ids(self) -> dict[str, str]:
        """The import id of each resource type."""
        own_names = dict.fromkeys(
            (
                "aws:s3/bucket:Bucket",
                "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
                "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
                "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
                "aws:s3/bucketPolicy:BucketPolicy",
                "aws:iam/user:User",
                "aws:iam/role:Role",
            ),
            self.name,
        )
        return {
            **own_names,
            "aws:iam/accessKey:AccessKey": self.access_key_id,
            "aws:iam/policy:Policy": self.policy_arn,
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment": f"{self.name}/{self.policy_arn}",
        }


def make(iam: Any, s3: Any, name: str) -> HandMade:
    """Makes everything, with settings that no program of the tests wants."""
    tags = [{"Key": key, "Value": value} for key, value in MADE_BY_HAND.items()]
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "RestrictPublicBuckets": True}
    )
    s3.put_bucket_ownership_controls(
        Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KMS_KEY}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(Bucket=name, Policy=no_plain_http(name))

    user_arn = iam.create_user(UserName=name, Tags=tags)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.tag_user(UserName=name, Tags=[{"Key": key, "Value": "DataLoop"}])
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=trust(user_arn),
        Description="by hand",
        MaxSessionDuration=7200,
        Tags=tags,
    )
    policy = iam.create_policy(PolicyName=name, PolicyDocument=permission("s3:*"), Description="by hand", Tags=tags)[
        "Policy"
    ]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return HandMade(name, key, policy, user_arn)
