"""A connection in the world exactly as its spec says, and the audit of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.iam.models import AccessKeyLastUsed, iam_backends
from pydantic import SecretStr

from dataloop_sts import policies
from dataloop_sts.audit import Facts, Finding, Recorded, Report, audit
from dataloop_sts.aws import Aws
from dataloop_sts.live import look
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.steps.verify import Target, VerificationRequest
from tests.steps.aws_world import REGION, Connected, World

ENVIRONMENT = "dev"
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


@dataclass
class Audited:
    """A connection, its spec, and what its stack would remember."""

    world: World
    connected: Connected
    spec: ConnectionSpec
    integration_id: str
    driver_id: str
    recorded: Recorded | None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    max_key_age_days: int = 90
    calling: bool = False
    """Whether the audit makes its real calls, which cost a test half of its time."""
    aws: Aws | None = None

    @property
    def bucket(self) -> str:
        """Its bucket's name."""
        return self.connected.bucket

    @property
    def user(self) -> str:
        """Its user's name; role and policy are called the same."""
        return self.connected.user

    @property
    def key(self) -> str:
        """The id of its access key."""
        return self.connected.access_key_id

    def respec(self, **changes: Any) -> None:
        """Lets the spec say something else than what is live."""
        whole = _merged(self.spec.model_dump(mode="json", exclude_none=True), changes)
        self.spec = ConnectionSpec.parse(whole, environment=ENVIRONMENT)

    def without_state(self) -> None:
        """From now on the stack is not asked."""
        self.recorded = None

    def facts(self) -> Facts:
        """Looks."""
        aws = self.aws or Aws(REGION)
        return Facts(
            spec=self.spec,
            environment=ENVIRONMENT,
            live=look(self.spec, ENVIRONMENT, aws, self.world.client),
            now=self.now,
            max_key_age_days=self.max_key_age_days,
            recorded=self.recorded,
            customer=self.spec.customer,
        )

    def report(self) -> Report:
        """Looks and judges."""
        return audit(self.facts(), self.world.client, self.request() if self.calling else None)

    def findings(self) -> tuple[Finding, ...]:
        """What an audit finds; everything can be looked at."""
        report = self.report()
        assert report.hidden == ()
        return report.findings

    def moto_key(self, key_id: str | None = None) -> Any:
        """The access key as the sandbox keeps it: its age and its last use are set there."""
        user = iam_backends[self.world.aws.account_id]["aws"].users[self.user]
        return next(key for key in user.access_keys if key.access_key_id == (key_id or self.key))

    def age_key(self, days: int) -> None:
        """Lets the access key be so old, and used today."""
        key = self.moto_key()
        key.create_date = (self.now - timedelta(days=days)).replace(tzinfo=key.create_date.tzinfo)
        key.last_used = AccessKeyLastUsed(timestamp=self.now, service="sts", region=REGION)

    def trust(self, *statements: Any) -> None:
        """Saves another trust policy."""
        self.world.iam.update_assume_role_policy(RoleName=self.user, PolicyDocument=document(*statements))

    def own_trust(self, **changes: Any) -> dict[str, Any]:
        """The statement of the spec's trust policy, with changes."""
        statement = policies.trust_document(self.connected.user_arn, self.connected.unique_id)["Statement"][0]
        return {**statement, **changes}

    def own_policy(self, *statements: Any) -> None:
        """Gives the connection's policy another document."""
        self.world.iam.create_policy_version(
            PolicyArn=self.connected.policy_arn, PolicyDocument=document(*statements), SetAsDefault=True
        )

    def inline(self, name: str, *statements: Any) -> None:
        """Writes a policy into the role."""
        self.world.iam.put_role_policy(RoleName=self.user, PolicyName=name, PolicyDocument=document(*statements))

    def request(self) -> VerificationRequest:
        """What the stack's verification would have tried."""
        driver = self.connected.spec.drivers[0]
        return VerificationRequest(
            region=REGION,
            access_key_id=self.key,
            secret_access_key=SecretStr(self.connected.secret),
            role_arn=self.connected.role_arn,
            targets=(
                Target(
                    driver=driver.name,
                    bucket=driver.bucket_name,
                    prefix=driver.prefix or "",
                    allow_delete=driver.allow_delete,
                    alone=driver.prefix is not None,
                ),
            ),
        )


def clean(world: World, **driver: Any) -> Audited:
    """A connection on which there is nothing to find, for one driver."""
    connected = world.connect(**driver)
    spec = connected.spec
    tags = [{"Key": key, "Value": value} for key, value in spec.tags(ENVIRONMENT).items()]
    bucket = {"Bucket": connected.bucket}
    world.s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=PRIVATE)
    world.s3.put_bucket_ownership_controls(
        **bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    encrypt(world, connected.bucket, SSEAlgorithm="AES256")
    tls_only = policies.canonical(policies.bucket_document("aws", connected.bucket))
    world.s3.put_bucket_policy(**bucket, Policy=tls_only)
    world.s3.put_bucket_tagging(**bucket, Tagging={"TagSet": tags})
    description = {"Key": connected.access_key_id, "Value": spec.access_key.description}
    world.iam.tag_user(UserName=connected.user, Tags=[*tags, description])
    world.iam.tag_role(RoleName=connected.role, Tags=tags)
    world.iam.tag_policy(PolicyArn=connected.policy_arn, Tags=tags)
    integration_id, driver_id = world.register(connected, spec.names(ENVIRONMENT).integration)
    role = world.iam.get_role(RoleName=connected.role)["Role"]
    recorded = Recorded(
        user_unique_id=connected.unique_id,
        role_unique_id=role["RoleId"],
        access_key_ids=(connected.access_key_id,),
        held_key_id=connected.access_key_id,
        integration_id=integration_id,
        integration_updated_at=world.client.integration(spec.organization_id, integration_id).updated_at,
        driver_ids={spec.drivers[0].name: driver_id},
    )
    return Audited(world, connected, spec, integration_id, driver_id, recorded)


def remember(audited: Audited, **changes: Any) -> None:
    """Lets the stack remember something else."""
    assert audited.recorded
    audited.recorded = audited.recorded.model_copy(update=changes)


def encrypt(world: World, bucket: str, **default: str) -> None:
    """Sets a bucket's default encryption."""
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    world.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def document(*statements: Any) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def ids(findings: Iterable[Finding]) -> list[str]:
    """The findings' checks."""
    return [finding.check for finding in findings]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged
