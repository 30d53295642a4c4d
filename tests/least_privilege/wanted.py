"""What a connection is to allow, said from the facts of its spec, with no eye on the documents that say it to AWS."""

from __future__ import annotations

from collections.abc import Callable

from tests.least_privilege.combinations import Combination
from tests.least_privilege.requests import Request, Requests


def wanted(combination: Combination, requests: Requests) -> set[Request]:
    """The requests that the role may make.

    - List a driver's bucket: any of it, or only what begins with the driver's folder.
    - Read and write objects in the driver's folder, and delete them where the driver may.
    - Decrypt with the key of one of its buckets, and have it make data keys, through S3 in the region alone.

    Nothing else of S3, KMS, IAM or STS.
    """
    judges: dict[str, Callable[[Combination, Request], bool]] = {
        "s3:ListBucket": _may_list,
        "s3:GetObject": _may_reach,
        "s3:PutObject": _may_reach,
        "s3:DeleteObject": _may_delete,
        "kms:Decrypt": _may_use_key,
        "kms:GenerateDataKey": _may_use_key,
    }
    return {request for action, judge in judges.items() for request in requests[action] if judge(combination, request)}


def _may_list(combination: Combination, request: Request) -> bool:
    asked = dict(request.context).get("s3:prefix")
    return any(
        request.resource == f"arn:{combination.partition}:s3:::{grant.bucket}"
        and (not grant.folder or (asked is not None and asked.startswith(grant.folder)))
        for grant in combination.grants
    )


def _may_reach(combination: Combination, request: Request, *, deleting: bool = False) -> bool:
    return any(
        request.resource.startswith(f"arn:{combination.partition}:s3:::{grant.bucket}/{grant.folder}")
        and (grant.delete or not deleting)
        for grant in combination.grants
    )


def _may_delete(combination: Combination, request: Request) -> bool:
    return _may_reach(combination, request, deleting=True)


def _may_use_key(combination: Combination, request: Request) -> bool:
    china = ".cn" if combination.partition == "aws-cn" else ""
    through_s3 = (("kms:viaservice", f"s3.{combination.region}.amazonaws.com{china}"),)
    return request.context == through_s3 and request.resource in {
        combination.key_arn(key) for _, key in combination.keys
    }
