"""Refuses a destroy before anything is touched, where something worth keeping would be lost.

Run as ``python -m dataloop_sts.guard`` when the resource that goes first is deleted, with the request as JSON on
standard input.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataloop_sts import steps
from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import AwsError, GuardRefused, NotFound
from dataloop_sts.spec import OnDestroy
from dataloop_sts.verify import PROBE_NAME

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIRM_VARIABLE = "DATALOOP_STS_CONFIRM_DELETE"
PLATFORM_FOLDER = ".dataloop"
"""The folder that Dataloop keeps in a bucket, at its root or in the driver's folder."""


class GuardRequest(steps.Request):
    """The connection whose destroy is asked for."""

    customer: str
    on_destroy: OnDestroy
    region: str
    buckets: tuple[str, ...]
    organization_id: str
    integration_id: str
    drivers: dict[str, str]
    """The drivers' ids by name, as the stack knows them."""
    projects: dict[str, str]
    """The drivers' projects by driver name."""


def confirmed(customer: str) -> bool:
    """Whether this run may delete the customer's data: the environment variable names exactly this customer."""
    return os.environ.get(CONFIRM_VARIABLE) == customer


def how_to_confirm(customer: str) -> str:
    """What to set for one run."""
    return f"To go on and lose it, set {CONFIRM_VARIABLE}={customer} for this one run."


def customer_objects(s3: S3Client, bucket: str) -> Iterator[tuple[str, str]]:
    """The (key, version id) of all that a customer put into a bucket: not the probe, not the platform's own folder.

    Raises:
        AwsError: the bucket cannot be listed; a bucket that is gone holds nothing.
    """
    return ((key, version) for key, version in all_objects(s3, bucket) if not _is_ours(key))


def platform_objects(s3: S3Client, bucket: str) -> Iterator[tuple[str, str]]:
    """The (key, version id) of the rest of a bucket: the probe and the platform's own folder. Raises likewise."""
    return ((key, version) for key, version in all_objects(s3, bucket) if _is_ours(key))


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


def _is_ours(key: str) -> bool:
    folders, _, name = key.rpartition("/")
    return name in (PROBE_NAME, PLATFORM_FOLDER) or PLATFORM_FOLDER in folders.split("/")


def guard(request: GuardRequest, client: DataloopClient) -> None:
    """Raises :class:`GuardRefused` where the destroy would lose something."""
    if request.on_destroy == "refuse":
        raise GuardRefused(
            f"The destroy of {request.customer} is refused, nothing was touched: its spec says on_destroy: refuse. "
            "Change that, run `pulumi up`, then destroy."
        )
    losses = [*_objects(request), *_datasets(request, client)]
    if losses and not confirmed(request.customer):
        raise GuardRefused(
            f"The destroy of {request.customer} is refused, nothing was touched: {'; '.join(losses)}. "
            f"Move what is to be kept. {how_to_confirm(request.customer)}"
        )
    obstacles = list(_foreign_drivers(request, client))
    if obstacles:
        raise GuardRefused(
            f"The destroy of {request.customer} is refused, nothing was touched: {'; '.join(obstacles)}. "
            "Remove those drivers or move them to another integration first."
        )


def _objects(request: GuardRequest) -> Iterator[str]:
    if request.on_destroy != "delete":
        return
    s3 = Aws(request.region).s3()
    for bucket in request.buckets:
        count = sum(1 for _ in customer_objects(s3, bucket))
        if count:
            yield f"bucket {bucket} would be deleted and holds {count} {'object' if count == 1 else 'objects'}"


def _datasets(request: GuardRequest, client: DataloopClient) -> Iterator[str]:
    for name, driver_id in request.drivers.items():
        try:
            datasets = client.datasets_of_driver(request.projects[name], driver_id)
        except NotFound:
            continue
        if datasets:
            yield f"driver {name!r} is used by {in_words([d.name or d.id for d in datasets], 'dataset')}"


def _foreign_drivers(request: GuardRequest, client: DataloopClient) -> Iterator[str]:
    try:
        users = client.drivers(integration_id=request.integration_id)
    except NotFound:
        return
    foreign = [driver.name or driver.id for driver in users if driver.id not in request.drivers.values()]
    if foreign:
        yield f"integration {request.integration_id} is used by {in_words(foreign, 'other driver')}"


def in_words(names: list[str], noun: str) -> str:
    """For example ``2 datasets: a, b``; at most five names are spelt out."""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}: {shown}"


def _step(request: GuardRequest) -> None:
    guard(request, DataloopClient.from_environment())


if __name__ == "__main__":
    sys.exit(steps.run(GuardRequest, _step))
