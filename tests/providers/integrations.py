"""Integrations as the tests of the providers make and find them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataloop_sts.dataloop import DataloopClient
from tests.steps.aws_world import REGION, Connected, World


def props_of(world: World, connected: Connected, **changes: Any) -> dict[str, Any]:
    """The resource's inputs as they come over the wire: numbers are floats, what is None is not there."""
    return {
        "organization_id": world.dataloop.org_id,
        "name": f"integration-{world.tag}",
        "access_key_id": connected.access_key_id,
        "secret_access_key": connected.secret,
        "role_arn": connected.role_arn,
        "generation": 1.0,
        "stack_since": 1_700_000_000_000.0,
        **changes,
    }


def named(world: World, name: str | None = None) -> list[str]:
    """The ids of the integrations of that name."""
    wanted = name or f"integration-{world.tag}"
    return [i.id for i in world.client.integrations(world.dataloop.org_id) if i.name == wanted]


def add_driver(world: World, integration_id: str, connected: Connected) -> str:
    """A driver of the integration, which makes its credentials testable."""
    return world.make_driver(integration_id, connected, f"driver-{world.tag}")


def second_key(world: World, connected: Connected) -> dict[str, str]:
    """Another key of the user, as a rotation makes it."""
    key = world.iam.create_access_key(UserName=connected.user)["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


def driver_props_of(world: World, connected: Connected, integration_id: str, **changes: Any) -> dict[str, Any]:
    """A storage driver's inputs as they come over the wire."""
    return {
        "customer": world.tag,
        "name": f"driver-{world.tag}",
        "project_id": world.dataloop.project_id,
        "integration_id": integration_id,
        "bucket": connected.bucket,
        "region": REGION,
        "path": connected.spec.drivers[0].prefix or "",
        "allow_delete": connected.spec.drivers[0].allow_delete,
        **changes,
    }


def drivers_named(world: World, name: str) -> list[str]:
    """The ids of the project's drivers of that name."""
    return [d.id for d in world.client.drivers(project_id=world.dataloop.project_id) if d.name == name]


def when_writing(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Lets something happen between the TESTs before the write of an integration and the write."""
    write = DataloopClient.update_integration

    def late_write(*of: Any, **changes: Any) -> object:
        happens()
        return write(*of, **changes)

    monkeypatch.setattr(DataloopClient, "update_integration", late_write)
