"""What has to hold between the parts of a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations

from dataloop_sts import naming, regions, values
from dataloop_sts.errors import Problem
from dataloop_sts.spec_parts import AwsSpec, DriverSpec


def driver_problems(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    """Where drivers repeat or contradict one another."""
    yield from _repeated_driver_names(drivers)
    yield from _contradicting_buckets(drivers)
    yield from _contradicting_deletes(drivers)


def _repeated_driver_names(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, driver in enumerate(drivers):
        if driver.name in seen:
            yield Problem(
                f"drivers[{index}].name", f"{driver.name!r} is the name of drivers[{seen[driver.name]}] already"
            )
        seen.setdefault(driver.name, index)
    for index, driver in enumerate(drivers):
        if driver.former_name and (whose := seen.setdefault(driver.former_name, index)) != index:
            yield Problem(
                f"drivers[{index}].former_name",
                f"{driver.former_name!r} is or was the name of drivers[{whose}]: leave it out here",
            )


def _contradicting_buckets(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    for (first, one), (index, other) in combinations(enumerate(drivers), 2):
        if one.bucket_name == other.bucket_name and one.bucket != other.bucket:
            yield Problem(
                f"drivers[{index}].bucket",
                f"bucket {one.bucket_name!r} is described otherwise than in drivers[{first}]: "
                "give both the same name or existing, and the same kms_key_arn",
            )


def _contradicting_deletes(drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    """All drivers share one role: where one may delete, no other can be kept from it."""
    for (_, wide), (index, narrow) in permutations(enumerate(drivers), 2):
        if wide.covers(narrow) and wide.allow_delete and not narrow.allow_delete:
            yield Problem(
                f"drivers[{index}].allow_delete",
                f"false cannot hold, since driver {wide.name!r} covers the same objects with allow_delete true and "
                "both use one role; give both the same value, or the one its own prefix",
            )


def arn_problems(aws: AwsSpec, drivers: tuple[DriverSpec, ...]) -> Iterator[Problem]:
    """ARNs that lead to another partition, region or account than the connection's."""
    deploy_role = regions.Arn.parse(aws.deploy_role.arn) if aws.deploy_role else None
    account_id = aws.account_id or (deploy_role.account if deploy_role else None)
    named: list[tuple[str, str | None]] = [
        ("aws.permissions_boundary", aws.permissions_boundary),
        ("aws.deploy_role.arn", aws.deploy_role.arn if aws.deploy_role else None),
        *((f"drivers[{index}].bucket.kms_key_arn", driver.bucket.kms_key_arn) for index, driver in enumerate(drivers)),
    ]
    for path, text in named:
        if text is None:
            continue
        arn = regions.Arn.parse(text)
        if arn.partition != aws.partition:
            yield Problem(path, f"is in partition {arn.partition}, the region {aws.region} is in {aws.partition}")
        elif arn.region and arn.region != aws.region:
            yield Problem(path, f"is in region {arn.region}, the connection in {aws.region}: name a key of that region")
        elif account_id and arn.account not in ("aws", account_id):
            yield Problem(path, f"is in account {arn.account}, the connection in {account_id}: name one of its own")


_DERIVED = (
    ("user", naming.IAM_USER_NAME_MAX),
    ("role", naming.IAM_ROLE_NAME_MAX),
    ("policy", naming.IAM_POLICY_NAME_MAX),
)


def derived_name_problems(data: object, environment: str) -> Iterator[Problem]:
    """Names that would derive from customer and environment, are not given, and are too long.

    Args:
        data: the spec as it was given, which may have other mistakes.
        environment: the environment's name.
    """
    customer = data.get("customer") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(customer, str) or not naming.SLUG.fullmatch(customer):
        return
    aws = data.get("aws")
    given = aws.get("names") if isinstance(aws, Mapping) else None
    derived = naming.derived_names(customer, environment)
    integration = data.get("integration")
    named = isinstance(integration, Mapping) and integration.get("name") is not None
    if not named and len(derived.integration) > values.DATALOOP_NAME_MAX:
        yield Problem(
            "integration.name",
            f"the derived name {derived.integration!r} has {len(derived.integration)} characters, "
            f"{values.DATALOOP_NAME_MAX} are allowed: shorten customer, or give a name here",
        )
    for kind, maximum in _DERIVED:
        if isinstance(given, Mapping) and given.get(kind) is not None:
            continue
        name = getattr(derived, kind)
        if len(name) > maximum:
            yield Problem(
                f"aws.names.{kind}",
                f"the derived name {name!r} has {len(name)} characters, IAM allows {maximum}: "
                "shorten customer, or give a name here",
            )
