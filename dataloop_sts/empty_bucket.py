"""Empties a managed bucket right before its deletion, unless a customer's objects are in it.

Run as ``python -m dataloop_sts.empty_bucket`` with the request as JSON on standard input. The bucket itself is never
deleted by force, so that taking a driver out of the spec is as safe as a destroy.
"""

from __future__ import annotations

import sys
from itertools import islice

from dataloop_sts import steps
from dataloop_sts.aws import Aws, aws_errors
from dataloop_sts.errors import AwsError, GuardRefused
from dataloop_sts.guard import all_objects, confirmed, customer_objects, how_to_confirm, platform_objects
from dataloop_sts.spec import OnDestroy

_BATCH = 1000  # the most that one call may delete


class EmptyBucketRequest(steps.Request):
    """The bucket, and what the spec says of its end."""

    customer: str
    on_destroy: OnDestroy
    region: str
    bucket: str


def empty_bucket(request: EmptyBucketRequest) -> None:
    """Removes the probe and the platform's folder, and everything else only where this run confirms it.

    Raises:
        GuardRefused: the spec refuses it, or customer's objects are there; nothing was removed.
        AwsError: AWS did not let it happen.
    """
    if request.on_destroy != "delete":
        raise GuardRefused(
            f"Bucket {request.bucket} stays: the spec says on_destroy: {request.on_destroy}. Nothing was removed."
        )
    s3 = Aws(request.region).s3()
    removable = all_objects
    if not confirmed(request.customer):
        removable = platform_objects  # so that what a customer puts there after this look stays, and the bucket with it
        count = sum(1 for _ in customer_objects(s3, request.bucket))
        if count:
            raise GuardRefused(
                f"Bucket {request.bucket} stays, nothing was removed from it: it holds {count} customer's objects. "
                f"Move what is to be kept. {how_to_confirm(request.customer)}"
            )
    # listed anew each time: what was listed after a deletion need not go on where the listing before it stopped
    while batch := list(islice(removable(s3, request.bucket), _BATCH)):
        with aws_errors(f"empty bucket {request.bucket}"):
            answer = s3.delete_objects(
                Bucket=request.bucket,
                Delete={"Objects": [{"Key": key, "VersionId": version} for key, version in batch], "Quiet": True},
            )
        for failure in answer.get("Errors", []):
            raise AwsError(
                f"Bucket {request.bucket} could not be emptied: {failure.get('Key')}: {failure.get('Message')}.",
                code=failure.get("Code"),
            )


if __name__ == "__main__":
    sys.exit(steps.run(EmptyBucketRequest, empty_bucket))
