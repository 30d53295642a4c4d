"""What the stack knows already: an adoption that was interrupted goes on from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

BUCKET = "aws:s3/bucket:Bucket"
PUBLIC_ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
USER = "aws:iam/user:User"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
POLICY = "aws:iam/policy:Policy"
ROLE = "aws:iam/role:Role"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
INTEGRATION = "pulumi-python:dynamic/dataloop:Integration"
DRIVER = "pulumi-python:dynamic/dataloop:StorageDriver"

Resource = tuple[str, str]
"""A resource's type and its name in the stack."""


@dataclass(frozen=True)
class Known:
    """The resources that the stack has.

    Attributes:
        ids: by type and name; what is pending deletion is not among them.
    """

    ids: Mapping[Resource, str] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Iterable[Mapping[str, Any]]) -> Self:
        """Out of the resources of a deployment, as ``pulumi stack export`` writes them."""
        return cls(
            {
                (str(each["type"]), str(each["urn"]).rpartition("::")[2]): str(each["id"])
                for each in resources
                if each.get("id") and not each.get("delete")
            }
        )

    def has(self, type_: str, name: str) -> bool:
        """Whether the stack has this resource."""
        return (type_, name) in self.ids

    @property
    def access_keys(self) -> dict[str, str]:
        """The names of the stack's access keys by their ids."""
        return {id_: name for (type_, name), id_ in self.ids.items() if type_ == ACCESS_KEY}
