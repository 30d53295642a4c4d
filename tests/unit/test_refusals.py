"""AWS's refusals in a few words, and nothing of them but those."""

from __future__ import annotations

import pytest

from dataloop_sts.refusals import reason

ROLE = "arn:aws:sts::123456789012:assumed-role/dataloop-acme-prod/dataloop-sts-verification"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
SAID = {
    's3:PutObject on resource: "arn:aws:s3:::b/raw/k" because no permissions boundary allows the s3:PutObject action': (
        "no permissions boundary allows s3:PutObject (aws.permissions_boundary)"
    ),
    "s3:ListBucket on resource: arn:aws:s3:::b with an explicit deny in a permissions boundary": (
        "explicit deny in a permissions boundary for s3:ListBucket (aws.permissions_boundary)"
    ),
    's3:GetObject on resource: "arn:aws:s3:::b/k" with an explicit deny in a resource-based policy': (
        "explicit deny in a resource-based policy for s3:GetObject (the bucket's policy)"
    ),
    's3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action': (
        "no identity-based policy allows s3:GetObject"
    ),
    f"kms:GenerateDataKey on resource: {KEY} because no identity-based policy allows the kms:GenerateDataKey action": (
        f"no identity-based policy allows kms:GenerateDataKey on key {KEY} (drivers[].bucket.kms_key_arn)"
    ),
    f"kms:Decrypt on resource: {KEY} because no resource-based policy allows the kms:Decrypt action": (
        f"no resource-based policy allows kms:Decrypt on key {KEY} (the key's own policy)"
    ),
    "kms:Decrypt on this resource because the resource does not exist in this Region, no resource-based policies allow "
    "access, or a resource-based policy explicitly denies access": "kms:Decrypt is not allowed (the key's own policy)",
    "s3:PutObject with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-x/p": (
        "explicit deny in a service control policy for s3:PutObject"
    ),
    f"sts:AssumeRole on resource: {ROLE}": "sts:AssumeRole is not allowed",
    "s3:PutObject because no VPC endpoint policy allows the s3:PutObject action": (
        "no VPC endpoint policy allows s3:PutObject"
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_a_refusal_is_told_by_its_action_and_the_kind_of_policy(said: str) -> None:
    assert reason(f"User: {ROLE} is not authorized to perform: {said}") == SAID[said]


@pytest.mark.parametrize("message", ["", "Access Denied", "not authorized to perform: everything"])
def test_a_refusal_without_a_reason_has_none(message: str) -> None:
    assert reason(message) == ""


def test_nothing_but_actions_kinds_and_keys_is_taken_over() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    said = f"{secret} is not authorized to perform: s3:PutObject on resource: {secret} because no {secret} allows"
    assert reason(said) == "s3:PutObject is not allowed"
