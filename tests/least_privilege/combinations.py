"""Every combination of what a spec can say about access, as plain facts beside the spec that says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec

ACCOUNT = "123456789012"
BUCKET, BUCKET_2 = "dataloop-acme", "dataloop-acme-2"
REGIONS = {"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}


@dataclass(frozen=True)
class Grant:
    """What one driver is for: a bucket or a folder of it (``raw/``; empty for all of it), with or without deletion."""

    bucket: str
    folder: str
    delete: bool


@dataclass(frozen=True)
class Combination:
    """The facts of one spec.

    Attributes:
        region: of the buckets.
        grants: of the drivers.
        keys: the KMS key's id by bucket.
        existing: whether the first bucket is there and stays somebody else's.
    """

    region: str
    grants: tuple[Grant, ...]
    keys: tuple[tuple[str, str], ...]
    existing: bool

    @property
    def partition(self) -> str:
        """Of the region."""
        return REGIONS[self.region]

    def key_arn(self, key: str) -> str:
        """The ARN of a KMS key of the account."""
        return f"arn:{self.partition}:kms:{self.region}:{ACCOUNT}:key/{key}"

    def spec(self) -> ConnectionSpec:
        """The spec that says this.

        Raises:
            SpecError: it contradicts itself.
        """
        keys = dict(self.keys)

        def bucket(name: str) -> dict[str, Any]:
            kind = "existing" if self.existing and name == BUCKET else "name"
            return {kind: name, **({"kms_key_arn": self.key_arn(keys[name])} if name in keys else {})}

        drivers = [
            {
                "name": f"driver-{number}",
                "project_id": "project-1",
                "bucket": bucket(grant.bucket),
                "allow_delete": grant.delete,
                **({"prefix": grant.folder} if grant.folder else {}),
            }
            for number, grant in enumerate(self.grants)
        ]
        aws = {"region": self.region, "account_id": ACCOUNT}
        data = {"customer": "acme", "organization_id": "org-1", "aws": aws, "drivers": drivers}
        return ConnectionSpec.parse(data, environment="dev")


def combinations() -> Iterator[Combination]:
    """All of them, also those that contradict themselves."""
    seconds = [
        None,
        *(
            Grant(bucket, folder, delete)
            for bucket, folder in (
                (BUCKET, ""),
                (BUCKET, "labels/"),
                (BUCKET, "raw/in/"),
                (BUCKET_2, ""),
                (BUCKET_2, "raw/"),
            )
            for delete in (False, True)
        ),
    ]
    for region, folder, delete, existing, second in product(
        REGIONS, ("", "raw/", "raw/in/"), (False, True), (False, True), seconds
    ):
        grants = (Grant(BUCKET, folder, delete), *([second] if second else ()))
        for keys in _keys({grant.bucket for grant in grants}):
            yield Combination(region, grants, keys, existing)


def _keys(buckets: set[str]) -> list[tuple[tuple[str, str], ...]]:
    one_bucket: list[tuple[tuple[str, str], ...]] = [(), ((BUCKET, "one"),)]
    if BUCKET_2 not in buckets:
        return one_bucket
    both = [((BUCKET, "one"), (BUCKET_2, "one")), ((BUCKET, "one"), (BUCKET_2, "two"))]
    return [*one_bucket, ((BUCKET_2, "two"),), *both]


def valid_combinations() -> list[tuple[Combination, ConnectionSpec]]:
    """Those that a spec can say, with the spec."""
    found = []
    for combination in combinations():
        try:
            found.append((combination, combination.spec()))
        except SpecError:
            continue
    return found
