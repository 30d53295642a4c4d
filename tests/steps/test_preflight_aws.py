"""What the preflight finds in AWS: whose credentials these are, what they reach, and which names are taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataloop_sts.preflight import PreflightRequest
from tests.steps.aws_world import World
from tests.steps.looking import known, look, problems


@pytest.mark.parametrize("account_id", [None, "123456789012"])
def test_the_account_is_any_or_the_specs_and_is_told_to_the_stack(
    account_id: str | None, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    findings = look(request_of(account_id=account_id))
    assert (findings.problems, findings.account_id) == ((), world.aws.account_id)


@pytest.mark.parametrize("kind", ["user", "role", "policy"])
def test_an_iam_name_that_is_taken_is_told(
    kind: str, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    connected = world.connect()
    found = problems(request_of(buckets=(), **{kind: connected.user}))  # all three have the same name
    assert list(found) == [f"aws.names.{kind}"]
    assert f"IAM {kind} named '{connected.user}'" in found[f"aws.names.{kind}"]


def test_a_bucket_of_ones_own_account_is_told(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    bucket = world.make_bucket()
    found = problems(request_of())
    assert list(found) == ["drivers[].bucket.name"]
    assert f"The account has a bucket '{bucket}' already" in found["drivers[].bucket.name"]


def test_a_bucket_of_another_account_is_told(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_bucket()
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    found = problems(request_of(account_id=None))
    assert list(found) == ["drivers[].bucket.name"]
    assert f"'bucket-{world.tag}' is taken, by another AWS account" in found["drivers[].bucket.name"]


def test_credentials_of_another_account_are_told_and_nothing_there_is_looked_at(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_bucket()
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    found = problems(request_of())
    assert list(found) == ["aws.account_id"]
    assert world.aws.other_account_id in found["aws.account_id"]
    assert world.aws.account_id in found["aws.account_id"]


def test_credentials_of_another_account_than_the_stacks_are_told_and_nothing_there_is_looked_at(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_bucket()
    request = known(world, request_of(account_id=None), buckets=(), region="us-east-1")
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    found = look(request)
    assert [problem.path for problem in found.problems] == ["AWS credentials"]
    said = found.problems[0].message
    assert f"of account {world.aws.other_account_id}, this stack's resources are in {world.aws.account_id}" in said


def test_another_region_than_the_stacks_is_told_and_nothing_there_is_looked_at(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.make_bucket()
    found = problems(known(world, request_of(region="us-east-1"), buckets=()))
    assert list(found) == ["aws.region"]
    assert "This stack's buckets are in eu-west-1 and cannot move to us-east-1" in found["aws.region"]


@pytest.mark.parametrize("bucket_is", ["other", "same"])
def test_a_stack_that_stays_where_it_was_has_no_problems(
    bucket_is: str, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    former = {"buckets": ("former",)} if bucket_is == "other" else {}
    findings = look(known(world, request_of(), **former))
    assert (findings.problems, findings.account_id) == ((), world.aws.account_id)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials found"),
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "Correct or renew the AWS credentials of this shell"),
        ({"AWS_SECRET_ACCESS_KEY": "x" * 40}, "Correct or renew the AWS credentials of this shell"),
    ],
)
def test_aws_credentials_that_are_missing_or_wrong_are_told(
    environment: dict[str, str],
    says: str,
    request_of: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    found = problems(request_of())
    assert list(found) == ["AWS credentials"]
    assert says in found["AWS credentials"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "127.0.0.1"}, "AWS_ENDPOINT_URL"),
        ({"AWS_PROFILE": "no-such-profile"}, "no-such-profile"),
    ],
)
def test_aws_settings_that_lead_nowhere_are_told(
    environment: dict[str, str],
    says: str,
    request_of: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = problems(request_of())
    assert list(found) == ["AWS"]
    assert says in found["AWS"]


def test_credentials_that_may_not_look_are_told(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = world.connect(make_bucket=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", connected.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", connected.secret)
    found = problems(request_of())
    assert list(found) == ["AWS"]
    assert "AccessDenied" in found["AWS"]
