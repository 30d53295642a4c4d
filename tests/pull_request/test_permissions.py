"""The difference of what two roles may do is what an evaluator of AWS's logic decides, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.pull_request.permissions import permission_difference, trust_difference
from dataloop_sts import policies
from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec
from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.principals import Principal

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SESSION = Principal("session", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", ROLE, "AROAROLE", "AROAROLE:s")
BUCKETS = ("one-bucket", "two-bucket")
FOLDERS = ("a/", "a/b/", "ab/", "c/")
KEYS = ("k", "l")
REGIONS = ("eu-west-1", "eu-west-2")
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def parse(data: dict[str, Any]) -> ConnectionSpec | None:
    try:
        return ConnectionSpec.parse({"customer": "acme", "organization_id": "o", **data}, environment="prod")
    except SpecError:
        return None


@st.composite
def specs(draw: st.DrawFn) -> ConnectionSpec:
    region = draw(st.sampled_from(REGIONS))
    arns = [f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}" for key in KEYS]
    keys = {bucket: draw(st.sampled_from([None, *arns])) for bucket in BUCKETS}
    drivers = [
        {
            "name": str(number),
            "project_id": "p",
            "bucket": {"existing": (bucket := draw(st.sampled_from(BUCKETS))), "kms_key_arn": keys[bucket]},
            "prefix": draw(st.sampled_from([None, *FOLDERS])),
            "allow_delete": draw(st.booleans()),
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    found = parse({"aws": {"region": region, "account_id": ACCOUNT}, "drivers": drivers})
    return found if found else draw(specs())


def requests() -> Iterator[Access]:
    """One for each part of what the specs above can tell apart."""
    for bucket in BUCKETS:
        arn = f"arn:aws:s3:::{bucket}"
        for prefix in (None, "", "a", "x/", *FOLDERS, *(f"{folder}deep/" for folder in FOLDERS)):
            context = {} if prefix is None else {"s3:prefix": (prefix,)}
            yield Access(SESSION, "s3:ListBucket", arn, ACCOUNT, context)
        for action in ACTIONS:
            yield Access(SESSION, action, arn, ACCOUNT, {})
            for folder in ("", "x/", *FOLDERS):
                yield Access(SESSION, action, f"{arn}/{folder}object", ACCOUNT, {})
    for region in REGIONS:
        for key in KEYS:
            for service in (f"s3.{region}.amazonaws.com", "other"):
                for action in ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"):
                    arn = f"arn:aws:kms:{region}:{ACCOUNT}:key/{key}"
                    yield Access(SESSION, action, arn, ACCOUNT, {"kms:viaservice": (service,)})


REQUESTS = list(requests())


def allowed(spec: ConnectionSpec) -> set[int]:
    documents = Policies((policies.permission_document(spec),))
    return {number for number, access in enumerate(REQUESTS) if evaluate(access, documents).allowed}


@given(specs(), specs())
@settings(max_examples=150, deadline=None)
def test_the_difference_is_empty_if_and_only_if_the_documents_allow_the_same(
    before: ConnectionSpec, after: ConnectionSpec
) -> None:
    found = permission_difference(before, after)
    was, now = allowed(before), allowed(after)
    assert bool(found.added) == bool(now - was)
    assert bool(found.removed) == bool(was - now)
    assert permission_difference(after, before).added == found.removed


def test_the_order_of_drivers_allows_the_same() -> None:
    drivers = [
        {"name": str(n), "project_id": "p", "bucket": {"existing": "one-bucket"}, "prefix": folder}
        for n, folder in enumerate(FOLDERS)
    ]
    one, other = (parse({"aws": {"region": "eu-west-1"}, "drivers": each}) for each in (drivers, drivers[::-1]))
    assert one and other
    found = permission_difference(one, other)
    assert (found.added, found.removed) == ((), ())


def trusting(*ranges: str, **aws: Any) -> ConnectionSpec:
    driver = {"name": "d", "project_id": "p", "bucket": {"name": "one-bucket"}}
    place = {"region": "eu-west-1", "trust_source_ips": ranges, **aws}
    found = parse({"aws": place, "drivers": [driver]})
    assert found
    return found


@pytest.mark.parametrize(
    ("before", "after", "added", "removed"),
    [
        ([], [], (), ()),
        ([], ["192.0.2.0/24"], (), ("0.0.0.0/0", "::/0")),
        (["192.0.2.0/24"], [], ("0.0.0.0/0", "::/0"), ()),
        (["192.0.2.0/24"], ["192.0.2.128/25"], (), ("192.0.2.0/24",)),
        (["192.0.2.0/25", "192.0.2.128/25"], ["192.0.2.0/24"], (), ()),
        (["192.0.2.0/24", "2001:db8::/32"], ["2001:db8::/32", "192.0.2.0/24"], (), ()),
        (["192.0.2.0/24"], ["2001:db8::/32"], ("2001:db8::/32",), ("192.0.2.0/24",)),
        (["192.0.2.1"], ["192.0.2.1/32"], (), ()),
    ],
)
def test_addresses_are_compared_by_what_they_cover(
    before: list[str], after: list[str], added: tuple[str, ...], removed: tuple[str, ...]
) -> None:
    found = trust_difference(trusting(*before), trusting(*after), "prod")
    assert (found.users, found.added, found.removed) == (None, added, removed)


def test_who_is_trusted_is_a_user_in_an_account() -> None:
    user = f"arn:aws:iam::{ACCOUNT}:user/dataloop-acme-prod"
    moved = trust_difference(trusting(account_id=ACCOUNT), trusting(account_id=ACCOUNT, iam_path="/x/"), "prod")
    assert moved.users == (user, f"arn:aws:iam::{ACCOUNT}:user/x/dataloop-acme-prod")
    assert trust_difference(trusting(), trusting(account_id=ACCOUNT), "prod").users is None
    elsewhere = trust_difference(trusting(account_id=ACCOUNT), trusting(account_id="210987654321"), "prod")
    assert elsewhere.users == (user, user.replace(ACCOUNT, "210987654321"))
