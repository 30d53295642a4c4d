"""The preflight tells what a change of the spec would lose, before the change is made, unless this run confirms it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.preflight import PreflightRequest
from tests.steps.aws_world import World
from tests.steps.looking import known, place, problems

LEAVES = "leaves the spec"
MOVES = "moves to another bucket or folder"


@pytest.fixture
def driver_id(world: World, request_of: Callable[..., PreflightRequest]) -> str:
    """The driver of a whole connection, beside another one that a dataset uses."""
    with world.preparing():
        connected = world.connect()
        integration_id, made = world.register(connected)
        world.make_dataset(world.make_driver(integration_id, connected, f"other-{world.tag}"), f"other-{world.tag}")
    return made


@pytest.fixture(params=[(None, LEAVES), ({"name": "new"}, LEAVES), ({"path": "raw/"}, MOVES)])
def change(
    request: pytest.FixtureRequest, world: World, request_of: Callable[..., PreflightRequest]
) -> tuple[PreflightRequest, str]:
    """The driver as it was and as it is to be, and what that is in words; the bucket stays."""
    changes, what = request.param
    drivers = () if changes is None else (place(world, **changes),)
    return known(world, request_of(drivers=drivers), drivers=(place(world),)), what


def test_datasets_of_a_driver_that_goes_or_moves_are_told_unless_their_loss_is_confirmed(
    world: World, driver_id: str, change: tuple[PreflightRequest, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.preparing():
        world.make_dataset(driver_id, f"set-{world.tag}")
    request, what = change
    for value in ("", "1", f"{world.tag}x"):
        monkeypatch.setenv(CONFIRM_VARIABLE, value)
        found = problems(request)
        assert list(found) == ["drivers[]"]
        loss = f"driver 'driver-{world.tag}' is used by 1 dataset: set-{world.tag}, which would lose access"
        assert found["drivers[]"].startswith(loss)
        assert f"since the driver {what}." in found["drivers[]"]
        assert f"{CONFIRM_VARIABLE}={world.tag}" in found["drivers[]"]
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert problems(request) == {}


def test_a_driver_without_datasets_may_go_or_move(
    world: World, driver_id: str, change: tuple[PreflightRequest, str]
) -> None:
    assert problems(change[0]) == {}


def test_a_driver_that_is_renamed_keeps_its_datasets_and_one_that_moves_with_a_new_name_does_not(
    world: World, driver_id: str, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        world.make_dataset(driver_id, f"set-{world.tag}")
    renamed = place(world, name="new", former_name=f"driver-{world.tag}")
    assert problems(known(world, request_of(drivers=(renamed,)), drivers=(place(world),))) == {}
    assert problems(known(world, request_of(drivers=(renamed,)), drivers=(renamed,))) == {}
    moved = place(world, name="new", former_name=f"driver-{world.tag}", path="raw/")
    assert list(problems(known(world, request_of(drivers=(moved,)), drivers=(place(world),)))) == ["drivers[]"]
    taken = place(world, name=f"other-{world.tag}", former_name=f"driver-{world.tag}")
    assert list(problems(known(world, request_of(drivers=(taken,)), drivers=(place(world),)))) == ["drivers[].name"]


def test_a_driver_that_stays_is_not_asked_for_its_datasets(
    world: World, driver_id: str, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        world.make_dataset(driver_id, f"set-{world.tag}")
    assert problems(known(world, request_of())) == {}
    assert "/datasets/query" not in world.calls("POST")


def test_a_driver_that_was_renamed_in_the_console_is_found_by_its_place(
    world: World, driver_id: str, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        world.make_dataset(driver_id, f"set-{world.tag}")
        world.call("PATCH", f"/drivers/{driver_id}", json={"name": f"renamed-{world.tag}", "payload": {}})
    other = place(world, name=f"other-{world.tag}")
    found = problems(known(world, request_of(drivers=(other,)), drivers=(place(world), other)))
    assert list(found) == ["drivers[]"]
    assert f"driver 'renamed-{world.tag}' is used by 1 dataset: set-{world.tag}, which" in found["drivers[]"]


def test_a_driver_of_another_integration_is_not_taken_for_one_that_goes(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    with world.preparing():
        connected = world.connect()
        foreign = world.client.create_integration(world.dataloop.org_id, f"foreign-{world.tag}", connected.credentials)
        driver = world.make_driver(foreign.id, connected, f"foreign-driver-{world.tag}")
        world.make_dataset(driver, f"set-{world.tag}")
    assert problems(known(world, request_of(drivers=()), drivers=(place(world),))) == {}


def test_a_driver_may_go_with_its_project(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    gone = place(world, project_id="gone")
    assert problems(known(world, request_of(), drivers=(gone, place(world)))) == {}


def test_datasets_that_may_not_be_looked_at_are_not_taken_for_none(
    world: World, driver_id: str, change: tuple[PreflightRequest, str]
) -> None:
    world.fault("POST", "/datasets/query", status=403)
    assert list(problems(change[0])) == ["Dataloop"]


def leaving(world: World, request_of: Callable[..., PreflightRequest], **of_then: Any) -> PreflightRequest:
    """The test's bucket leaves the spec, with its driver of the folder raw/."""
    former = place(world, path="raw/")
    return known(world, request_of(buckets=(), drivers=()), buckets=(former.bucket,), drivers=(former,), **of_then)


def test_objects_in_a_bucket_that_leaves_and_is_to_be_deleted_are_told_unless_their_loss_is_confirmed(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    world.put("raw/a", "b", "raw/test-file")
    request = leaving(world, request_of)
    for value in ("", "1", f"{world.tag}x"):
        monkeypatch.setenv(CONFIRM_VARIABLE, value)
        found = problems(request)
        assert list(found) == ["drivers[].bucket.name"]
        assert f"bucket {bucket} would be deleted and holds 2 objects: b, raw/a." in found["drivers[].bucket.name"]
        assert f"{CONFIRM_VARIABLE}={world.tag}" in found["drivers[].bucket.name"]
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert problems(request) == {}
    assert world.keys(bucket) == ["b", "raw/a", "raw/test-file"]


@pytest.mark.parametrize("keys", [(), ("test-file", "raw/test-file", "raw/.dataloop/x")])
def test_an_empty_bucket_may_leave(
    keys: tuple[str, ...], world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.make_bucket()
    world.put(*keys)
    assert problems(leaving(world, request_of)) == {}


def test_a_bucket_that_is_gone_already_may_leave(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    assert problems(leaving(world, request_of)) == {}


def test_a_bucket_that_is_retained_may_leave_whatever_it_holds(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    world.make_bucket()
    world.put("a")
    assert problems(leaving(world, request_of, on_destroy="retain")) == {}


def test_a_bucket_whose_end_is_to_be_refused_does_not_leave_whatever_is_confirmed(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    found = problems(leaving(world, request_of, on_destroy="refuse"))
    assert list(found) == ["on_destroy"]
    assert bucket in found["on_destroy"]


def test_a_bucket_that_stays_is_not_looked_into(world: World, request_of: Callable[..., PreflightRequest]) -> None:
    world.make_bucket()
    world.put("a")
    for on_destroy in ("delete", "refuse", "retain"):
        assert problems(known(world, request_of(), on_destroy=on_destroy)) == {}


def test_a_bucket_that_may_not_be_looked_into_is_not_taken_for_an_empty_one(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = world.connect()
    request = leaving(world, request_of)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", connected.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", connected.secret)
    found = problems(request)
    assert list(found) == ["AWS"]
    assert f"list the objects of bucket {connected.bucket}: AccessDenied" in found["AWS"]


def test_a_probe_in_a_folder_that_a_driver_once_had_is_not_the_customers(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    bucket = world.make_bucket()
    world.put("old/test-file", "old/.dataloop/x", "raw/test-file")
    assert problems(leaving(world, request_of, folders={bucket: ["old/"]})) == {}
    assert (
        "holds 2 objects: old/.dataloop/x, old/test-file."
        in problems(leaving(world, request_of))["drivers[].bucket.name"]
    )
