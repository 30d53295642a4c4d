"""The integration's provider creates exactly one, whatever happens on the way, and takes over only its own."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dataloop_sts.errors import Conflict, DataloopStsError, Forbidden
from dataloop_sts.providers.integration import Integration, IntegrationProvider
from tests.providers.integrations import add_driver, named, second_key
from tests.steps.aws_world import Connected, World

PROVIDER = IntegrationProvider()


def test_create_makes_one_that_works_and_returns_every_output(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    made = PROVIDER.create(props)
    assert named(world) == [made.id]
    assert {key: made.outs[key] for key in props} == props
    assert made.outs["creator"] == world.client.me().email
    assert made.outs["updated_at"]
    assert made.outs["changed_outside_at"] == ""
    world.client.test_driver(add_driver(world, made.id, connected))


def test_a_lost_answer_of_the_creation_leaves_one_integration_with_our_credentials(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    world.fault("POST", "/integrations$", drop="after")
    made = PROVIDER.create(props)
    assert named(world) == [made.id]
    assert world.calls("POST").count(f"/orgs/{world.dataloop.org_id}/integrations") == 1
    assert not PROVIDER.diff(made.id, made.outs, props).changes
    world.client.test_driver(add_driver(world, made.id, connected))


def test_a_creation_whose_call_never_arrived_is_an_error_and_the_next_run_makes_one(
    world: World, props: dict[str, Any]
) -> None:
    world.fault("POST", "/integrations$", drop="before")
    with pytest.raises(DataloopStsError, match="may have been made all the same"):
        PROVIDER.create(props)
    assert named(world) == []
    made = PROVIDER.create(props)
    assert named(world) == [made.id]


def test_one_that_an_interrupted_run_left_is_taken_over_with_the_new_credentials(
    world: World, props: dict[str, Any], connected: Connected
) -> None:
    left = PROVIDER.create({**props, "secret_access_key": "x" * 40})
    made = PROVIDER.create(props)
    assert made.id == left.id
    assert named(world) == [left.id]
    world.client.test_driver(add_driver(world, made.id, connected))


def test_one_that_drivers_use_is_never_taken_over(world: World, props: dict[str, Any], connected: Connected) -> None:
    used = PROVIDER.create(props)
    driver_id = add_driver(world, used.id, connected)
    with pytest.raises(Conflict, match=f"\"?integration-{world.tag}.* already, which is not this stack's"):
        PROVIDER.create({**props, **second_key(world, connected), "role_arn": "arn:aws:iam::123456789012:role/none"})
    world.client.test_driver(driver_id)  # its credentials are what they were


def test_one_of_another_type_is_never_taken_over(world: World, props: dict[str, Any]) -> None:
    body = {"type": "s3", "name": props["name"], "options": {"key": "AKIAIOSFODNN7EXAMPLE", "secret": "x" * 40}}
    world.call("POST", f"/orgs/{world.dataloop.org_id}/integrations", json=body)
    with pytest.raises(Conflict, match=r"Choose another integration\.name"):
        PROVIDER.create(props)
    assert world.calls("PATCH") == []


def test_one_that_is_older_than_the_stack_is_never_taken_over(world: World, props: dict[str, Any]) -> None:
    PROVIDER.create({**props, "secret_access_key": "x" * 40})
    in_an_hour = float(time.time() + 3600) * 1000
    with pytest.raises(Conflict, match="not this stack's"):
        PROVIDER.create({**props, "stack_since": in_an_hour})
    assert world.calls("PATCH") == []


def test_one_of_another_creator_is_never_taken_over(
    world: World, props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    PROVIDER.create(props)
    monkeypatch.delenv("DATALOOP_TOKEN")
    monkeypatch.setenv("DATALOOP_USERNAME", world.dataloop.username)
    monkeypatch.setenv("DATALOOP_PASSWORD", world.dataloop.password)
    with pytest.raises(Conflict, match="not this stack's"):
        PROVIDER.create(props)
    assert world.calls("PATCH") == []


def test_somebody_who_is_not_the_owner_is_told_which_right_is_missing(
    world: World, props: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOOP_TOKEN", world.dataloop.non_owner_token)
    with pytest.raises(Forbidden, match="rights of the organization's owner"):
        PROVIDER.create(props)
    assert named(world) == []


def test_the_resource_declares_every_output(props: dict[str, Any]) -> None:
    assert set(PROVIDER.create(props).outs) == set(Integration.__annotations__)
