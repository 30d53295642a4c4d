"""The preflight's look at AWS: whose credentials, names that are taken, buckets that would be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dataloop_sts import regions
from dataloop_sts.aws import MISSING, REFUSED, Aws, aws_errors
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import AwsError, Problem
from dataloop_sts.losses import confirmed, how_to_confirm, objects_lost
from dataloop_sts.preflight.keys import key_problems
from dataloop_sts.preflight.needs import needs_problems
from dataloop_sts.preflight.renames import rename_problems
from dataloop_sts.preflight.request import PreflightRequest


def aws_problems(
    aws: Aws, account: str, dataloop: DataloopClient | None, request: PreflightRequest
) -> Iterator[Problem]:
    """What stands in the way in the account that the credentials are of; ``dataloop`` is None where it cannot be asked.

    Raises:
        AwsError: AWS did not let it be looked at.
    """
    known = request.known
    if request.account_id and account != request.account_id:
        yield Problem(
            "aws.account_id",
            f"The AWS credentials are of account {account}, the spec allows {request.account_id} only: "
            "use credentials of that account, or correct the spec.",
        )
        return
    if known and account != known.account_id:
        yield Problem(
            "AWS credentials",
            f"They are of account {account}, this stack's resources are in {known.account_id}: use credentials of that "
            "account.",
        )
        return
    if known and request.region != known.region:
        yield Problem(
            "aws.region",
            f"This stack's buckets are in {known.region} and cannot move to {request.region}: destroy the connection "
            "first, or make another one, of another customer's name, there.",
        )
        return
    yield from rename_problems(request)
    yield from _taken_iam_names(aws, account, request)
    for bucket in request.names.buckets:
        if (not known or bucket not in known.names.buckets) and f"bucket {bucket}" not in request.adopting:
            yield from _taken_bucket(aws, bucket)
    yield from _buckets_lost(aws, request)
    yield from key_problems(aws, dataloop, request)
    yield from needs_problems(aws, account, request)


def _buckets_lost(aws: Aws, request: PreflightRequest) -> Iterator[Problem]:
    known = request.known
    for bucket in known.names.buckets if known else ():
        if not known or bucket in request.names.buckets or known.on_destroy == "retain":
            continue
        if known.on_destroy == "refuse":
            yield Problem(
                "on_destroy", f"Bucket {bucket} leaves the spec, and its end is to be refused: change that first."
            )
        elif not confirmed(request.customer):
            folders = known.every_folder().get(bucket, [])
            if lost := objects_lost(aws, bucket, folders):
                message = f"{lost}. Move what is to be kept. {how_to_confirm(request.customer)}"
                yield Problem("drivers[].bucket.name", message)


def _taken_iam_names(aws: Aws, account: str, request: PreflightRequest) -> Iterator[Problem]:
    iam = aws.iam()
    partition = regions.partition_of(request.region)
    lookups: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("user", lambda name: iam.get_user(UserName=name)),
        ("role", lambda name: iam.get_role(RoleName=name)),
        (
            "policy",
            lambda name: iam.get_policy(PolicyArn=regions.policy_arn(partition, account, name, request.iam_path)),
        ),
    )
    for kind, look_up in lookups:
        name = getattr(request.names, kind)
        if request.known and name == getattr(request.known.names, kind):
            continue
        if f"{kind} {name}" in request.adopting:
            continue
        if _exists(look_up, name, f"look for an IAM {kind} named {name}"):
            message = (
                f"The account has an IAM {kind} named {name!r} already: give another name, or take it over with "
                "`dataloop-sts adopt`."
            )
            yield Problem(f"aws.names.{kind}", message)


def _taken_bucket(aws: Aws, bucket: str) -> Iterator[Problem]:
    s3 = aws.s3()
    try:
        exists = _exists(lambda name: s3.head_bucket(Bucket=name), bucket, f"look for a bucket named {bucket}")
    except AwsError as error:
        if error.code not in REFUSED:
            raise
        message = (
            f"The bucket name {bucket!r} is taken, by another AWS account or by a bucket that these credentials may "
            "not see: choose another name."
        )
        yield Problem("drivers[].bucket.name", message)
        return
    if exists:
        message = (
            f"The account has a bucket {bucket!r} already, which this stack does not manage: choose another name, use "
            "it as `existing`, or take it over with `dataloop-sts adopt`."
        )
        yield Problem("drivers[].bucket.name", message)


def _exists(look_up: Callable[[str], Any], name: str, what: str) -> bool:
    try:
        with aws_errors(what):
            look_up(name)
    except AwsError as error:
        if error.code in MISSING:
            return False
        raise
    return True
