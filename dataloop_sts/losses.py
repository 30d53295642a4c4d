"""What of a customer's would be lost by a deletion, and the word that allows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.errors import AwsError, NotFound, UnexpectedAnswer
from dataloop_sts.probes import PROBE_NAME, RANDOM_PROBE_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from dataloop_sts.dataloop import DataloopClient

CONFIRM_VARIABLE = "DATALOOP_STS_CONFIRM_DELETE"
PLATFORM_FOLDER = ".dataloop/"
"""The folder that Dataloop keeps in a driver's folder."""
_COUNTED = 1000  # beyond it an exact number is worth less than the minutes that counting takes

Folders = Sequence[str]
"""The folders of a bucket's drivers, such as ``raw/``; ``""`` is the whole bucket."""


def confirmed(customer: str) -> bool:
    """Whether this run may delete the customer's data: the environment variable names exactly this customer."""
    return os.environ.get(CONFIRM_VARIABLE) == customer


def how_to_confirm(customer: str) -> str:
    """What to set for one run."""
    return f"To go on and lose it, set {CONFIRM_VARIABLE}={customer} for this one run."


def how_to_go_on(customer: str) -> str:
    """What to set for one run of a change that loses no data."""
    return f"To go on all the same, set {CONFIRM_VARIABLE}={customer} for this one run."


def customer_objects(s3: S3Client, bucket: str, folders: Folders) -> Iterator[tuple[str, str]]:
    """The (key, version id) of all that a customer put into a bucket: what is neither a probe nor the platform's own.

    Raises:
        AwsError: the bucket cannot be listed; a bucket that is gone holds nothing.
    """
    return ((key, version) for key, version in all_objects(s3, bucket) if not is_ours(key, folders))


def platform_objects(s3: S3Client, bucket: str, folders: Folders) -> Iterator[tuple[str, str]]:
    """The (key, version id) of the rest of a bucket: the probes and the platform's own folders. Raises likewise."""
    return ((key, version) for key, version in all_objects(s3, bucket) if is_ours(key, folders))


def all_objects(s3: S3Client, bucket: str) -> Iterator[tuple[str, str]]:
    """The (key, version id) of every version and delete marker in a bucket; a bucket that is gone holds nothing."""
    try:
        with aws_errors(f"list the objects of bucket {bucket}"):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    yield entry["Key"], entry["VersionId"]
    except AwsError as error:
        if error.code not in MISSING:
            raise


def is_ours(key: str, folders: Folders) -> bool:
    """Whether a key is a probe's or the platform's: exactly those names, in the bucket's root or a driver's folder."""
    rests = [key.removeprefix(folder) for folder in {"", *folders} if key.startswith(folder)]
    return any(
        rest == PROBE_NAME
        or rest.startswith(PLATFORM_FOLDER)
        or ("/" not in rest and rest.startswith(RANDOM_PROBE_PREFIX))
        for rest in rests
    )


def objects_lost(aws: Aws, bucket: str, folders: Folders) -> str | None:
    """What a bucket's deletion would lose, in words, or None."""
    versions = list(islice(customer_objects(aws.s3(), bucket, folders), _COUNTED))
    if not versions:
        return None
    more = " or more" if len(versions) == _COUNTED else ""
    keys = list(dict.fromkeys(key for key, _ in versions))
    return f"bucket {bucket} would be deleted and holds {in_words(keys, 'object', more)}"


def datasets_lost(client: DataloopClient, project_id: str, driver_id: str, name: str) -> str | None:
    """Which datasets would lose their storage with a driver, in words, or None; a driver that is gone has none.

    Raises:
        DataloopError: they could not be looked at.
    """
    try:
        datasets = client.datasets_of_driver(project_id, driver_id)
    except NotFound as no_answer:
        try:
            client.driver(driver_id)
        except NotFound:
            return None
        raise no_answer.recast(
            UnexpectedAnswer,
            what=f"Dataloop knows driver {name!r}, but gives no answer for its datasets",
            next_step="Check that the token's user is a member of the driver's project, then run again.",
        ) from None
    if not datasets:
        return None
    return f"driver {name!r} is used by {in_words([d.name or d.id for d in datasets], 'dataset')}"


def in_words(names: Sequence[str], noun: str, more: str = "") -> str:
    """For example ``2 datasets: a, b``; at most five names are spelt out."""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{counted(len(names), noun, more)}: {shown}"


def counted(number: int, noun: str, more: str = "") -> str:
    """For example ``1 driver`` or ``2 drivers``."""
    return f"{number:,}{more} {noun}{'' if number == 1 else 's'}"
