"""The least that an auditor's credentials need in AWS: to read what belongs to one connection."""

from __future__ import annotations

from dataloop_sts import regions
from dataloop_sts.policies import VERSION, Document
from dataloop_sts.spec import ConnectionSpec

_BUCKET = (
    "GetBucketAcl",
    "GetBucketLocation",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketPublicAccessBlock",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetEncryptionConfiguration",
)
_USER = (
    "GetAccessKeyLastUsed",
    "GetLoginProfile",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAttachedUserPolicies",
    "ListGroupsForUser",
    "ListMFADevices",
    "ListSSHPublicKeys",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListUserPolicies",
)
_ROLE = ("GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies")
_POLICY = ("GetPolicy", "GetPolicyVersion", "ListEntitiesForPolicy", "ListPolicyVersions")


def auditor_document(spec: ConnectionSpec, environment: str, account_id: str) -> Document:
    """A policy that lets its bearer audit one connection, and change nothing.

    It reads no object and lists none. All actions are of the levels List and Read:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html,
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html

    Args:
        spec: the connection.
        environment: the environment's name, from which default names derive.
        account_id: the connection's account.
    """
    partition, names = spec.aws.partition, spec.names(environment)
    # of what is not there IAM knows no path, and so refuses to say that it is not
    paths = dict.fromkeys((spec.aws.iam_path, "/"))
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "ReadBuckets",
                "Effect": "Allow",
                "Action": [f"s3:{name}" for name in _BUCKET],
                "Resource": [regions.bucket_arn(partition, bucket) for bucket in spec.bucket_names],
            },
            {
                "Sid": "ReadUser",
                "Effect": "Allow",
                "Action": [f"iam:{name}" for name in _USER],
                "Resource": [regions.user_arn(partition, account_id, names.user, each) for each in paths],
            },
            {
                "Sid": "ReadRole",
                "Effect": "Allow",
                "Action": [f"iam:{name}" for name in _ROLE],
                "Resource": [regions.role_arn(partition, account_id, names.role, each) for each in paths],
            },
            {
                "Sid": "ReadPolicies",  # whichever somebody may have put on the role or the user
                "Effect": "Allow",
                "Action": [f"iam:{name}" for name in _POLICY],
                "Resource": [
                    f"arn:{partition}:iam::{account_id}:policy/*",
                    f"arn:{partition}:iam::aws:policy/*",
                ],
            },
            {
                "Sid": "TellWhoseBuckets",  # can be given for everything only
                "Effect": "Allow",
                "Action": ["s3:ListAllMyBuckets"],
                "Resource": "*",
            },
        ],
    }
