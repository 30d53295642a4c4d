"""An integration and a driver that were made by hand are taken over, and are never worse off for it."""

from __future__ import annotations

from typing import Any

import pytest

from dataloop_sts.errors import Conflict, DataloopStsError, DriverTestFailed
from dataloop_sts.providers.adoption import temporary_name
from dataloop_sts.providers.integration import IntegrationProvider
from dataloop_sts.providers.storage_driver import StorageDriverProvider
from tests.providers.integrations import driver_props_of, named, props_of, second_key, when_writing
from tests.steps.aws_world import Connected, World

INTEGRATION, DRIVER = IntegrationProvider(), StorageDriverProvider()


@pytest.fixture
def by_hand(world: World, connected: Connected) -> tuple[str, str]:
    """An integration with the user's first key, and its driver."""
    return world.register(connected)


@pytest.fixture
def adopting(world: World, connected: Connected, by_hand: tuple[str, str]) -> dict[str, Any]:
    """The integration's inputs in an adopting run, with the key that the run has made."""
    driver = connected.spec.drivers[0]
    tried = {
        "name": driver.name,
        "project_id": driver.project_id,
        "bucket": driver.bucket_name,
        "region": connected.spec.aws.region,
        "path": "",
        "allow_delete": driver.allow_delete,
    }
    adopt = {"id": by_hand[0], "drivers": [tried]}
    return props_of(world, connected, **second_key(world, connected), adopt=adopt)


def forget_the_first_key(world: World, connected: Connected) -> None:
    """Deletes it, as the end of an adoption does."""
    world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)


def test_an_adopted_integration_keeps_its_id_and_gets_the_new_key(
    world: World, connected: Connected, adopting: dict[str, Any], by_hand: tuple[str, str]
) -> None:
    made = INTEGRATION.create(adopting)
    assert made.id == by_hand[0]
    assert named(world) == [made.id]
    assert named(world, temporary_name(made.id)) == []
    forget_the_first_key(world, connected)
    world.client.test_driver(by_hand[1])

    ordinary = {key: value for key, value in adopting.items() if key != "adopt"}
    assert not INTEGRATION.diff(made.id, made.outs, ordinary).changes
    assert "adopt" not in made.outs


def test_an_adoption_that_is_done_again_ends_the_same(
    world: World, adopting: dict[str, Any], by_hand: tuple[str, str], connected: Connected
) -> None:
    left = world.client.create_integration(
        world.dataloop.org_id, temporary_name(by_hand[0]), connected.credentials
    )  # of a run that was killed
    INTEGRATION.create(adopting)
    made = INTEGRATION.create(adopting)
    assert made.id == by_hand[0]
    assert left.id not in [each.id for each in world.client.integrations(world.dataloop.org_id)]
    world.client.test_driver(by_hand[1])


def test_a_key_that_does_not_pass_test_never_reaches_the_integration(
    world: World, adopting: dict[str, Any], by_hand: tuple[str, str]
) -> None:
    before = world.client.integration(world.dataloop.org_id, by_hand[0])
    with pytest.raises(DriverTestFailed, match="with the new access key failed"):
        INTEGRATION.create({**adopting, "secret_access_key": "x" * 40})
    assert world.client.integration(world.dataloop.org_id, by_hand[0]) == before
    assert world.calls("PATCH") == []
    assert named(world, temporary_name(by_hand[0])) == []
    world.client.test_driver(by_hand[1])


def test_a_driver_that_fails_after_the_change_is_told_with_what_cannot_be_put_back(
    world: World, adopting: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    when_writing(monkeypatch, lambda: world.fault("GET", "/drivers/.*/test$", status=400, times=9))
    with pytest.raises(DataloopStsError, match=r"after its integration's update failed.*could not be put back"):
        INTEGRATION.create(adopting)


@pytest.mark.parametrize("name", ["integration-renamed", None])
def test_an_integration_that_was_changed_meanwhile_is_not_taken(
    name: str | None, world: World, adopting: dict[str, Any], by_hand: tuple[str, str]
) -> None:
    world.client.update_integration(world.dataloop.org_id, by_hand[0], name=name or "other")
    with pytest.raises(Conflict, match="no longer the one of type aws-sts and name"):
        INTEGRATION.create(adopting)


def test_an_adopted_driver_keeps_its_id_and_its_datasets_and_gets_the_specs_flag(
    world: World, connected: Connected
) -> None:
    integration_id, _ = world.register(connected)
    wanted = driver_props_of(world, connected, integration_id)
    id_ = world.make_driver(integration_id, connected, "wide", allow_delete=True)
    dataset = world.make_dataset(id_, f"dataset-{world.tag}")
    made = DRIVER.create({**wanted, "name": "wide", "adopt": id_})
    assert (made.id, made.outs["allow_delete"]) == (id_, False)
    assert world.client.driver(id_).allow_delete is False
    assert [each.id for each in world.client.datasets_of_driver(world.dataloop.project_id, id_)] == [dataset]
    assert not DRIVER.diff(id_, made.outs, {**wanted, "name": "wide"}).changes


def test_an_adopted_driver_that_fails_test_stays_as_it_was(world: World, connected: Connected) -> None:
    integration_id, id_ = world.register(connected)
    wanted = driver_props_of(world, connected, integration_id, adopt=id_)
    world.fault("GET", "/drivers/.*/test$", status=400, times=9)
    with pytest.raises(DriverTestFailed, match="after its adoption failed"):
        DRIVER.create(wanted)
    with pytest.raises(DataloopStsError, match="The driver was changed back"):
        DRIVER.create({**wanted, "allow_delete": True})
    assert world.client.driver(id_).allow_delete is False
    world.clear_faults()
    world.client.test_driver(id_)


@pytest.mark.parametrize(
    ("property_", "value"), [("bucket", "another"), ("region", "us-east-1"), ("integration_id", "another")]
)
def test_a_driver_elsewhere_is_not_taken(property_: str, value: str, world: World, connected: Connected) -> None:
    integration_id, id_ = world.register(connected)
    wanted = driver_props_of(world, connected, integration_id, adopt=id_)
    with pytest.raises(Conflict, match=f"differs in {property_}, so it cannot be taken over"):
        DRIVER.create({**wanted, property_: value})
    assert world.calls("PATCH") == []
