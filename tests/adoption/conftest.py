"""A world in which somebody has made a connection by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adoption.by_hand import Hand
from tests.steps.aws_world import World
from tests.steps.conftest import running, world

__all__ = ["hand", "running", "world"]


@pytest.fixture
def hand(world: World) -> Hand:
    """Somebody who has made nothing yet."""

    def call(method: str, path: str, body: Any) -> Any:
        return world.call(method, path, json=body).json()

    return Hand(
        s3=world.s3,
        iam=world.iam,
        dataloop=call,
        organization_id=world.dataloop.org_id,
        project_id=world.dataloop.project_id,
        account_id=world.aws.account_id,
        tag=f"adopt-{world.tag}",
    )
