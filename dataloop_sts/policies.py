"""The policy documents of a connection, as pure functions: permission, trust and bucket policy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from dataloop_sts import regions
from dataloop_sts.errors import Problem, SpecError
from dataloop_sts.spec import ConnectionSpec

Document = dict[str, Any]
"""An IAM policy document as JSON values: {"Version": ..., "Statement": [...]}."""

VERSION = "2012-10-17"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: white space does not count
MANAGED_POLICY_MAX = 6144
TRUST_POLICY_MAX = 2048
"""Of a role's trust policy, as long as nobody has the quota of the account raised."""


def permission_document(spec: ConnectionSpec) -> Document:
    """What the role may do: list, read and write each driver's bucket or folder, and delete where the driver allows it.

    Where the bucket has a KMS key, the role may use just that key, through S3 alone, for what reading and writing
    need: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html

    A driver of a whole bucket gets the statement that Dataloop documents for AWS STS (Sid ``AllowListBucket``). A
    driver of a folder gets a listing limited by ``s3:prefix`` and object actions below the folder:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html

    Args:
        spec: the connection's spec.

    Raises:
        SpecError: the document is longer than a managed policy may be.
    """
    grants = sorted({(d.bucket_name, d.prefix or "", d.allow_delete) for d in spec.drivers})
    statements: list[Document] = []
    counts: dict[str, int] = {}
    for bucket, prefix, allow_delete in grants:
        arn = regions.bucket_arn(spec.aws.partition, bucket)
        for statement in _folder(arn, prefix, allow_delete) if prefix else _whole_bucket(arn, allow_delete):
            sid = statement["Sid"]
            counts[sid] = counts.get(sid, 0) + 1
            statements.append(statement | {"Sid": sid if counts[sid] == 1 else f"{sid}{counts[sid]}"})
    if spec.kms_key_arns:
        statements.append(_keys(spec))
    document = {"Version": VERSION, "Statement": statements}
    length = len(canonical(document))
    if length > MANAGED_POLICY_MAX:
        raise SpecError(
            [
                Problem(
                    "drivers",
                    f"the role's policy would have {length} characters, IAM allows {MANAGED_POLICY_MAX}: "
                    "use fewer or shorter prefixes, or spread the drivers over two customers",
                )
            ]
        )
    return document


def trust_document(user_arn: str, user_unique_id: str | None = None, source_ips: Sequence[str] = ()) -> Document:
    """Who may assume the role: exactly one IAM user, and where that is said, from some addresses only.

    AWS binds a user's ARN to the user's unique id when the document is saved, so a user made anew under the same name
    is locked out (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html, "IAM
    user principals"). The unique id in the Sid shows such a change as one of the document, which saves it again.

    Args:
        user_arn: the user's ARN.
        user_unique_id: the user's unique id (``AIDA...``), where it is known.
        source_ips: address ranges from which alone the role may be assumed; none for all.

    Raises:
        SpecError: the document is longer than a trust policy may be, which only the ranges can make it.
    """
    statement: Document = {
        "Sid": f"AllowUser{user_unique_id}" if user_unique_id else "AllowUser",
        "Effect": "Allow",
        "Principal": {"AWS": user_arn},
        "Action": "sts:AssumeRole",
    }
    if source_ips:
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": list(source_ips)}}
    document = {"Version": VERSION, "Statement": [statement]}
    length = len(canonical(document))
    if length > TRUST_POLICY_MAX:
        raise SpecError(
            [
                Problem(
                    "aws.trust_source_ips",
                    f"the role's trust policy would have {length} characters, IAM allows {TRUST_POLICY_MAX}: "
                    "use fewer or wider ranges",
                )
            ]
        )
    return document


def check_trust_length(spec: ConnectionSpec, environment: str) -> None:
    """Refuses a spec whose trust policy would be too long, before there is a user that it could name.

    Raises:
        SpecError: as :func:`trust_document`.
    """
    aws = spec.aws
    user_arn = regions.user_arn(aws.partition, "0" * 12, spec.names(environment).user, aws.iam_path)
    trust_document(user_arn, "AIDA" + "0" * 17, aws.trust_source_ips)


def bucket_document(partition: str, bucket: str) -> Document:
    """A managed bucket's policy: no call without TLS.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
    """
    arn = regions.bucket_arn(partition, bucket)
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def canonical(document: Document) -> str:
    """The document as text without white space, its keys in the order they were written."""
    return json.dumps(document, separators=(",", ":"))


def digest(document: Document) -> str:
    """A short hash of a document, which changes when the document does."""
    return text_digest(canonical(document))


def text_digest(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _object_actions(allow_delete: bool) -> list[str]:
    return ["s3:PutObject", *(["s3:DeleteObject"] if allow_delete else []), "s3:GetObject"]


def _whole_bucket(arn: str, allow_delete: bool) -> Iterator[Document]:
    yield {
        "Sid": "AllowListBucket",
        "Effect": "Allow",
        "Action": ["s3:ListBucket", *_object_actions(allow_delete)],
        "Resource": [arn, f"{arn}/*"],
    }


def _folder(arn: str, prefix: str, allow_delete: bool) -> Iterator[Document]:
    yield {
        "Sid": "AllowListFolder",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [arn],
        "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
    }
    yield {
        "Sid": "AllowObjectsInFolder",
        "Effect": "Allow",
        "Action": _object_actions(allow_delete),
        "Resource": [f"{arn}/{prefix}*"],
    }


def _keys(spec: ConnectionSpec) -> Document:
    service = f"s3.{spec.aws.region}.{regions.dns_suffix(spec.aws.partition)}"
    return {
        "Sid": "AllowKeysThroughS3",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": sorted(spec.kms_key_arns),
        "Condition": {"StringEquals": {"kms:ViaService": service}},
    }
