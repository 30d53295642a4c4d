"""The role that a customer gives to whoever deploys the connection: its policies, and a template that makes it.

The role may do what preview, up, refresh, destroy, rotate, revoke, audit and adopt of this one connection need, on the
connection's own buckets, user, role and policy. Without a permissions boundary that is still a lot: who may write the
policy of a role may write anything into it. With one, user and role can be made, and given policies, only within it.
"""

from __future__ import annotations

from typing import Any

from dataloop_sts import naming, regions
from dataloop_sts.audit.auditor import auditor_document
from dataloop_sts.errors import Problem, SpecError
from dataloop_sts.policies import VERSION, Document, canonical
from dataloop_sts.regions import Arn
from dataloop_sts.spec import ConnectionSpec

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: all inline policies of a role together
INLINE_POLICIES_MAX = 10_240

_BUCKETS = (
    "CreateBucket",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketTagging",
    "PutEncryptionConfiguration",
)
PROVIDERS_OWN = (
    "iam:UpdateRoleDescription",
    "s3:GetAccelerateConfiguration",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketWebsite",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListTagsForResource",
    "s3:TagResource",
    "s3:UntagResource",
)
"""What the official AWS provider asks of AWS beyond what this program does: it reads every setting of a bucket.

https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/s3/bucket.go, and
https://github.com/hashicorp/terraform-provider-aws/pull/45251 for a bucket's tags.
"""
_USER = ("CreateAccessKey", "DeleteAccessKey", "DeleteUser", "TagUser", "UntagUser", "UpdateAccessKey")
_ROLE = ("DeleteRole", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription")
_ROLE_POLICIES = ("DeleteRolePolicy", "DetachRolePolicy", "PutRolePolicy")
_POLICY = ("CreatePolicy", "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "TagPolicy", "UntagPolicy")


def deployer_role_arn(spec: ConnectionSpec, environment: str) -> str:
    """The ARN of the deploying role: the spec's, or the one that it gets where the spec names none.

    Raises:
        SpecError: the spec does not say in which account the connection is, or the name would be too long.
    """
    if spec.aws.deploy_role:
        return spec.aws.deploy_role.arn
    name = f"{naming.derived_names(spec.customer, environment).role}-deploy"
    if problem := naming.iam_name_problem(name, naming.IAM_ROLE_NAME_MAX):
        raise SpecError([Problem("aws.deploy_role.arn", f"give the role a name of its own: {problem}")])
    return regions.role_arn(spec.aws.partition, _account(spec), name)


def deployer_document(spec: ConnectionSpec, environment: str) -> Document:
    """What the deploying role may do.

    No iam:PassRole, since nothing is given a role. Deleting buckets and objects is in it with ``on_destroy: delete``
    alone. It follows the spec: another bucket, name, key or boundary, or another ``on_destroy``, needs it anew.

    Args:
        spec: the connection.
        environment: the environment's name, from which default names derive.

    Raises:
        SpecError: the spec does not say in which account the connection is, or asks for a longer document than a
            role may hold.
    """
    partition, account, path, names = spec.aws.partition, _account(spec), spec.aws.iam_path, spec.names(environment)
    policy = regions.policy_arn(partition, account, names.policy, path)
    user = regions.user_arn(partition, account, names.user, path)
    role = regions.role_arn(partition, account, names.role, path)
    statements = [
        _allow("SeeBuckets", ["s3:ListBucket"], _bucket_arns(spec, spec.bucket_names)),
        *_buckets(spec),
        _allow("ManageUser", _iam(*_USER), [user]),
        _allow("ManageRole", _iam(*_ROLE), [role]),
        _allow("ManagePolicy", _iam(*_POLICY), [policy]),
        *_bounded(spec, user, role, policy),
        *([_allow("SeeKeys", ["kms:DescribeKey"], sorted(spec.kms_key_arns))] if spec.kms_key_arns else []),
        *auditor_document(spec, environment, account)["Statement"],
    ]
    document = {"Version": VERSION, "Statement": statements}
    length = len(canonical(document))
    if length > INLINE_POLICIES_MAX:
        raise SpecError(
            [
                Problem(
                    "drivers",
                    f"the deploying role's policy would have {length} characters, IAM allows {INLINE_POLICIES_MAX}: "
                    "spread the drivers over two customers",
                )
            ]
        )
    return document


def deployer_trust(principal: str, external_id: str) -> Document:
    """Who may assume the deploying role: one principal, who knows the external id.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html

    Args:
        principal: ARN of the user, the role or the account that deploys.
        external_id: what it has to say.
    """
    statement = {
        "Sid": "AllowDeployer",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def deployer_template(spec: ConnectionSpec, environment: str, principal: str, external_id: str) -> dict[str, Any]:
    """A CloudFormation template that makes the deploying role, for the customer to read and to run; no parameters.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html

    Raises:
        SpecError: as :func:`deployer_document`.
    """
    role = Arn.parse(deployer_role_arn(spec, environment)).resource.removeprefix("role")
    path, _, name = role.rpartition("/")
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Role with which dataloop-sts connects buckets of {spec.customer} to Dataloop ({environment})",
        "Resources": {
            "DeployRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": name,
                    "Path": f"{path}/",
                    "AssumeRolePolicyDocument": deployer_trust(principal, external_id),
                    "Policies": [
                        {"PolicyName": "dataloop-sts", "PolicyDocument": deployer_document(spec, environment)}
                    ],
                },
            }
        },
        "Outputs": {"DeployRoleArn": {"Value": {"Fn::GetAtt": ["DeployRole", "Arn"]}}},
    }


def _account(spec: ConnectionSpec) -> str:
    account_id = spec.aws.account_id or (Arn.parse(spec.aws.deploy_role.arn).account if spec.aws.deploy_role else None)
    if not account_id:
        message = "is needed here, since the deploying role's policy names the account: write it into the spec"
        raise SpecError([Problem("aws.account_id", message)])
    return account_id


def _buckets(spec: ConnectionSpec) -> list[Document]:
    if not spec.managed_buckets:
        return []
    arns = _bucket_arns(spec, spec.managed_buckets)
    providers_own = [action for action in PROVIDERS_OWN if action.startswith("s3:")]
    statements = [_allow("ManageBuckets", [*(f"s3:{name}" for name in _BUCKETS), *providers_own], arns)]
    if spec.on_destroy == "delete":
        statements += [
            _allow("DeleteBuckets", ["s3:DeleteBucket", "s3:ListBucketVersions"], arns),
            _allow("EmptyBuckets", ["s3:DeleteObject", "s3:DeleteObjectVersion"], [f"{arn}/*" for arn in arns]),
        ]
    return statements


def _bounded(spec: ConnectionSpec, user: str, role: str, policy: str) -> list[Document]:
    """What could give user and role more than they are to have: within the boundary only, where there is one.

    Which of them know the condition's key: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html,
    "Delegating responsibility to others using permissions boundaries"
    """
    boundary = spec.aws.permissions_boundary
    within: Document = {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}
    attached: Document = {"ArnEquals": {"iam:PolicyARN": policy}}
    put_user, put_role = (["PutUserPermissionsBoundary"], ["PutRolePermissionsBoundary"]) if boundary else ([], [])
    return [
        _allow("MakeUser", _iam("CreateUser", *put_user), [user], within),
        _allow("MakeRole", _iam("CreateRole", *_ROLE_POLICIES, *put_role), [role], within),
        _allow("AttachPolicy", _iam("AttachRolePolicy"), [role], {**within, **attached}),
    ]


def _iam(*names: str) -> list[str]:
    return [f"iam:{name}" for name in names]


def _bucket_arns(spec: ConnectionSpec, buckets: tuple[str, ...]) -> list[str]:
    return [regions.bucket_arn(spec.aws.partition, bucket) for bucket in buckets]


def _allow(sid: str, actions: list[str], resources: list[str], condition: Document | None = None) -> Document:
    statement: Document = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement
