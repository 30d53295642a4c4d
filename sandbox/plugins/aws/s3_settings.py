"""The S3 resource types that are one setting of a bucket each, and have the bucket's name as their id.

https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucketpublicaccessblock/ and its siblings.
"""

from __future__ import annotations

from typing import Any

from sandbox.plugins.aws import documents
from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.handler import Handler, error_code, retrying, unless_missing
from sandbox.plugins.aws.s3_bucket import REGION
from sandbox.plugins.schema import Property, ResourceType
from sandbox.plugins.values import Properties

_BUCKET = Property(required=True, replaces=True)
_ACCESS_SETTINGS = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}


class BucketSetting(Handler):
    """A setting that is written as a whole: creating and updating are the same call."""

    def create(self, clients: Clients, inputs: Properties) -> tuple[str, Properties]:
        bucket = str(inputs["bucket"])
        retrying(
            lambda: self.put(clients.s3(inputs["region"]), bucket, inputs),
            lambda error: error_code(error) in ("NoSuchBucket", "OperationAborted"),
        )
        return bucket, {}

    def update(self, clients: Clients, resource_id: str, olds: Properties, news: Properties) -> None:
        self.put(clients.s3(olds.get("region")), _bucket(resource_id), news)

    def read(self, clients: Clients, resource_id: str, recorded: Properties) -> Properties | None:
        bucket, region = _bucket(resource_id), recorded.get("region") or clients.config.region
        live = self.get(clients.s3(region), bucket, recorded)
        return None if live is None else {"bucket": bucket, "region": region, **live}

    def put(self, s3: Any, bucket: str, inputs: Properties) -> None:
        """Writes the setting."""
        raise NotImplementedError

    def get(self, s3: Any, bucket: str, recorded: Properties) -> Properties | None:
        """The setting's properties, or None if the bucket has no such setting."""
        raise NotImplementedError


class BucketPublicAccessBlock(BucketSetting):
    """Which kinds of public access to a bucket are blocked."""

    label = "S3 bucket public access block"
    write_only = ("skipDestroy",)
    type = ResourceType(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {
            "bucket": _BUCKET,
            "region": REGION,
            "skipDestroy": Property("boolean"),
            **{name: Property("boolean", default=False) for name in _ACCESS_SETTINGS},
        },
    )

    def put(self, s3: Any, bucket: str, inputs: Properties) -> None:
        settings = {aws: bool(inputs.get(name)) for name, aws in _ACCESS_SETTINGS.items()}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=settings)

    def get(self, s3: Any, bucket: str, recorded: Properties) -> Properties | None:
        answer = unless_missing(
            lambda: s3.get_public_access_block(Bucket=bucket),
            "NoSuchBucket",
            "NoSuchPublicAccessBlockConfiguration",
        )
        if answer is None:
            return None
        live = answer["PublicAccessBlockConfiguration"]
        return {name: bool(live.get(aws)) for name, aws in _ACCESS_SETTINGS.items()}

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        if state.get("skipDestroy"):
            return
        s3 = clients.s3(state.get("region"))
        unless_missing(
            lambda: s3.delete_public_access_block(Bucket=resource_id),
            "NoSuchBucket",
            "NoSuchPublicAccessBlockConfiguration",
        )


class BucketOwnershipControls(BucketSetting):
    """Who owns the objects of a bucket."""

    label = "S3 bucket ownership controls"
    type = ResourceType(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {
            "bucket": _BUCKET,
            "region": REGION,
            "rule": Property(
                "object",
                required=True,
                fields={
                    "objectOwnership": Property(
                        required=True, choices=("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
                    )
                },
            ),
        },
    )

    def put(self, s3: Any, bucket: str, inputs: Properties) -> None:
        rule = {"ObjectOwnership": inputs["rule"]["objectOwnership"]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [rule]})

    def get(self, s3: Any, bucket: str, recorded: Properties) -> Properties | None:
        answer = unless_missing(
            lambda: s3.get_bucket_ownership_controls(Bucket=bucket), "NoSuchBucket", "OwnershipControlsNotFoundError"
        )
        if answer is None:
            return None
        return {"rule": {"objectOwnership": answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]}}

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        s3 = clients.s3(state.get("region"))
        unless_missing(
            lambda: s3.delete_bucket_ownership_controls(Bucket=resource_id),
            "NoSuchBucket",
            "OwnershipControlsNotFoundError",
        )


class BucketServerSideEncryptionConfiguration(BucketSetting):
    """How the objects of a bucket are encrypted by default."""

    label = "S3 bucket server-side encryption configuration"
    type = ResourceType(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {
            "bucket": _BUCKET,
            "region": REGION,
            "rules": Property(
                "list",
                required=True,
                problem=lambda rules: None if len(rules) == 1 else "must have exactly one rule",
                fields={
                    "applyServerSideEncryptionByDefault": Property(
                        "object",
                        fields={
                            "sseAlgorithm": Property(required=True, choices=("AES256", "aws:kms", "aws:kms:dsse")),
                            "kmsMasterKeyId": Property(),
                        },
                    ),
                    "bucketKeyEnabled": Property("boolean"),
                },
            ),
        },
    )

    def put(self, s3: Any, bucket: str, inputs: Properties) -> None:
        rules = []
        for rule in inputs["rules"]:
            default = rule.get("applyServerSideEncryptionByDefault") or {}
            wire: dict[str, Any] = {"BucketKeyEnabled": bool(rule.get("bucketKeyEnabled"))}
            if default:
                wire["ApplyServerSideEncryptionByDefault"] = {"SSEAlgorithm": default["sseAlgorithm"]}
                if key := default.get("kmsMasterKeyId"):
                    wire["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = key
            rules.append(wire)
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    def get(self, s3: Any, bucket: str, recorded: Properties) -> Properties | None:
        answer = unless_missing(
            lambda: s3.get_bucket_encryption(Bucket=bucket),
            "NoSuchBucket",
            "ServerSideEncryptionConfigurationNotFoundError",
        )
        if answer is None:
            return None
        rules = []
        for wire in answer["ServerSideEncryptionConfiguration"]["Rules"]:
            rule: Properties = {}
            if default := wire.get("ApplyServerSideEncryptionByDefault"):
                rule["applyServerSideEncryptionByDefault"] = {
                    "sseAlgorithm": default["SSEAlgorithm"],
                    **({"kmsMasterKeyId": default["KMSMasterKeyID"]} if default.get("KMSMasterKeyID") else {}),
                }
            rule["bucketKeyEnabled"] = bool(wire.get("BucketKeyEnabled"))
            rules.append(rule)
        return {"rules": rules}

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        s3 = clients.s3(state.get("region"))
        unless_missing(
            lambda: s3.delete_bucket_encryption(Bucket=_bucket(resource_id)),
            "NoSuchBucket",
            "ServerSideEncryptionConfigurationNotFoundError",
        )


class BucketPolicy(BucketSetting):
    """The resource policy of a bucket."""

    label = "S3 bucket policy"
    type = ResourceType(
        "aws:s3/bucketPolicy:BucketPolicy",
        {
            "bucket": _BUCKET,
            "policy": Property("document", required=True, problem=documents.problem),
            "region": REGION,
        },
    )

    def put(self, s3: Any, bucket: str, inputs: Properties) -> None:
        retrying(
            lambda: s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"]),
            lambda error: error_code(error) == "MalformedPolicy" and "principal" in str(error).lower(),
        )

    def get(self, s3: Any, bucket: str, recorded: Properties) -> Properties | None:
        answer = unless_missing(lambda: s3.get_bucket_policy(Bucket=bucket), "NoSuchBucket", "NoSuchBucketPolicy")
        if answer is None:
            return None
        return {"policy": documents.kept_or_live(recorded.get("policy"), answer["Policy"])}

    def delete(self, clients: Clients, resource_id: str, state: Properties) -> None:
        s3 = clients.s3(state.get("region"))
        unless_missing(lambda: s3.delete_bucket_policy(Bucket=resource_id), "NoSuchBucket", "NoSuchBucketPolicy")


def _bucket(resource_id: str) -> str:
    """The bucket of an id; an import may name the owner's account after a comma."""
    return resource_id.split(",", maxsplit=1)[0]
