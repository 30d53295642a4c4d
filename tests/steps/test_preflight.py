"""The preflight finds each problem before anything is made, alone and together with others, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.dataloop.auth import TokenCredentials
from dataloop_sts.dataloop.transport import Retries
from dataloop_sts.preflight import ConnectionNames, Findings, PreflightRequest, preflight
from tests.steps.aws_world import REGION, World


@pytest.fixture
def request_of(world: World) -> Callable[..., PreflightRequest]:
    """What a new stack asks, with changes; those of names by their own keys."""
    names = ConnectionNames(
        user=f"user-{world.tag}",
        role=f"role-{world.tag}",
        policy=f"policy-{world.tag}",
        integration=f"integration-{world.tag}",
        buckets=(f"bucket-{world.tag}",),
        drivers=((world.dataloop.project_id, f"driver-{world.tag}"),),
    )
    whole = PreflightRequest(
        organization_id=world.dataloop.org_id,
        region=REGION,
        account_id=world.aws.account_id,
        names=names,
        known=None,
        world="",
        sandbox=True,
    )

    def make(**changes: Any) -> PreflightRequest:
        of_names = {key: changes.pop(key) for key in list(changes) if key in ConnectionNames.model_fields}
        return replace(whole, names=names.model_copy(update=of_names), **changes)

    return make


@pytest.fixture(autouse=True)
def _nothing_is_changed(world: World) -> Iterator[None]:
    yield
    assert [world.calls(method) for method in ("POST", "PATCH", "DELETE")] == [[], [], []]


def look(request: PreflightRequest) -> Findings:
    """Runs the preflight with the environment's client."""
    return preflight(request, DataloopClient.shared)


def problems(request: PreflightRequest) -> dict[str, str]:
    """The problems' messages by their paths."""
    found = look(request).problems
    assert len({problem.path for problem in found}) == len(found)
    return {problem.path: problem.message for problem in found}


def test_a_world_in_which_all_is_free_has_no_problems(request_of: Callable[..., PreflightRequest]) -> None:
    findings = look(request_of())
    assert findings.problems == ()
    assert findings.world


@pytest.mark.parametrize("account_id", [None, "123456789012"])
def test_the_account_is_looked_at_only_where_the_spec_names_one(
    account_id: str | None, request_of: Callable[..., PreflightRequest]
) -> None:
    assert problems(request_of(account_id=account_id)) == {}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DATALOOP_TOKEN": ""}, "DATALOOP_TOKEN"),
        ({"DATALOOP_TOKEN": "not-a-jwt"}, "DATALOOP_TOKEN"),
        ({"DATALOOP_TOKEN": "{expired}"}, "expired"),
        ({"DATALOOP_API_URL": "gate.dataloop.ai"}, "DATALOOP_API_URL"),
    ],
)
def test_a_token_or_an_address_that_cannot_be_used_is_told_once(
    environment: dict[str, str],
    says: str,
    world: World,
    request_of: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("{expired}", world.dataloop.expired_token))
    found = problems(request_of())
    assert list(found) == [""]
    assert says in found[""]
    assert world.dataloop.expired_token not in found[""]


@pytest.mark.parametrize("status", [403, 418])
def test_a_dataloop_that_refuses_is_told(
    status: int, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.fault("GET", "/users/me", status=status)
    found = problems(request_of())
    assert list(found) == ["Dataloop"]
    assert f"status {status}" in found["Dataloop"]


def test_a_member_who_is_not_the_organizations_owner_is_told_so(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_TOKEN", world.dataloop.non_owner_token)
    found = problems(request_of())
    assert list(found) == ["organization_id"]
    assert "only an owner may create integrations" in found["organization_id"]


@pytest.mark.parametrize(("organization_id", "says"), [("nope", "knows no organization nope"), ("{foreign}", "")])
def test_an_organization_that_is_unknown_or_somebody_elses_is_told(
    organization_id: str, says: str, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    organization_id = organization_id.replace("{foreign}", world.dataloop.foreign_org_id)
    found = problems(request_of(organization_id=organization_id))
    assert list(found) == ["organization_id"]
    assert organization_id in found["organization_id"]
    assert says in found["organization_id"]


@pytest.mark.parametrize("project_id", ["nope", "{foreign}"])
def test_a_project_that_is_unknown_or_somebody_elses_is_told(
    project_id: str, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    project_id = project_id.replace("{foreign}", world.dataloop.foreign_project_id)
    found = problems(request_of(drivers=((project_id, "d"),)))
    assert list(found) == ["drivers[].project_id"]
    assert project_id in found["drivers[].project_id"]


def test_an_integration_of_that_name_is_told(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    with world.preparing():
        world.register(world.connect(), f"taken-{world.tag}")
    found = problems(request_of(integration=f"taken-{world.tag}", buckets=(), drivers=()))
    assert list(found) == ["integration.name"]
    assert f"'taken-{world.tag}'" in found["integration.name"]


def test_a_driver_of_that_name_in_that_project_is_told(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        world.register(world.connect(), f"other-{world.tag}")
    taken = {"drivers": ((world.dataloop.project_id, f"driver-{world.tag}"),), "buckets": ()}
    assert list(problems(request_of(**taken))) == ["drivers[].name"]
    elsewhere = ((world.dataloop.other_project_id, f"driver-{world.tag}"),)
    assert problems(request_of(drivers=elsewhere, buckets=())) == {}


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
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.aws.other_account_access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.aws.other_account_secret_access_key)
    found = problems(request_of(account_id=None))
    assert list(found) == ["drivers[].bucket.name"]
    assert f"'bucket-{world.tag}' is taken, by another AWS account" in found["drivers[].bucket.name"]


def test_credentials_of_another_account_are_told_and_nothing_there_is_looked_at(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_bucket()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.aws.other_account_access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.aws.other_account_secret_access_key)
    found = problems(request_of())
    assert list(found) == ["aws.account_id"]
    assert world.aws.other_account_id in found["aws.account_id"]
    assert world.aws.account_id in found["aws.account_id"]


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


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_dataloop_that_does_not_answer_is_told_and_a_sandbox_with_how_to_start_it(
    sandbox: bool, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.fault("GET", "/users/me", drop="before", times=9)
    retries = Retries(sleep=lambda seconds: None)
    credentials = TokenCredentials(SecretStr(world.dataloop.token))
    client = DataloopClient(world.dataloop.api_url, credentials, retries=retries)
    (problem,) = preflight(request_of(sandbox=sandbox), lambda: client).problems
    assert problem.path == ("" if sandbox else "Dataloop")
    assert ("python -m sandbox up" in problem.message) is sandbox


def test_a_time_to_settle_that_makes_no_sense_is_told_before_anything_waits(
    request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "soon")
    assert "DATALOOP_STS_SETTLE_SECONDS" in problems(request_of())[""]


def test_credentials_that_may_not_look_are_told(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = world.connect(make_bucket=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", connected.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", connected.secret)
    found = problems(request_of())
    assert list(found) == ["AWS"]
    assert "AccessDenied" in found["AWS"]


def test_problems_of_both_sides_are_told_at_once(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    with world.preparing():
        connected = world.connect()
        world.register(connected, f"taken-{world.tag}")
    both = ((world.dataloop.project_id, f"driver-{world.tag}"), ("nope", "d"))
    found = problems(
        request_of(
            user=connected.user,
            role=connected.role,
            policy=connected.user,
            integration=f"taken-{world.tag}",
            drivers=both,
        )
    )
    assert set(found) == {
        "drivers[].name",
        "drivers[].project_id",
        "integration.name",
        "aws.names.user",
        "aws.names.role",
        "aws.names.policy",
        "drivers[].bucket.name",
    }


def test_a_broken_dataloop_does_not_hide_the_problems_of_aws(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_TOKEN", "")
    world.make_bucket()
    assert set(problems(request_of())) == {"", "drivers[].bucket.name"}


def test_what_the_stack_made_itself_is_not_looked_for(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        connected = world.connect()
        world.register(connected)
    own = {"user": connected.user, "role": connected.role, "policy": connected.user}
    request = request_of(**own)
    assert len(problems(request)) == 6
    assert problems(replace(request, known=request.names)) == {}


def test_a_name_that_is_new_in_the_spec_is_looked_for(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    bucket = world.make_bucket()
    known = request_of(buckets=("another-bucket",)).names
    assert list(problems(request_of(known=known, buckets=("another-bucket", bucket)))) == ["drivers[].bucket.name"]


def test_a_sandbox_that_was_started_anew_is_told_with_the_mend_and_nothing_else(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.make_bucket()
    found = look(request_of(world="1700000000000"))
    assert [problem.path for problem in found.problems] == [""]
    assert "python -m sandbox reset" in found.problems[0].message
    assert found.world != "1700000000000"


def test_the_same_sandbox_or_a_real_environment_is_not_taken_for_one_that_was_started_anew(
    request_of: Callable[..., PreflightRequest],
) -> None:
    assert problems(request_of(world=look(request_of()).world)) == {}
    assert problems(request_of(world="1700000000000", sandbox=False)) == {}
