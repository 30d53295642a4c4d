"""Which IAM actions an S3 request needs, on which resources.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html. What is not mapped is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sandbox.aws import bucket_tags
from sandbox.aws.errors import RefusedError
from sandbox.aws.http_request import HttpRequest

_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.(?:localhost|s3(?:[.-][a-z0-9.-]+)?\.amazonaws\.com(?:\.cn)?)")
_S3_HOST = re.compile(r"s3(?:[.-][a-z0-9.-]+)?\.amazonaws\.com(?:\.cn)?")

# Sub-resource of the URL -> action, for a bucket and for an object; None is the request without a sub-resource.
_Actions = Mapping[str | None, str]
_BUCKET: Mapping[str, _Actions] = {
    "HEAD": {None: "ListBucket"},
    "GET": {
        None: "ListBucket",
        "accelerate": "GetAccelerateConfiguration",
        "acl": "GetBucketAcl",
        "cors": "GetBucketCORS",
        "encryption": "GetEncryptionConfiguration",
        "lifecycle": "GetLifecycleConfiguration",
        "location": "GetBucketLocation",
        "logging": "GetBucketLogging",
        "notification": "GetBucketNotification",
        "object-lock": "GetBucketObjectLockConfiguration",
        "ownershipControls": "GetBucketOwnershipControls",
        "policy": "GetBucketPolicy",
        "policyStatus": "GetBucketPolicyStatus",
        "publicAccessBlock": "GetBucketPublicAccessBlock",
        "replication": "GetReplicationConfiguration",
        "requestPayment": "GetBucketRequestPayment",
        "tagging": "GetBucketTagging",
        "uploads": "ListBucketMultipartUploads",
        "versioning": "GetBucketVersioning",
        "versions": "ListBucketVersions",
        "website": "GetBucketWebsite",
    },
    "PUT": {
        None: "CreateBucket",
        "accelerate": "PutAccelerateConfiguration",
        "acl": "PutBucketAcl",
        "cors": "PutBucketCORS",
        "encryption": "PutEncryptionConfiguration",
        "lifecycle": "PutLifecycleConfiguration",
        "logging": "PutBucketLogging",
        "notification": "PutBucketNotification",
        "object-lock": "PutBucketObjectLockConfiguration",
        "ownershipControls": "PutBucketOwnershipControls",
        "policy": "PutBucketPolicy",
        "publicAccessBlock": "PutBucketPublicAccessBlock",
        "replication": "PutReplicationConfiguration",
        "tagging": "PutBucketTagging",
        "versioning": "PutBucketVersioning",
        "website": "PutBucketWebsite",
    },
    "DELETE": {
        None: "DeleteBucket",
        "cors": "PutBucketCORS",
        "encryption": "PutEncryptionConfiguration",
        "lifecycle": "PutLifecycleConfiguration",
        "ownershipControls": "PutBucketOwnershipControls",
        "policy": "DeleteBucketPolicy",
        "publicAccessBlock": "PutBucketPublicAccessBlock",
        "replication": "PutReplicationConfiguration",
        "tagging": "PutBucketTagging",
        "website": "DeleteBucketWebsite",
    },
}
_OBJECT: Mapping[str, _Actions] = {
    "HEAD": {None: "GetObject"},
    "GET": {
        None: "GetObject",
        "acl": "GetObjectAcl",
        "attributes": "GetObjectAttributes",
        "legal-hold": "GetObjectLegalHold",
        "retention": "GetObjectRetention",
        "tagging": "GetObjectTagging",
        "uploadId": "ListMultipartUploadParts",
    },
    "PUT": {
        None: "PutObject",
        "acl": "PutObjectAcl",
        "legal-hold": "PutObjectLegalHold",
        "retention": "PutObjectRetention",
        "tagging": "PutObjectTagging",
        "uploadId": "PutObject",
    },
    "POST": {"uploads": "PutObject", "uploadId": "PutObject"},
    "DELETE": {None: "DeleteObject", "tagging": "DeleteObjectTagging", "uploadId": "AbortMultipartUpload"},
}
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListTagsForResource.html
_S3_CONTROL_PATH = "/v20180820/"
_SUBRESOURCES = {name for table in (*_BUCKET.values(), *_OBJECT.values()) for name in table if name} | {"delete"}
_PARAMETERS = {
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partnumber",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionid",
    "x-id",
}
# The actions that have a variant of their own for a named version of an object.
_VERSIONED = re.compile(r"(Get|Put|Delete)Object(|Acl|Tagging|Attributes)")
_HEADER_KEYS = (
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
)


@dataclass(frozen=True)
class Need:
    """One action that a request needs. bucket "" and key "": the resource is *."""

    action: str
    bucket: str = ""
    key: str = ""

    def resource(self, partition: str) -> str:
        """Return the ARN."""
        if not self.bucket:
            return "*"
        return f"arn:{partition}:s3:::{self.bucket}" + (f"/{self.key}" if self.key else "")


class ObjectName(NamedTuple):
    """An object, or one version of it."""

    bucket: str
    key: str
    version: str | None = None


@dataclass(frozen=True)
class S3Call:
    """needs: all of them must be allowed. source: what is copied.

    per_key: a multi-object delete, decided for each key as it is deleted. tags: of a bucket that is made.
    """

    bucket: str
    key: str
    needs: tuple[Need, ...]
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: str | None = None
    source: ObjectName | None = None
    per_key: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> ObjectName:
        """The object that the call is about."""
        return ObjectName(self.bucket, self.key, self.version)

    @property
    def creates(self) -> bool:
        """Whether the call makes a bucket, so that none has to exist."""
        return any(need.action == "s3:CreateBucket" for need in self.needs)

    @property
    def reads(self) -> bool:
        """Whether the call reads one object."""
        target = (self.bucket, self.key)
        return any(need.action.startswith("s3:GetObject") and (need.bucket, need.key) == target for need in self.needs)

    @property
    def path(self) -> str:
        """The path-style URL path of the call."""
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"

    @property
    def raw_path(self) -> str:
        """The same, percent-encoded."""
        return quote(self.path, safe="/~")


def map_request(request: HttpRequest) -> S3Call:
    """Map an S3 request, path style or virtual-host style. Raises RefusedError (501) for one that is not served."""
    if request.path.startswith(_S3_CONTROL_PATH) and "x-amz-account-id" in request.headers:
        # at this code the official plugin goes on with S3's own calls for a bucket's tags
        raise RefusedError(405, "MethodNotAllowed", "The sandbox does not serve S3 Control.")
    bucket, key = _bucket_and_key(request)
    subresource = _subresource(request)
    if not bucket:
        if request.method != "GET" or subresource:
            raise _not_served(request)
        return S3Call("", "", (Need("s3:ListAllMyBuckets"),), _context(request))
    if not key and request.method == "POST" and subresource == "delete":
        return S3Call(bucket, "", (), _context(request), per_key=True)
    name = (_OBJECT if key else _BUCKET).get(request.method, {}).get(subresource)
    if name is None:
        raise _not_served(request)
    version = request.query.get("versionId")
    if key and version and (found := _VERSIONED.fullmatch(name)):
        name = f"{found[1]}ObjectVersion{found[2]}"
    needs = [Need(f"s3:{name}", bucket, key)]
    tags = bucket_tags.of_creation(request) if name == "CreateBucket" else {}
    if tags:
        needs.append(Need("s3:TagResource", bucket))
    if subresource == "attributes":
        needs.append(Need("s3:GetObjectVersion" if version else "s3:GetObject", bucket, key))
    source = None
    if name == "PutObject" and request.method == "PUT":
        source = _copy_source(request)
        needs += _needs_of_headers(request, bucket, key, source)
    return S3Call(bucket, key, tuple(needs), _context(request), version, source, tags=tags)


def query_without_signature(request: HttpRequest) -> str:
    """Return the query string without what a presigned URL adds to it."""
    pairs = parse_qsl(request.raw_query.replace("+", "%2B"), keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if not name.startswith("X-Amz-")], quote_via=quote)


def _copy_source(request: HttpRequest) -> ObjectName | None:
    if not (source := request.headers.get("x-amz-copy-source")):
        return None
    path, _, version = source.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return ObjectName(bucket, key, version or None)


def _needs_of_headers(request: HttpRequest, bucket: str, key: str, source: ObjectName | None) -> list[Need]:
    needs = []
    if source:
        needs.append(Need("s3:GetObjectVersion" if source.version else "s3:GetObject", source.bucket, source.key))
    if request.headers.get("x-amz-tagging"):
        needs.append(Need("s3:PutObjectTagging", bucket, key))
    if any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in request.headers):
        needs.append(Need("s3:PutObjectAcl", bucket, key))
    return needs


def _bucket_and_key(request: HttpRequest) -> tuple[str, str]:
    host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
    path = request.path[1:]
    if not _S3_HOST.fullmatch(host) and (found := _VIRTUAL_HOST.fullmatch(host)):
        return found["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def _subresource(request: HttpRequest) -> str | None:
    names = set(request.query)
    unknown = {
        name
        for name in names - _SUBRESOURCES
        if name.lower() not in _PARAMETERS and not name.startswith(("X-Amz-", "x-amz-checksum-", "response-"))
    }
    found = names & _SUBRESOURCES
    if unknown or len(found) > 1:
        raise _not_served(request)
    return next(iter(found), None)


def _context(request: HttpRequest) -> dict[str, tuple[str, ...]]:
    present = {
        f"s3:{name}": request.query[name] for name in ("prefix", "delimiter", "max-keys") if name in request.query
    }
    present |= {f"s3:{name}": request.headers[name] for name in _HEADER_KEYS if name in request.headers}
    if version := request.query.get("versionId"):
        present["s3:versionid"] = version
    return {name: (value,) for name, value in present.items()}


def _not_served(request: HttpRequest) -> RefusedError:
    return RefusedError(
        501, "NotImplemented", f"The sandbox does not serve this request: {request.method} ?{request.raw_query}"
    )
