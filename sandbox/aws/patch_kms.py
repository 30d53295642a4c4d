"""Keys in moto's KMS: the policy of the key that AWS makes for S3, and no list of keys that nobody made.

https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key
"""

import json
from functools import wraps
from typing import Any

from moto.kms import models as kms_models
from moto.kms import responses as kms_responses

from sandbox.aws.directory import PARTITION
from sandbox.aws.kms_keys import S3_ALIAS


def install() -> None:
    """Put the changes into moto's KMS."""
    patched_responses: Any = kms_responses
    patched_responses.RESERVED_ALIASE_TARGET_KEY_IDS = {}
    patched_responses.validate_policy = lambda key, action: None  # the gateway has decided
    backend: Any = kms_models.KmsBackend
    generate = backend._generate_default_keys

    @wraps(generate)
    def generate_as_aws(self: Any, alias_name: str) -> str | None:
        key_id: str | None = generate(self, alias_name)
        if key_id is not None:
            key = self.keys[key_id]
            key.key_manager = "AWS"
            if alias_name == S3_ALIAS:
                key.policy = json.dumps(_policy_for_s3(key.account_id, key.region))
        return key_id

    backend._generate_default_keys = generate_as_aws


def _policy_for_s3(account: str, region: str) -> dict[str, Any]:
    """Return the policy that AWS gives: whoever in the account may use S3 may use the key, through S3 alone."""
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    through_s3 = {"kms:CallerAccount": account, "kms:ViaService": f"s3.{region}.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Id": "auto-s3-2",
        "Statement": [
            {
                "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": use,
                "Resource": "*",
                "Condition": {"StringEquals": through_s3},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{PARTITION}:iam::{account}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
                "Resource": "*",
            },
        ],
    }
