"""Records that name the same thing: each is valid by itself, but only one connection can have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from automation.errors import RecordError
from automation.files import read_yaml
from dataloop_sts.errors import Problem
from dataloop_sts.regions import Arn

if TYPE_CHECKING:
    from automation.records import Record

_SHOWN = 3


class _Thing(NamedTuple):
    """What there is once: ``scope`` is where its name is unique, ``key`` the name as it is compared."""

    kind: str
    scope: str
    key: str


class _Claim(NamedTuple):
    record: Record
    path: str
    name: str


def conflicts(records: Iterable[Record]) -> dict[str, RecordError]:
    """The records that name what another one names too, each with its error.

    Names of buckets are unique in an AWS partition, names of IAM users, roles and policies in an account whatever
    their path and case, names of integrations in a Dataloop organization, names of drivers in a project.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html

    Args:
        records: the records of one environment; ``customer`` is set in each.
    """
    claims: dict[_Thing, list[_Claim]] = defaultdict(list)
    for record in records:
        for thing, claim in _claims(record):
            claims[thing].append(claim)
    found: dict[str, list[tuple[Record, str, str]]] = defaultdict(list)
    for thing, those in claims.items():
        customers = list(dict.fromkeys(str(claim.record.customer) for claim in those))
        if len(customers) > 1:
            for claim in those:
                customer = str(claim.record.customer)
                message = f"{thing.kind} {claim.name!r} in {thing.scope} is that of {_others(customers, customer)} too"
                found[customer].append((claim.record, claim.path, f"{message}: give each its own"))
    return {customer: _error(mistakes) for customer, mistakes in found.items()}


def _others(customers: list[str], customer: str) -> str:
    shown = [each for each in customers[: _SHOWN + 1] if each != customer][:_SHOWN]
    left = len(customers) - 1 - len(shown)
    return ", ".join(shown) + (f" and {left:,} more" if left else "")


def _error(mistakes: list[tuple[Record, str, str]]) -> RecordError:
    record = mistakes[0][0]
    file = read_yaml(record.path)
    problems = [Problem(file.place(path, whole=True), message) for _, path, message in mistakes]
    return RecordError("The record is not valid:", problems, labels=record.labels)


def _claims(record: Record) -> Iterator[tuple[_Thing, _Claim]]:
    spec, aws = record.spec, record.spec.aws
    names = spec.names(record.environment.name)
    account = aws.account_id or (Arn.parse(aws.deploy_role.arn).account if aws.deploy_role else None)
    in_account = f"account {account}" if account else "the shell's account"
    for kind in ("user", "role", "policy"):
        name = getattr(names, kind)
        yield _Thing(f"IAM {kind}", in_account, name.lower()), _Claim(record, f"aws.names.{kind}", name)
    yield (
        _Thing("integration", f"organization {spec.organization_id}", names.integration),
        _Claim(record, "integration.name", names.integration),
    )
    for index, driver in enumerate(spec.drivers):
        yield (
            _Thing("driver", f"project {driver.project_id}", driver.name),
            _Claim(record, f"drivers[{index}].name", driver.name),
        )
        if driver.bucket.managed:
            yield (
                _Thing("bucket", f"partition {aws.partition}", driver.bucket_name),
                _Claim(record, f"drivers[{index}].bucket.name", driver.bucket_name),
            )
