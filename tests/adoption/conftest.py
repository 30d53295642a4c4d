"""A world in which somebody has made a connection by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer
from tests.adoption.by_hand import Hand
from tests.steps.aws_world import World, servers, world_of


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[AwsServer, DataloopServer]]:
    """Both servers."""
    with servers() as started:
        yield started


@pytest.fixture
def world(running: tuple[AwsServer, DataloopServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Names, clients and an environment of the test's own."""
    with world_of(running, monkeypatch) as ready:
        yield ready


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
