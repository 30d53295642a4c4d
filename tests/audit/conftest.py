"""The world of each test, and a clean connection in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer
from tests.audit.audited import Audited, clean
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
def audited(world: World) -> Audited:
    """A connection as its spec says, for a whole bucket, without deletion."""
    return clean(world)
