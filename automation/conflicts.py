"""Records that name the same thing: each is valid by itself, but only one connection can have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dataloop_sts.errors import Problem
from dataloop_sts.regions import Arn

if TYPE_CHECKING:
    from automation.records import Record

_SHOWN = 3


class Thing(NamedTuple):
    """What there is once: ``scope`` is where its name is unique, ``key`` the name as it is compared."""

    kind: str
    scope: str
    key: str


class Claim(NamedTuple):
    """A record's word that a thing is its own: where it says so, and the name as it is written."""

    record: Record
    path: str
    name: str

    @property
    def owner(self) -> str:
        return self.record.customer or f"stack {self.record.stack}"


def conflicts(records: Iterable[Record]) -> list[tuple[Record, list[Problem]]]:
    """The records that name what another one names too, each with its mistakes.

    Names of buckets are unique in an AWS partition, names of IAM users, roles and policies in an account whatever
    their path and case, names of integrations in a Dataloop organization, names of drivers in a project.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html

    Args:
        records: the records of one environment.
    """
    claims: dict[Thing, list[Claim]] = defaultdict(list)
    for record in records:
        for thing, claim in claims_of(record):
            claims[thing].append(claim)
    found: dict[str, tuple[Record, list[Problem]]] = {}
    for thing, those in claims.items():
        owners = list(dict.fromkeys(claim.owner for claim in those))
        if len(owners) > 1:
            for claim in those:
                others = _others(owners, claim.owner)
                message = f"{thing.kind} {claim.name!r} in {thing.scope} is that of {others} too: give each its own"
                _, problems = found.setdefault(claim.record.stack, (claim.record, []))
                problems.append(Problem(claim.path, message))
    return list(found.values())


def _others(owners: list[str], owner: str) -> str:
    shown = [each for each in owners[: _SHOWN + 1] if each != owner][:_SHOWN]
    left = len(owners) - 1 - len(shown)
    return ", ".join(shown) + (f" and {left:,} more" if left else "")


def claims_of(record: Record) -> Iterator[tuple[Thing, Claim]]:
    """What a record names that only one connection can have."""
    spec, aws = record.spec, record.spec.aws
    names = spec.names(record.environment.name)
    account = aws.account_id or (Arn.parse(aws.deploy_role.arn).account if aws.deploy_role else None)
    in_account = f"account {account}" if account else "the shell's account"
    for kind in ("user", "role", "policy"):
        name = getattr(names, kind)
        yield Thing(f"IAM {kind}", in_account, name.lower()), Claim(record, f"aws.names.{kind}", name)
    yield (
        Thing("integration", f"organization {spec.organization_id}", names.integration),
        Claim(record, "integration.name", names.integration),
    )
    for index, driver in enumerate(spec.drivers):
        yield (
            Thing("driver", f"project {driver.project_id}", driver.name),
            Claim(record, f"drivers[{index}].name", driver.name),
        )
        if driver.bucket.managed:
            yield (
                Thing("bucket", f"partition {aws.partition}", driver.bucket_name),
                Claim(record, f"drivers[{index}].bucket.name", driver.bucket_name),
            )
