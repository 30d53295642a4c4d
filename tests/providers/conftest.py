"""The world of each test: AWS and Dataloop, running for the tests of one module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.integrations import driver_props_of, props_of
from tests.steps.aws_world import Connected, World
from tests.steps.conftest import running, world

__all__ = ["connected", "driver_props", "props", "running", "world"]


@pytest.fixture
def connected(world: World) -> Connected:
    """The AWS side."""
    return world.connect()


@pytest.fixture
def props(world: World, connected: Connected) -> dict[str, Any]:
    """The resource's inputs."""
    return props_of(world, connected)


@pytest.fixture
def driver_props(world: World, connected: Connected) -> dict[str, Any]:
    """The storage driver's inputs, its integration made."""
    integration = world.client.create_integration(
        world.dataloop.org_id, f"integration-{world.tag}", connected.credentials
    )
    return driver_props_of(world, connected, integration.id)
