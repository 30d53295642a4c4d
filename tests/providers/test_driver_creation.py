"""The storage driver's provider creates exactly one that works, and leaves none that does not."""

from __future__ import annotations

from typing import Any

import pytest

from dataloop_sts.dataloop import DataloopClient, StsCredentials
from dataloop_sts.errors import Conflict, DataloopStsError, DriverTestFailed, NotFound
from dataloop_sts.providers.storage_driver import StorageDriver, StorageDriverProvider
from tests.providers.integrations import drivers_named
from tests.steps.aws_world import Connected, World

PROVIDER = StorageDriverProvider()


def test_create_tests_makes_and_tests_again(world: World, driver_props: dict[str, Any]) -> None:
    world.clear_faults()
    made = PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == [made.id]
    assert {key: made.outs[key] for key in driver_props} == driver_props
    assert made.outs["creator"] == world.client.me().email
    calls = world.calls()
    order = [calls.index(path) for path in ("/drivers/test", f"/drivers/{made.id}/test")]
    assert order == sorted(order)
    assert world.calls("POST") == ["/drivers/test", "/drivers"]


@pytest.mark.parametrize("allow_delete", [True, False])
@pytest.mark.parametrize("prefix", [None, "raw/images"])
def test_the_driver_on_the_platform_is_what_was_asked_for(allow_delete: bool, prefix: str | None, world: World) -> None:
    connected = world.connect(prefix=prefix, allow_delete=allow_delete)
    integration = world.client.create_integration(world.dataloop.org_id, world.tag, connected.credentials)
    driver = connected.spec.drivers[0]
    made = PROVIDER.create(
        {
            "customer": world.tag,
            "name": driver.name,
            "project_id": driver.project_id,
            "integration_id": integration.id,
            "bucket": driver.bucket_name,
            "region": "eu-west-1",
            "path": driver.prefix or "",
            "allow_delete": driver.allow_delete,
        }
    )
    live = world.client.driver(made.id)
    assert (live.allow_delete, live.path, live.bucket) == (allow_delete, driver.prefix or "", driver.bucket_name)
    assert (live.type, live.integration_type, live.region) == ("s3", "aws-sts", "eu-west-1")


def test_storage_that_cannot_be_reached_is_told_before_anything_is_created(
    world: World, driver_props: dict[str, Any], connected: Connected
) -> None:
    world.iam.detach_role_policy(RoleName=connected.role, PolicyArn=connected.policy_arn)
    with pytest.raises(DriverTestFailed, match=r"before its creation failed.*AccessDenied") as caught:
        PROVIDER.create(driver_props)
    assert "\n" not in str(caught.value)
    assert drivers_named(world, driver_props["name"]) == []
    assert "/drivers" not in world.calls("POST")


def test_a_test_that_fails_after_the_creation_leaves_no_driver(world: World, driver_props: dict[str, Any]) -> None:
    world.fault("GET", "/drivers/.*/test", status=422)
    with pytest.raises(DriverTestFailed, match="after its creation failed"):
        PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == []
    assert PROVIDER.create(driver_props).id  # and the next run is not in its own way


def test_a_test_that_passes_late_is_waited_for(
    world: World, driver_props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_STS_SETTLE_SECONDS", "20")
    world.fault("POST", "/drivers/test", status=422, times=2)
    world.fault("GET", "/drivers/.*/test", status=422)
    made = PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == [made.id]


def test_a_lost_answer_of_the_creation_leaves_one_driver(world: World, driver_props: dict[str, Any]) -> None:
    world.fault("POST", "/drivers$", drop="after")
    made = PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == [made.id]
    assert world.calls("POST").count("/drivers") == 1


def test_a_creation_whose_call_never_arrived_is_an_error_and_the_next_run_makes_one(
    world: World, driver_props: dict[str, Any]
) -> None:
    world.fault("POST", "/drivers$", drop="before")
    with pytest.raises(DataloopStsError, match="may have been made all the same"):
        PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == []
    made = PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == [made.id]


def test_an_equal_one_that_an_interrupted_run_left_is_taken_over_and_tested(
    world: World, driver_props: dict[str, Any]
) -> None:
    left = PROVIDER.create(driver_props)
    world.clear_faults()
    made = PROVIDER.create(driver_props)
    assert made.id == left.id
    assert f"/drivers/{left.id}/test" in world.calls("GET")
    assert world.calls("POST") == []


def test_one_that_was_taken_over_is_not_deleted_when_its_test_fails(world: World, driver_props: dict[str, Any]) -> None:
    left = PROVIDER.create(driver_props)
    world.fault("GET", "/drivers/.*/test", status=422)
    with pytest.raises(DriverTestFailed):
        PROVIDER.create(driver_props)
    assert drivers_named(world, driver_props["name"]) == [left.id]


@pytest.mark.parametrize(
    ("name", "value"),
    [("path", "raw/"), ("allow_delete", True), ("bucket", "another-bucket"), ("region", "us-east-1")],
)
def test_a_driver_of_that_name_that_differs_is_left_alone_and_the_difference_told(
    name: str, value: Any, world: World, driver_props: dict[str, Any]
) -> None:
    PROVIDER.create(driver_props)
    world.clear_faults()
    with pytest.raises(Conflict, match=f"already, which differs in {name}"):
        PROVIDER.create({**driver_props, name: value})
    assert world.calls("POST") + world.calls("PATCH") + world.calls("DELETE") == []


def test_a_driver_of_that_name_with_another_integration_is_left_alone(
    world: World, driver_props: dict[str, Any], connected: Connected
) -> None:
    PROVIDER.create(driver_props)
    other = world.client.create_integration(world.dataloop.org_id, f"other-{world.tag}", connected.credentials)
    with pytest.raises(Conflict, match="differs in integration_id"):
        PROVIDER.create({**driver_props, "integration_id": other.id})


def test_one_whose_right_to_delete_the_platform_does_not_tell_is_not_taken_for_one_without(
    world: World, driver_props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    PROVIDER.create(driver_props)
    world.clear_faults()
    # the emulator always tells it; the vendor's documents do not promise it, and its default is true
    drivers = DataloopClient.drivers
    untold = {"allow_delete": None}
    monkeypatch.setattr(
        DataloopClient, "drivers", lambda *a, **of: [d.model_copy(update=untold) for d in drivers(*a, **of)]
    )
    for wanted in (False, True):
        with pytest.raises(Conflict, match="differs in allow_delete"):
            PROVIDER.create({**driver_props, "allow_delete": wanted})
    assert world.calls("POST") + world.calls("PATCH") + world.calls("DELETE") == []


def test_the_same_name_in_another_project_is_no_conflict(world: World, driver_props: dict[str, Any]) -> None:
    first = PROVIDER.create(driver_props)
    second = PROVIDER.create({**driver_props, "project_id": world.dataloop.other_project_id})
    assert first.id != second.id


def test_an_unknown_project_is_told(driver_props: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="nope"):
        PROVIDER.create({**driver_props, "project_id": "nope"})


def test_a_failing_test_does_not_show_the_integrations_secret(
    world: World, driver_props: dict[str, Any], connected: Connected
) -> None:
    wrong = StsCredentials.model_validate(
        {"access_key_id": connected.access_key_id, "secret_access_key": "s3cr3t" * 7, "role_arn": connected.role_arn}
    )
    world.client.update_integration(world.dataloop.org_id, driver_props["integration_id"], credentials=wrong)
    with pytest.raises(DriverTestFailed, match="SignatureDoesNotMatch") as caught:
        PROVIDER.create(driver_props)
    assert "s3cr3t" not in str(caught.value)


def test_the_resource_declares_every_output(driver_props: dict[str, Any]) -> None:
    assert set(PROVIDER.create(driver_props).outs) == set(StorageDriver.__annotations__)
