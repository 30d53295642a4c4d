"""A managed bucket with everything that keeps it private."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi_command import local

from dataloop_sts import policies
from dataloop_sts.spec_parts import DeployRoleSpec, OnDestroy
from dataloop_sts.steps import frame
from dataloop_sts.steps.empty_bucket import EmptyBucketRequest


@dataclass(frozen=True)
class ManagedBucketArgs:
    """Arguments of :class:`ManagedBucket`.

    Attributes:
        customer: whose data it holds.
        bucket: the bucket's name.
        folders: those that its drivers have or had, such as ``raw/``; ``""`` is the whole bucket.
        partition, region, account_id: where it is.
        deploy_role: assumed by the step that empties it.
        kms_key_arn: encrypts what is put into it; None for S3's own key.
        on_destroy: what becomes of it at its end.
    """

    customer: str
    bucket: str
    partition: str
    region: str
    account_id: pulumi.Input[str]
    folders: pulumi.Input[Sequence[str]]
    on_destroy: OnDestroy
    deploy_role: DeployRoleSpec | None = None
    kms_key_arn: str | None = None


class ManagedBucket(pulumi.ComponentResource):
    """An S3 bucket that only its owner's policies open.

    Creates:
        - the bucket,
        - its public access block, all four settings on,
        - its ownership controls (bucket owner enforced, so no ACLs),
        - its default encryption: the KMS key, or SSE-S3,
        - its policy, which refuses every call without TLS,
        - the step that empties it before its deletion, where nothing of the customer is lost.

    With ``on_destroy: retain`` the bucket and all of these stay when they leave the stack.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: ManagedBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        retain = pulumi.ResourceOptions(retain_on_delete=args.on_destroy == "retain")
        super().__init__("dataloop-sts:storage:ManagedBucket", name, None, pulumi.ResourceOptions.merge(retain, opts))
        child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket(name, bucket=args.bucket, force_destroy=False, opts=child)
        # a setting goes with its bucket, and never before it: a bucket whose deletion fails stays as private as it was
        setting = pulumi.ResourceOptions(parent=self, deleted_with=bucket)
        block = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=setting,
        )
        ownership = aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=setting,
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[_encryption_rule(args.kms_key_arn)],
            opts=setting,
        )
        # S3 refuses to change two of these settings at once (OperationAborted), so the policy comes after the block
        policy = aws.s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=bucket.bucket,
            policy=policies.canonical(policies.bucket_document(args.partition, args.bucket)),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=bucket, depends_on=[block, ownership]),
        )

        def request(account_id: str, folders: Sequence[str]) -> str:
            return EmptyBucketRequest(
                customer=args.customer,
                on_destroy=args.on_destroy,
                region=args.region,
                account_id=account_id,
                bucket=args.bucket,
                folders=tuple(folders),
                deploy_role=args.deploy_role,
            ).model_dump_json(exclude_none=True)

        # deleted first of all of these: where it refuses, the bucket keeps its settings too
        local.Command(
            f"{name}-emptied",
            delete=frame.command("empty_bucket"),
            stdin=pulumi.Output.all(args.account_id, args.folders).apply(lambda of: request(of[0], of[1])),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket, block, ownership, encryption, policy]),
        )
        # known once every setting is in place, so that nothing uses a bucket that is still open
        self.name = pulumi.Output.all(bucket.bucket, block.id, ownership.id, encryption.id, policy.id).apply(
            lambda v: v[0]
        )
        self.arn = bucket.arn
        self.register_outputs({"name": self.name, "arn": self.arn})


def _encryption_rule(kms_key_arn: str | None) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    if not kms_key_arn:
        return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default(sse_algorithm="AES256")
        )
    # a bucket key spares KMS a call for each object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default(sse_algorithm="aws:kms", kms_master_key_id=kms_key_arn),
        bucket_key_enabled=True,
    )
