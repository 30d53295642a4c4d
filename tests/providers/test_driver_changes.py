"""The storage driver's provider tells differences, changes in place with a way back, and deletes with care."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import Unknown

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import Conflict, DataloopStsError, Forbidden, NotAuthenticated, UnexpectedAnswer
from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.providers.storage_driver import StorageDriverProvider
from tests.providers.integrations import drivers_named
from tests.steps.aws_world import Connected, World

PROVIDER = StorageDriverProvider()


@pytest.fixture
def made(driver_props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A driver's id and outputs."""
    result = PROVIDER.create(driver_props)
    return result.id, result.outs


def test_check_passes_inputs_on_as_they_are(driver_props: dict[str, Any]) -> None:
    news = {**driver_props, "integration_id": Unknown()}
    result = PROVIDER.check({}, news)
    assert (result.inputs, result.failures) == (news, [])


def test_nothing_changed_is_no_difference_and_no_call(
    world: World, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    world.clear_faults()
    result = PROVIDER.diff(*made, driver_props)
    assert (result.changes, result.replaces, result.delete_before_replace) == (False, [], True)
    assert world.calls() == []


@pytest.mark.parametrize("name", ["name", "path", "allow_delete", "integration_id", "customer"])
def test_what_the_platform_can_change_is_an_update_in_place(
    name: str, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    for value in ("other", Unknown()):
        result = PROVIDER.diff(*made, {**driver_props, name: value})
        assert (result.changes, result.replaces) == (True, [])


@pytest.mark.parametrize("name", ["project_id", "bucket", "region"])
def test_what_it_cannot_is_a_replacement_once_it_is_known(
    name: str, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    known = PROVIDER.diff(*made, {**driver_props, name: "other"})
    assert (known.changes, known.replaces, known.delete_before_replace) == (True, [name], True)
    unknown = PROVIDER.diff(*made, {**driver_props, name: Unknown()})
    assert (unknown.changes, unknown.replaces) == (True, [])


@pytest.mark.parametrize("change", [{"path": "raw/"}, {"allow_delete": True}, {"name": "renamed-{tag}"}])
def test_update_changes_the_driver_in_place_and_tests_it(
    change: dict[str, Any],
    world: World,
    made: tuple[str, dict[str, Any]],
    driver_props: dict[str, Any],
    connected: Connected,
) -> None:
    world.also_grant(connected.role, "s3:DeleteObject", "*")
    change = {key: v.replace("{tag}", world.tag) if isinstance(v, str) else v for key, v in change.items()}
    world.clear_faults()
    updated = PROVIDER.update(*made, {**driver_props, **change})
    live = world.client.driver(made[0])
    assert {key: getattr(live, key) for key in change} == change
    assert {key: updated.outs[key] for key in change} == change
    assert set(updated.outs) == set(made[1])
    assert f"/drivers/{made[0]}/test" in world.calls("GET")
    assert PROVIDER.diff(made[0], updated.outs, {**driver_props, **change}).changes is False


def test_a_change_that_makes_the_test_fail_is_taken_back(
    world: World, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    with pytest.raises(DataloopStsError, match=r"DeleteObject.*AccessDenied.*The driver was changed back"):
        PROVIDER.update(*made, {**driver_props, "allow_delete": True})
    assert world.client.driver(made[0]).allow_delete is False
    world.client.test_driver(made[0])


def test_a_change_that_the_platform_accepts_but_does_not_make_is_an_error(
    made: tuple[str, dict[str, Any]], driver_props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # no fault of the emulator does that: an answer of 200 with the driver as it was
    monkeypatch.setattr(DataloopClient, "update_driver", lambda client, id_, **changes: client.driver(id_))
    with pytest.raises(DataloopStsError, match="was updated, but kept the old path, allow_delete"):
        PROVIDER.update(*made, {**driver_props, "path": "raw/", "allow_delete": True})


def test_update_of_one_that_was_deleted_elsewhere_tells_what_to_run(
    world: World, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    world.client.delete_driver(made[0])
    with pytest.raises(DataloopStsError, match="pulumi up --refresh"):
        PROVIDER.update(*made, {**driver_props, "path": "raw/"})


def test_a_driver_moves_to_another_integration_in_place(
    world: World, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any], connected: Connected
) -> None:
    other = world.client.create_integration(world.dataloop.org_id, f"other-{world.tag}", connected.credentials)
    PROVIDER.update(*made, {**driver_props, "integration_id": other.id})
    assert world.client.driver(made[0]).integration_id == other.id
    assert world.client.driver_count(driver_props["integration_id"]) == 0


def test_read_of_an_unchanged_driver_is_what_is_in_the_state(made: tuple[str, dict[str, Any]]) -> None:
    read = PROVIDER.read(*made)
    assert (read.id, read.outs) == made


def test_read_shows_what_somebody_else_changed_and_the_next_update_mends_it(
    world: World, made: tuple[str, dict[str, Any]], driver_props: dict[str, Any]
) -> None:
    world.client.update_driver(made[0], name=f"theirs-{world.tag}", path="raw/", allow_delete=True)
    read = PROVIDER.read(*made)
    assert {k: read.outs[k] for k in ("name", "path", "allow_delete")} == {
        "name": f"theirs-{world.tag}",
        "path": "raw/",
        "allow_delete": True,
    }
    assert PROVIDER.diff(made[0], read.outs, driver_props).changes
    PROVIDER.update(made[0], read.outs, driver_props)
    assert PROVIDER.read(*made).outs == made[1]


def test_one_that_is_gone_is_read_as_gone_and_deleted_without_complaint(
    world: World, made: tuple[str, dict[str, Any]]
) -> None:
    world.client.delete_driver(made[0])
    read = PROVIDER.read(*made)
    assert (read.id, read.outs) == ("", {})
    PROVIDER.delete(*made)


@pytest.mark.parametrize(("status", "error"), [(401, NotAuthenticated), (403, Forbidden)])
def test_a_refusal_is_never_taken_for_gone(
    status: int, error: type[DataloopStsError], world: World, made: tuple[str, dict[str, Any]]
) -> None:
    world.fault("GET", f"/drivers/{made[0]}", status=status)
    with pytest.raises(error):
        PROVIDER.read(*made)
    world.fault("POST", "/datasets/query", status=status)
    with pytest.raises(error):
        PROVIDER.delete(*made)
    assert drivers_named(world, made[1]["name"]) == [made[0]]


def test_one_whose_datasets_get_no_answer_is_not_taken_for_one_without_any(
    world: World, made: tuple[str, dict[str, Any]]
) -> None:
    world.fault("POST", "/datasets/query", status=404)
    with pytest.raises(
        UnexpectedAnswer, match=f"knows driver 'driver-{world.tag}', but gives no answer for its datasets"
    ):
        PROVIDER.delete(*made)
    assert drivers_named(world, made[1]["name"]) == [made[0]]


def test_one_that_datasets_use_is_deleted_only_where_the_customer_is_named(
    world: World, made: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_dataset(made[0], f"set-{world.tag}")
    for value in ("", "someone-else"):
        monkeypatch.setenv(CONFIRM_VARIABLE, value)
        with pytest.raises(
            Conflict,
            match=f"^Driver 'driver-{world.tag}' is used by 1 dataset: set-{world.tag}.*{CONFIRM_VARIABLE}={world.tag}",
        ):
            PROVIDER.delete(*made)
    assert drivers_named(world, made[1]["name"]) == [made[0]]
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    PROVIDER.delete(*made)
    assert drivers_named(world, made[1]["name"]) == []


def test_a_lost_answer_of_the_deletion_is_no_error(world: World, made: tuple[str, dict[str, Any]]) -> None:
    world.fault("DELETE", "/drivers/", drop="after")
    PROVIDER.delete(*made)
    assert drivers_named(world, made[1]["name"]) == []
