"""The role may do just what the connection needs: for every combination, out of everything that could be asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataloop_sts import policies
from sandbox.aws.evaluator import Access, Policies, evaluate
from sandbox.aws.principals import Principal
from tests.least_privilege.combinations import ACCOUNT, BUCKET, REGIONS, Combination, Grant
from tests.least_privilege.conftest import Made
from tests.least_privilege.reference import allowed
from tests.least_privilege.requests import Request, actions, requests
from tests.least_privilege.wanted import wanted

PAGE = Path(__file__).resolve().parents[2] / "docs" / "least-privilege.md"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/dataloop-acme-dev"
SESSION = Principal(
    "session", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/dataloop-acme-dev/s", ROLE, "AROAROLE", "AROAROLE:s"
)
OF_A_CONNECTION = (
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "kms:Decrypt",
    "kms:GenerateDataKey",
)
RICH = (
    (Grant(BUCKET, "raw/", True), Grant(f"{BUCKET}-2", "", False)),
    ((BUCKET, "one"), (f"{BUCKET}-2", "two")),
)


def in_the_sandbox(request: Request, *identity: policies.Document, **of: policies.Document) -> bool:
    """What the sandbox's evaluator says to a session of the role."""
    context = {key: (value,) for key, value in request.context}
    access = Access(SESSION, request.action, request.resource, ACCOUNT, context)
    return evaluate(access, Policies(identity, **of)).allowed


def test_each_combination_allows_what_is_wanted_and_nothing_else(documents: list[Made]) -> None:
    missing: list[tuple[Combination, Request]] = []
    over: list[tuple[Combination, Request]] = []
    number = asked = may = 0
    for made in documents:
        region = made.combinations[0].region
        found = allowed(requests(region), made.document)
        for combination in made.combinations:
            right = wanted(combination, requests(region))
            missing += [(combination, request) for request in right - found]
            over += [(combination, request) for request in found - right]
            number, may = number + 1, may + len(right)
            asked += sum(map(len, requests(region).values()))
    assert (missing, over) == ([], [])
    documented = f"{number:,} combinations, {len(documents)} different documents"
    print(  # noqa: T201 - shown by pytest -s
        f"\n{documented}, {len(actions())} actions, {asked:,} requests, of which {may:,} are allowed: 0 missing, 0 over"
    )
    assert documented in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_the_sandboxs_evaluator_comes_to_the_same(documents: list[Made]) -> None:
    for made in documents[::12]:  # some 40 ms each
        combination = made.combinations[0]
        asked = requests(combination.region)
        found = {each for action in OF_A_CONNECTION for each in asked[action] if in_the_sandbox(each, made.document)}
        assert found == wanted(combination, asked)


@pytest.mark.parametrize("region", REGIONS)
def test_the_sandboxs_evaluator_comes_to_the_same_for_everything_that_can_be_asked(region: str) -> None:
    combination = Combination(region, *RICH, existing=False)
    document = policies.permission_document(combination.spec())
    everything = [request for of_action in requests(region).values() for request in of_action]
    assert {request for request in everything if in_the_sandbox(request, document)} == wanted(
        combination, requests(region)
    )


def _without_condition(statement: dict[str, Any]) -> None:
    statement.pop("Condition", None)


def _wider(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(statement: dict[str, Any]) -> None:
        for element in ("Action", "Resource"):
            statement[element] = [text.replace(old, new) for text in statement[element]]
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                keys[key] = [value.replace(old, new) for value in ([values] if isinstance(values, str) else values)]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _without_condition,
        _wider("raw/*", "raw*"),
        _wider("raw/*", "*"),
        _wider("raw/*", "raw/"),
        _wider("raw/", "Raw/"),
        _wider("dataloop-acme", "dataloop-acme*"),
        _wider("dataloop-acme-2/", "dataloop-acme*/"),
        _wider("GetObject", "*"),
        _wider("GetObject", "GetObject*"),
        _wider("DeleteObject", "DeleteObjectVersion"),
        _wider("ListBucket", "ListBucketVersions"),
        _wider("Decrypt", "Encrypt"),
        _wider("key/one", "key/*"),
        _wider("eu-west-1", "*"),
        _wider("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_the_table_sees_a_document_that_allows_more_or_less(change: Callable[[dict[str, Any]], None]) -> None:
    combination = Combination("eu-west-1", *RICH, existing=False)
    document = copy.deepcopy(policies.permission_document(combination.spec()))
    for statement in document["Statement"]:
        change(statement)
    assert allowed(requests("eu-west-1"), document) != wanted(combination, requests("eu-west-1"))


def test_a_boundary_takes_away_what_it_leaves_out_and_adds_nothing() -> None:
    combination = Combination("eu-west-1", *RICH, existing=False)
    document, asked = policies.permission_document(combination.spec()), requests("eu-west-1")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    only_s3 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    right = wanted(combination, asked)
    for boundary, expected in (
        (everything, right),
        (document, right),
        (only_s3, {request for request in right if request.action.startswith("s3:")}),
    ):
        assert allowed(asked, document, boundary=boundary) == expected
        candidates = [request for action in OF_A_CONNECTION for request in asked[action]]
        assert {each for each in candidates if in_the_sandbox(each, document, boundary=boundary)} == expected


@pytest.mark.parametrize("region", REGIONS)
def test_a_buckets_policy_refuses_everything_without_tls_and_grants_nothing(region: str) -> None:
    partition = REGIONS[region]
    bucket = f"arn:{partition}:s3:::{BUCKET}"
    policy = policies.bucket_document(partition, BUCKET)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    nothing: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
    of_bucket = [
        request
        for of_action in requests(region).values()
        for request in of_action
        if request.resource == bucket or request.resource.startswith(f"{bucket}/")
    ]
    assert len({request.action for request in of_bucket}) > 70
    for tls in ("true", "false"):
        asked = {
            request.action: tuple(
                Request(each.action, each.resource, (*each.context, ("aws:securetransport", tls)))
                for each in of_bucket
                if each.action == request.action
            )
            for request in of_bucket
        }
        whole = {request for of_action in asked.values() for request in of_action}
        assert allowed(asked, everything, bucket_policy=policy) == (whole if tls == "true" else set())
        assert allowed(asked, nothing, bucket_policy=policy) == set()
        some = [request for request in whole if request.resource in (bucket, f"{bucket}/raw/a")]
        assert {in_the_sandbox(request, everything, resource=policy) for request in some} == {tls == "true"}
        assert {in_the_sandbox(request, resource=policy) for request in some} == {False}
