"""What people make by hand, step by step as the instructions say, and the usual deviations from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

REGION = "eu-west-1"
OTHER_ACCOUNT = "210987654321"
ALLOW_EVERYTHING_OF_S3 = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)
EC2_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Hand:
    """Somebody at the two consoles.

    Attributes:
        s3, iam: the account's clients.
        dataloop: calls Dataloop's API: method, path below the API's address, body; returns the answer's JSON.
        organization_id, project_id: on Dataloop.
        account_id: in AWS.
        tag: makes names that nobody else uses.
    """

    s3: Any
    iam: Any
    dataloop: Any
    organization_id: str
    project_id: str
    account_id: str
    tag: str

    def __post_init__(self) -> None:
        self.bucket = f"dataloop-{self.tag}"
        self.policy, self.user, self.role = f"{self.tag}-s3-access", f"{self.tag}-reader", f"{self.tag}-sts"
        self.integration, self.driver = f"{self.tag} STS", f"{self.tag} images"

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that names all of it."""
        return {
            "customer": self.tag,
            "organization_id": self.organization_id,
            "aws": {
                "region": REGION,
                "account_id": self.account_id,
                "names": {"user": self.user, "role": self.role, "policy": self.policy},
            },
            "integration": {"name": self.integration},
            "drivers": [
                {
                    "name": self.driver,
                    "project_id": self.project_id,
                    "bucket": {"name": self.bucket},
                    "allow_delete": True,
                }
            ],
        }

    def makes_everything(self) -> None:
        """The instructions from the first step to the last."""
        self.makes_the_aws_half()
        self.makes_the_dataloop_half()

    def makes_the_aws_half(self) -> None:
        """Up to the role's trust."""
        self.makes_the_bucket()
        self.makes_the_policy()
        self.makes_the_user()
        self.makes_the_key()
        self.makes_the_role()
        self.updates_the_trust()

    def makes_the_bucket(self, region: str = REGION) -> None:
        """With the console's defaults of today: public access blocked, owner enforced, SSE-S3."""
        self.s3.create_bucket(
            Bucket=self.bucket,
            CreateBucketConfiguration={"LocationConstraint": region},
            ObjectOwnership="BucketOwnerEnforced",
        )
        self.blocks_public_access(True)
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def blocks_public_access(self, on: bool) -> None:
        """All four settings."""
        settings = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=dict.fromkeys(settings, on))

    def makes_the_policy(self, *resources: str) -> None:
        """As the instructions spell it, with a description."""
        arn = f"arn:aws:s3:::{self.bucket}"
        statement = {
            "Sid": "AllowListBucket",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:PutObject", "s3:DeleteObject", "s3:GetObject"],
            "Resource": list(resources) or [arn, f"{arn}/*"],
        }
        answer = self.iam.create_policy(
            PolicyName=self.policy,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=4),
            Description="DataLoop may use the bucket",
        )
        self.policy_arn = answer["Policy"]["Arn"]

    def makes_the_user(self) -> None:
        """Without permissions."""
        self.user_arn = self.iam.create_user(UserName=self.user)["User"]["Arn"]

    def makes_the_key(self) -> None:
        """With a description, which the console keeps as a tag."""
        key = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self.key, self._secret = key["AccessKeyId"], key["SecretAccessKey"]
        self.iam.tag_user(UserName=self.user, Tags=[{"Key": self.key, "Value": "DataLoop integration"}])

    def makes_the_role(self) -> None:
        """By the wizard, for EC2, which makes an instance profile of the same name too."""
        description = "Allows EC2 instances to call AWS services on your behalf."
        answer = self.iam.create_role(
            RoleName=self.role, AssumeRolePolicyDocument=json.dumps(EC2_TRUST), Description=description
        )
        self.role_arn = answer["Role"]["Arn"]
        self.iam.create_instance_profile(InstanceProfileName=self.role)
        self.iam.add_role_to_instance_profile(InstanceProfileName=self.role, RoleName=self.role)
        self.iam.attach_role_policy(RoleName=self.role, PolicyArn=self.policy_arn)

    def updates_the_trust(self, *more: Any) -> None:
        """To the user alone, and to whoever else is given as a principal."""
        principals = [{"AWS": self.user_arn}, *more]
        statements = [{"Effect": "Allow", "Principal": each, "Action": "sts:AssumeRole"} for each in principals]
        document = {"Version": "2012-10-17", "Statement": statements}
        self.iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=json.dumps(document, indent=4))

    def makes_the_dataloop_half(self, *, allow_delete: bool = True) -> None:
        """Integration and driver, in the console."""
        options = {"key": self.key, "secret": self._secret, "roleArns": self.role_arn}
        path = f"/orgs/{self.organization_id}/integrations"
        body = {"type": "aws-sts", "name": self.integration, "options": options}
        self.integration_id = self.dataloop("POST", path, body)["id"]
        self.driver_id = self.makes_a_driver(self.driver, allow_delete=allow_delete)

    def makes_a_driver(self, name: str, *, allow_delete: bool = True, path: str = "") -> str:
        """One more driver of the integration over the bucket."""
        body = {
            "integrationId": self.integration_id,
            "integrationType": "aws-sts",
            "name": name,
            "metadata": {"system": {"projectId": self.project_id}},
            "type": "s3",
            "payload": {"bucketName": self.bucket, "storageClass": "", "region": REGION, "path": path},
            "allowExternalDelete": allow_delete,
            "creator": self.dataloop("GET", "/users/me", None)["email"],
        }
        return str(self.dataloop("POST", "/drivers", body)["id"])

    def works(self) -> None:
        """The platform has a dataset on the driver, and the customer objects in the bucket."""
        self.s3.put_object(Bucket=self.bucket, Key="raw/cat.jpg", Body=b"a cat")
        body = {"name": f"{self.tag} cats", "projects": [self.project_id], "driver": self.driver_id}
        self.dataset_id = self.dataloop("POST", "/datasets", body)["id"]

    def deviates(self) -> None:
        """The usual ways, all at once: what is too wide in AWS, and a driver that may delete."""
        self.makes_the_bucket()
        self.blocks_public_access(False)
        self.makes_the_policy("*")
        self.makes_the_user()
        self.iam.create_login_profile(UserName=self.user, Password="Correct-horse-9")
        self.makes_the_key()
        self.makes_the_role()
        self.updates_the_trust({"Service": "ec2.amazonaws.com"}, {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})
        self.grants_the_role_more()
        self.makes_the_dataloop_half()

    def grants_the_role_more(self) -> None:
        """One more policy on the role, and one written into it."""
        answer = self.iam.create_policy(PolicyName=f"{self.tag}-more", PolicyDocument=ALLOW_EVERYTHING_OF_S3)
        self.more_arn = answer["Policy"]["Arn"]
        self.iam.attach_role_policy(RoleName=self.role, PolicyArn=self.more_arn)
        self.iam.put_role_policy(RoleName=self.role, PolicyName="by-hand", PolicyDocument=ALLOW_EVERYTHING_OF_S3)
