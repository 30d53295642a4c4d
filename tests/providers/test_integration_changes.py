"""The integration's provider tells differences, updates with a way back, and deletes only what nobody uses."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import Unknown

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import Conflict, DataloopStsError, Forbidden, NotAuthenticated
from dataloop_sts.providers.integration import IntegrationProvider
from tests.providers.integrations import add_driver, named, second_key, when_writing
from tests.steps.aws_world import Connected, World

PROVIDER = IntegrationProvider()


@pytest.mark.parametrize(
    ("old", "new", "accepted"), [(1.0, 1.0, True), (1.0, 2.0, True), (2.0, 1.0, False), (1.0, 3.0, False)]
)
def test_a_generation_may_stay_or_go_on_by_one(old: float, new: float, accepted: bool, props: dict[str, Any]) -> None:
    result = PROVIDER.check({**props, "generation": old}, {**props, "generation": new})
    assert [bool(failure.reason) for failure in result.failures] == ([] if accepted else [True])
    if not accepted:
        assert f"the last applied generation is {old:.0f}" in result.failures[0].reason


def test_a_first_check_accepts_any_generation_and_unknown_inputs(props: dict[str, Any]) -> None:
    news = {**props, "generation": 7.0, "access_key_id": Unknown(), "role_arn": Unknown()}
    assert PROVIDER.check({}, news).failures == []


def test_nothing_changed_is_no_difference(props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    result = PROVIDER.diff(made.id, made.outs, props)
    assert (result.changes, result.replaces, result.delete_before_replace) == (False, [], False)


@pytest.mark.parametrize("name", ["name", "access_key_id", "secret_access_key", "role_arn", "generation"])
def test_a_changed_or_unknown_input_is_an_update_in_place(name: str, props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    for value in ("other", Unknown()):
        result = PROVIDER.diff(made.id, made.outs, {**props, name: value})
        assert (result.changes, result.replaces) == (True, [])


def test_another_organization_is_a_replacement_but_an_unknown_one_is_not(props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    assert PROVIDER.diff(made.id, made.outs, {**props, "organization_id": "other"}).replaces == ["organization_id"]
    assert PROVIDER.diff(made.id, made.outs, {**props, "organization_id": Unknown()}).replaces == []


def test_one_that_is_gone_is_made_anew_and_read_as_gone(world: World, props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    world.client.delete_integration(world.dataloop.org_id, made.id)
    assert PROVIDER.diff(made.id, made.outs, props).replaces == ["name"]
    read = PROVIDER.read(made.id, made.outs)
    assert (read.id, read.outs) == ("", {})
    PROVIDER.delete(made.id, made.outs)  # succeeds


@pytest.mark.parametrize(("status", "error"), [(401, NotAuthenticated), (403, Forbidden)])
def test_a_refusal_is_never_taken_for_gone(
    status: int, error: type[DataloopStsError], world: World, props: dict[str, Any]
) -> None:
    made = PROVIDER.create(props)
    for call in (
        lambda: PROVIDER.read(made.id, made.outs),
        lambda: PROVIDER.diff(made.id, made.outs, props),
        lambda: PROVIDER.delete(made.id, made.outs),
    ):
        world.clear_faults()
        world.fault("GET", "/(integrations/|drivers)", status=status, times=3)
        with pytest.raises(error):
            call()
    world.clear_faults()
    assert named(world) == [made.id]


def test_a_write_by_somebody_else_is_seen_and_mended_by_writing_our_credentials(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    driver_id = add_driver(world, made.id, connected)
    theirs = connected.credentials.model_copy(update={"role_arn": "arn:aws:iam::123456789012:role/theirs"})
    world.client.update_integration(world.dataloop.org_id, made.id, credentials=theirs)
    assert PROVIDER.diff(made.id, made.outs, props).changes
    read = PROVIDER.read(made.id, made.outs)
    assert read.outs["changed_outside_at"]
    assert PROVIDER.diff(made.id, read.outs, props).changes
    updated = PROVIDER.update(made.id, read.outs, props)
    world.client.test_driver(driver_id)
    assert not PROVIDER.diff(made.id, updated.outs, props).changes


def test_a_rename_by_somebody_else_is_read(world: World, props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    assert PROVIDER.read(made.id, made.outs).outs == made.outs
    world.client.update_integration(world.dataloop.org_id, made.id, name=f"renamed-{world.tag}")
    assert PROVIDER.read(made.id, made.outs).outs["name"] == f"renamed-{world.tag}"


def test_update_writes_a_new_key_and_tests_every_driver_with_it(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    drivers = [world.make_driver(made.id, connected, f"d{n}-{world.tag}") for n in range(2)]
    world.clear_faults()
    news = {**props, **second_key(world, connected), "generation": 2.0}
    updated = PROVIDER.update(made.id, made.outs, news)
    assert {f"/drivers/{id_}/test" for id_ in drivers} <= set(world.calls("GET"))
    assert updated.outs["access_key_id"] == news["access_key_id"]
    assert updated.outs["generation"] == 2
    assert updated.outs["updated_at"] != made.outs["updated_at"]
    world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)
    world.client.test_driver(drivers[0])  # the old key is used no more


def test_a_new_key_that_does_not_work_is_taken_back_and_the_old_one_goes_on(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    driver_id = add_driver(world, made.id, connected)
    wrong = {**props, **second_key(world, connected), "secret_access_key": "wrong" * 8, "generation": 2.0}
    with pytest.raises(DataloopStsError, match="The former credentials were put back; their key stays") as caught:
        PROVIDER.update(made.id, made.outs, wrong)
    assert "SignatureDoesNotMatch" in str(caught.value)
    assert "wrong" * 8 not in str(caught.value)
    assert len(world.calls("PATCH")) == 2
    world.client.test_driver(driver_id)
    assert PROVIDER.diff(made.id, made.outs, props).changes  # and the next run looks again


def test_a_test_that_fails_with_unchanged_credentials_is_no_reason_to_write_them_twice(
    world: World, props: dict[str, Any], connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PROVIDER.create(props)
    add_driver(world, made.id, connected)
    broken = {"RoleName": connected.role, "PolicyArn": connected.policy_arn}
    when_writing(monkeypatch, lambda: world.iam.detach_role_policy(**broken))
    with pytest.raises(DataloopStsError, match="AccessDenied"):
        PROVIDER.update(made.id, made.outs, {**props, "name": f"renamed-{world.tag}"})
    assert len(world.calls("PATCH")) == 1


def test_a_driver_that_failed_before_the_update_is_no_sign_against_the_new_key(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    broken = world.make_driver(made.id, connected, f"broken-{world.tag}", bucket=f"none-{world.tag}")
    working = add_driver(world, made.id, connected)
    world.clear_faults()
    news = {**props, **second_key(world, connected), "generation": 2.0}
    updated = PROVIDER.update(made.id, made.outs, news)
    assert updated.outs["access_key_id"] == news["access_key_id"]
    assert len(world.calls("PATCH")) == 1
    tests = [path for path in world.calls("GET") if path.endswith("/test")]
    assert [tests.count(f"/drivers/{id_}/test") for id_ in (broken, working)] == [1, 2]


def test_a_driver_that_worked_before_the_update_and_fails_after_it_takes_the_key_back_beside_a_broken_one(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    world.make_driver(made.id, connected, f"broken-{world.tag}", bucket=f"none-{world.tag}")
    working = add_driver(world, made.id, connected)
    wrong = {**props, **second_key(world, connected), "secret_access_key": "wrong" * 8, "generation": 2.0}
    world.clear_faults()
    with pytest.raises(DataloopStsError, match=f"driver {working}.*The former credentials were put back"):
        PROVIDER.update(made.id, made.outs, wrong)
    assert len(world.calls("PATCH")) == 2
    world.client.test_driver(working)


def test_a_test_that_passes_late_is_waited_for(
    world: World, props: dict[str, Any], connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PROVIDER.create(props)
    add_driver(world, made.id, connected)
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "20")
    when_writing(monkeypatch, lambda: world.fault("GET", "/drivers/.*/test", status=422, times=2))
    PROVIDER.update(made.id, made.outs, {**props, **second_key(world, connected), "generation": 2.0})
    assert len(world.calls("PATCH")) == 1
    assert len([path for path in world.calls("GET") if path.endswith("/test")]) == 4


def test_one_that_drivers_use_is_not_deleted_and_they_are_named(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    driver_id = add_driver(world, made.id, connected)
    with pytest.raises(Conflict, match=f"still used by 1 driver.*driver-{world.tag}"):
        PROVIDER.delete(made.id, made.outs)
    assert named(world) == [made.id]
    world.client.delete_driver(driver_id)
    PROVIDER.delete(made.id, made.outs)
    assert named(world) == []


def test_one_that_drivers_use_is_not_deleted_though_the_token_may_not_see_them(
    world: World, props: dict[str, Any], connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PROVIDER.create(props)
    for number in range(2):
        world.make_driver(made.id, connected, f"d{number}-{world.tag}")
    # the emulator's users see every driver of their organization
    monkeypatch.setattr(DataloopClient, "drivers", lambda client, **of: [])
    with pytest.raises(Conflict, match="still used by 2 drivers that the token's user may not see"):
        PROVIDER.delete(made.id, made.outs)
    assert named(world) == [made.id]


def test_a_lost_answer_of_the_deletion_is_no_error(world: World, props: dict[str, Any]) -> None:
    made = PROVIDER.create(props)
    world.fault("DELETE", "/integrations/", drop="after")
    PROVIDER.delete(made.id, made.outs)
    assert named(world) == []


def test_no_error_of_a_write_shows_the_secret(world: World, props: dict[str, Any], connected: Connected) -> None:
    made = PROVIDER.create(props)
    world.fault("PATCH", "/integrations", status=400)
    with pytest.raises(DataloopStsError) as caught:
        PROVIDER.update(made.id, made.outs, props)
    assert connected.secret not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_unexpected_failure_is_one_line_too(props: dict[str, Any]) -> None:
    with pytest.raises(DataloopStsError, match=r"Unexpected KeyError in IntegrationProvider\.create"):
        PROVIDER.create({key: value for key, value in props.items() if key != "role_arn"})


def test_a_platform_that_tells_no_time_of_writing_is_not_written_to_at_every_run(
    props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # the emulator always tells it; the vendor's documents do not promise it
    get = DataloopClient.integration
    monkeypatch.setattr(DataloopClient, "integration", lambda *of: get(*of).model_copy(update={"updated_at": None}))
    made = PROVIDER.create(props)
    assert PROVIDER.diff(made.id, made.outs, props).changes is False
    assert PROVIDER.read(made.id, made.outs).outs == made.outs
