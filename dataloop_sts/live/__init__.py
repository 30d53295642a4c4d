"""What is live of one connection: looked up by the names that its spec gives, read-only."""

from __future__ import annotations

from dataloop_sts import regions
from dataloop_sts.aws import Aws, account_of
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.live.buckets import look_at_buckets
from dataloop_sts.live.iam_policies import look_at_policy
from dataloop_sts.live.identity import look_at_role, look_at_user
from dataloop_sts.live.models import (
    AccessKey,
    AttachedPolicy,
    Bucket,
    Encryption,
    ForeignBucket,
    LastUse,
    Live,
    LiveDriver,
    LiveIntegration,
    Policy,
    PublicAccessBlock,
    Role,
    User,
)
from dataloop_sts.live.platform import look_at_drivers, look_at_integration
from dataloop_sts.live.seeing import Unseen
from dataloop_sts.spec import ConnectionSpec

__all__ = [
    "AccessKey",
    "AttachedPolicy",
    "Bucket",
    "Encryption",
    "ForeignBucket",
    "LastUse",
    "Live",
    "LiveDriver",
    "LiveIntegration",
    "Policy",
    "PublicAccessBlock",
    "Role",
    "Unseen",
    "User",
    "look",
]


def look(spec: ConnectionSpec, environment: str, aws: Aws, dataloop: DataloopClient) -> Live:
    """Looks up everything that the spec names; changes nothing.

    With credentials of another account than the spec's nothing of AWS is looked at, since there everything would look
    as if it were gone.

    Args:
        spec: the connection.
        environment: the environment's name, from which default names derive.
        aws: credentials of the connection's account.
        dataloop: client of a user of the organization.

    Raises:
        AwsError: the credentials are missing or wrong, or AWS gives no answer. A missing permission is no error:
            what it hides is :class:`Unseen`.
        DataloopError: likewise of Dataloop.
    """
    names = spec.names(environment)
    integration = look_at_integration(dataloop, spec.organization_id, names.integration)
    drivers = look_at_drivers(dataloop, spec.drivers)
    account = account_of(aws)
    if spec.aws.account_id and account != spec.aws.account_id:
        hidden = Unseen(
            unseen="the AWS side",
            needs=f"credentials of account {spec.aws.account_id}",
            reason=f"The AWS credentials are of account {account}.",
        )
        return Live(
            account_id=account,
            buckets=dict.fromkeys(spec.bucket_names, hidden),
            user=hidden,
            role=hidden,
            policy=hidden,
            integration=integration,
            drivers=drivers,
        )
    iam = aws.iam()
    policy_arn = regions.policy_arn(spec.aws.partition, account, names.policy, spec.aws.iam_path)
    return Live(
        account_id=account,
        buckets=look_at_buckets(aws, spec.bucket_names),
        user=look_at_user(iam, names.user),
        role=look_at_role(iam, names.role),
        policy=look_at_policy(iam, policy_arn),
        integration=integration,
        drivers=drivers,
    )
