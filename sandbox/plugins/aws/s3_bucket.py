"""aws:s3/bucket:Bucket (https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/).

The settings that have resource types of their own (encryption, versioning, policy and the like) are not served here.
"""

from __future__ import annotations

from typing import Any

from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.config import partition
from sandbox.plugins.aws.handler import TAGS, Handler, error_code, retrying, unless_missing
from sandbox.plugins.aws.tags import from_list, to_list
from sandbox.plugins.errors import ProviderError
from sandbox.plugins.schema import Property, ResourceType
from sandbox.plugins.values import Properties

REGION = Property(replaces=True)
_MISSING = ("NoSuchBucket", "404", "NotFound")
_DELETE_BATCH = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


class Bucket(Handler):
    """An S3 bucket; its id is its name."""

    label = "S3 bucket"
    write_only = ("forceDestroy",)
    settled = ("tags",)
    type = ResourceType(
        "aws:s3/bucket:Bucket",
        {
            "bucket": Property(replaces=True, autonamed=True),
            "forceDestroy": Property("boolean", default=False),
            "region": REGION,
            "tags": TAGS,
        },
        computed=("arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "tagsAll"),
    )

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        name, region = inputs["bucket"], inputs["region"]
        s3 = clients.s3(region)
        # In us-east-1 CreateBucket succeeds on a bucket that the account already owns
        # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html), which would adopt it in silence.
        if unless_missing(lambda: s3.head_bucket(Bucket=name), *_MISSING, "403") is not None:
            raise ProviderError(f"creating {self.label} ({name}): it already exists and belongs to this account")
        placement: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **placement)
        return str(name), {}

    def settle(self, clients: Clients, resource_id: str, inputs: Properties) -> None:
        if tags := clients.config.tags.merged(inputs.get("tags")):
            s3 = clients.s3(inputs["region"])
            retrying(
                lambda: s3.put_bucket_tagging(Bucket=resource_id, Tagging={"TagSet": to_list(tags)}),
                lambda error: error_code(error) in _MISSING,
            )

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        s3 = clients.s3(recorded.get("region"))
        head = unless_missing(lambda: s3.head_bucket(Bucket=resource_id), *_MISSING)
        if head is None:
            return None
        # The official provider's region is where it asked, and bucketRegion is where the bucket is.
        asked = recorded.get("region") or clients.config.region
        region = head.get("BucketRegion") or asked
        return {
            "arn": f"arn:{partition(region)}:s3:::{resource_id}",
            "bucket": resource_id,
            "bucketDomainName": f"{resource_id}.s3.amazonaws.com",
            "bucketRegion": region,
            "bucketRegionalDomainName": f"{resource_id}.s3.{region}.amazonaws.com",
            "region": asked,
            "tags": _live_tags(s3, resource_id),
        }

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        write, remove = clients.config.tags.updates(olds.get("tagsAll") or {}, news["tagsAll"])
        if not write and not remove:
            return
        # S3 only replaces a bucket's whole tag set: what others wrote is read and written back.
        s3 = clients.s3(olds.get("region"))
        live = _live_tags(s3, resource_id)
        wanted = {key: value for key, value in {**live, **write}.items() if key not in remove}
        if wanted:
            s3.put_bucket_tagging(Bucket=resource_id, Tagging={"TagSet": to_list(wanted)})
        else:
            s3.delete_bucket_tagging(Bucket=resource_id)

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        from botocore.exceptions import ClientError

        s3 = clients.s3(state.get("region"))
        try:
            unless_missing(lambda: s3.delete_bucket(Bucket=resource_id), *_MISSING)
        except ClientError as error:
            if error_code(error) != "BucketNotEmpty":
                raise
            if not state.get("forceDestroy"):
                raise ProviderError(
                    f"deleting {self.label} ({resource_id}): BucketNotEmpty: the bucket still holds objects; empty it, "
                    "or set forceDestroy and run an update first"
                ) from None
            empty(s3, resource_id)
            unless_missing(lambda: s3.delete_bucket(Bucket=resource_id), *_MISSING)


def empty(s3: Any, bucket: str) -> None:
    """Deletes every object of a bucket, with all versions and delete markers."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        for start in range(0, len(found), _DELETE_BATCH):
            batch = [
                {"Key": item["Key"], "VersionId": item["VersionId"]} for item in found[start : start + _DELETE_BATCH]
            ]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                first = errors[0]
                raise ProviderError(f"emptying S3 bucket ({bucket}): {first['Key']}: {first['Code']}")


def _live_tags(s3: Any, bucket: str) -> dict[str, str]:
    answer: Any = unless_missing(lambda: s3.get_bucket_tagging(Bucket=bucket), "NoSuchTagSet")
    return from_list(answer["TagSet"]) if answer else {}
