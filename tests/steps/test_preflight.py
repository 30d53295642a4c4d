"""The preflight finds each problem before anything is made, alone and with others, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.dataloop.auth import TokenCredentials
from dataloop_sts.dataloop.transport import Retries
from dataloop_sts.preflight import PreflightRequest, preflight
from tests.steps.aws_world import World
from tests.steps.looking import known, look, place, problems


def test_a_world_in_which_all_is_free_has_no_problems_and_is_told_to_the_stack(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    findings = look(request_of())
    assert findings.problems == ()
    organization = world.call("GET", f"/orgs/{world.dataloop.org_id}").json()
    assert findings.world == str(organization["createdAt"])


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
    found = problems(request_of(drivers=(place(world, project_id=project_id),)))
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
    assert list(problems(request_of(buckets=()))) == ["drivers[].name"]
    elsewhere = place(world, project_id=world.dataloop.other_project_id)
    assert problems(request_of(drivers=(elsewhere,), buckets=())) == {}


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


def test_problems_of_both_sides_are_told_at_once(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    with world.preparing():
        connected = world.connect()
        world.register(connected, f"taken-{world.tag}")
    both = (place(world), place(world, project_id="nope"))
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
    request = request_of(user=connected.user, role=connected.role, policy=connected.user)
    assert len(problems(request)) == 6
    assert problems(known(world, request)) == {}


@pytest.mark.parametrize(
    ("kind", "former", "path"),
    [
        ("user", "former", "aws.names.user"),
        ("role", "former", "aws.names.role"),
        ("policy", "former", "aws.names.policy"),
        ("integration", "former", "integration.name"),
        ("buckets", ("former",), "drivers[].bucket.name"),
        ("drivers", (), "drivers[].name"),
    ],
)
def test_of_a_stack_that_knows_its_names_only_the_new_one_is_looked_for(
    kind: str, former: object, path: str, world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        connected = world.connect()
        world.register(connected)
    request = request_of(user=connected.user, role=connected.role, policy=connected.user)
    found = problems(known(world, request, **{kind: former}))
    assert [path for path, message in found.items() if "already" in message] == [path]


def test_a_sandbox_that_was_started_anew_is_told_with_the_mend_and_nothing_else(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.make_bucket()
    (problem,) = look(known(world, request_of(), buckets=(), world="1700000000000")).problems
    assert problem.path == ""
    assert "python -m sandbox reset" in problem.message


def test_the_same_sandbox_or_a_real_environment_is_not_taken_for_one_that_was_started_anew(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    assert problems(known(world, request_of(), world=look(request_of()).world)) == {}
    assert problems(known(world, request_of(sandbox=False), world="1700000000000")) == {}
