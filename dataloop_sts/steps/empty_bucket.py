"""Empties a managed bucket right before its deletion, unless a customer's objects are in it.

Run as ``python -m dataloop_sts.empty_bucket`` with the request as JSON on standard input. The bucket itself is never
deleted by force, so that taking a driver out of the spec is as safe as a destroy.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dataloop_sts.aws import Aws, aws_errors, require_account
from dataloop_sts.errors import AwsError, GuardRefused
from dataloop_sts.losses import all_objects, confirmed, how_to_confirm, objects_lost, platform_objects
from dataloop_sts.spec_parts import DeployRoleSpec, OnDestroy
from dataloop_sts.steps import frame

_BATCH = 1000  # the most that one call may delete


class EmptyBucketRequest(frame.Request):
    """The bucket, and what the spec says of its end."""

    customer: str
    on_destroy: OnDestroy
    region: str
    account_id: str
    deploy_role: DeployRoleSpec | None = None
    bucket: str
    folders: tuple[str, ...]
    """The folders of the bucket's drivers."""


def empty_bucket(request: EmptyBucketRequest) -> None:
    """Removes the probes and the platform's folders, and everything else only where this run confirms it.

    Raises:
        GuardRefused: the spec refuses it, or customer's objects are there; nothing was removed.
        AwsError: AWS did not let it happen.
    """
    if request.on_destroy != "delete":
        raise GuardRefused(
            f"Bucket {request.bucket} stays: the spec says on_destroy: {request.on_destroy}. Nothing was removed."
        )
    aws = Aws(request.region, deploy_role=request.deploy_role)
    require_account(aws, request.account_id)
    s3, everything = aws.s3(), confirmed(request.customer)
    if not everything and (lost := objects_lost(aws, request.bucket, request.folders)):
        raise GuardRefused(
            f"Bucket {request.bucket} stays, nothing was removed from it: {lost}. Move what is to be kept. "
            f"{how_to_confirm(request.customer)}"
        )

    def removable() -> Iterator[tuple[str, str]]:
        # unconfirmed, what a customer puts there after the look stays, and the bucket with it
        if everything:
            return all_objects(s3, request.bucket)
        return platform_objects(s3, request.bucket, request.folders)

    # listed anew each time: what was listed after a deletion need not go on where the listing before it stopped
    while batch := list(islice(removable(), _BATCH)):
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


def main(_arguments: list[str]) -> int:
    """Runs the step; returns its exit code."""
    return frame.run(EmptyBucketRequest, empty_bucket)
