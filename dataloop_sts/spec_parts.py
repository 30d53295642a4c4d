"""The parts of a connection spec, each checked by itself; what holds between them is in :mod:`spec_rules`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from dataloop_sts import regions, values

OnDestroy = Literal["retain", "refuse", "delete"]


class SpecPart(BaseModel):
    """Base of every part: frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False, hide_input_in_errors=True)


class NamesSpec(SpecPart):
    """Names of the IAM objects; each default derives from customer and environment."""

    user: values.UserName | None = Field(
        None, description="IAM user; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    role: values.RoleName | None = Field(
        None, description="IAM role; default dataloop-CUSTOMER-ENVIRONMENT; at most 64 characters"
    )
    policy: values.PolicyName | None = Field(
        None, description="IAM policy; default dataloop-CUSTOMER-ENVIRONMENT; at most 128 characters"
    )


class DeployRoleSpec(SpecPart):
    """A role in the customer's account, assumed for everything that is made there."""

    arn: values.RoleArn = Field(description="The role's ARN, in the account of the connection")
    external_id: values.ExternalId | None = Field(
        None, description="What the role's trust policy expects as sts:ExternalId; 2 to 1,224 characters; not a secret"
    )


class AwsSpec(SpecPart):
    """Where in AWS the connection's bucket, user and role are."""

    region: values.Region = Field(description="Region of the buckets, such as eu-west-1")
    account_id: values.AccountId | None = Field(
        None, description="The account's 12 digits, in quotes; where given, no other account is ever touched"
    )
    tags: values.Tags = Field(default_factory=dict, description="Tags on every AWS resource that can have them")
    names: NamesSpec = Field(default=NamesSpec(), description="Names of the IAM user, role and policy")
    iam_path: values.IamPath = Field("/", description="Path of the IAM user, role and policy, such as /dataloop/")
    permissions_boundary: values.PolicyArn | None = Field(
        None, description="ARN of the policy that bounds what the IAM user and the role may ever do"
    )
    trust_source_ips: values.SourceIps = Field(
        (), description="Address ranges, such as 203.0.113.0/24, from which alone the role may be assumed"
    )
    deploy_role: DeployRoleSpec | None = Field(
        None, description="Role in the customer's account that is assumed to deploy; default: the shell's credentials"
    )

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, as the region says."""
        return regions.partition_of(self.region)


class IntegrationSpec(SpecPart):
    """The Dataloop integration of type ``aws-sts``."""

    name: values.DataloopName | None = Field(
        None, description="Name in the organization; default CUSTOMER-ENVIRONMENT-sts"
    )


class AccessKeySpec(SpecPart):
    """The user's access key, which Dataloop holds."""

    generation: StrictInt = Field(
        1, ge=1, le=1_000_000, description="Counts the key's rotations; one more makes a new key"
    )
    description: values.KeyDescription = Field(
        "DataLoop reads S3 over STS", description="What the AWS console shows beside the key; contains DataLoop"
    )
    grace_days: StrictInt = Field(
        0, ge=0, le=365, description="Days for which a rotation keeps the old key, inactive; 0 deletes it at once"
    )
    retiring: StrictInt | None = Field(
        None, ge=1, description="Generation of the old key that is kept inactive; written and removed by `rotate`"
    )

    @model_validator(mode="after")
    def _retires_the_one_before(self) -> Self:
        if self.retiring is not None and self.retiring != self.generation - 1:
            raise ValueError(f"retiring can only be the generation before {self.generation}, or be left out")
        return self


class BucketSpec(SpecPart):
    """A bucket: one that this connection creates and manages (``name``), or one that is there (``existing``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [key], "properties": {key: {"type": "string"}}} for key in ("name", "existing")]
        }
    )

    name: values.BucketName | None = Field(
        None, description="Name of a bucket that this connection makes and manages, unique in all of AWS"
    )
    existing: values.BucketName | None = Field(
        None, description="Name of a bucket that is there and stays somebody else's; only its region and privacy count"
    )
    kms_key_arn: values.KmsKeyArn | None = Field(
        None, description="ARN of the KMS key that encrypts the objects, in the bucket's region and account"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.name is None) == (self.existing is None):
            raise ValueError("needs either name (a bucket to make) or existing (a bucket that is there)")
        return self

    @property
    def bucket(self) -> str:
        """The bucket's name, whichever it is."""
        return self.name or self.existing or ""

    @property
    def managed(self) -> bool:
        """Whether this connection makes it."""
        return self.name is not None


class DriverSpec(SpecPart):
    """One Dataloop storage driver: a bucket, or a folder of it, in a Dataloop project."""

    name: values.DataloopName = Field(description="The driver's name in Dataloop")
    former_name: values.DataloopName | None = Field(
        None, description="The name it had before, so that it is renamed; without it, another driver is made"
    )
    project_id: values.DataloopId = Field(description="The Dataloop project's id")
    bucket: BucketSpec = Field(description="The bucket the driver reads")
    prefix: values.Prefix | None = Field(
        None, description="Folder, such as raw/, that the connection is limited to; default: the whole bucket"
    )
    allow_delete: StrictBool = Field(
        False, description="Whether Dataloop may delete objects: the driver's flag and the role's s3:DeleteObject"
    )

    @property
    def bucket_name(self) -> str:
        """The name of its bucket."""
        return self.bucket.bucket

    def covers(self, other: DriverSpec) -> bool:
        """Whether all that ``other`` reaches lies within this driver's bucket and folder."""
        return self.bucket_name == other.bucket_name and (other.prefix or "").startswith(self.prefix or "")
