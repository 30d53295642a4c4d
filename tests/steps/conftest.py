"""The world of each test: AWS and Dataloop, running for the tests of one module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automation.fork_server.client import forks
from dataloop_sts.preflight import ConnectionNames, PreflightRequest
from sandbox.aws.server import AwsServer
from sandbox.dataloop.server import DataloopServer
from tests.steps.aws_world import REGION, World, servers, world_of
from tests.steps.looking import place
from tests.steps.starting import Starting


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


@pytest.fixture(params=["a process of its own", "handed over"])
def starting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Starting]:
    """The two ways in which a step is run."""
    if request.param == "a process of its own":
        yield Starting({})
        return
    if sys.platform != "linux":
        pytest.skip("a step is handed over on Linux alone")
    with forks({}, tmp_path) as found:
        assert found
        yield Starting(found)


@pytest.fixture
def request_of(world: World) -> Iterator[Callable[..., PreflightRequest]]:
    """What a new stack asks, with changes; those of names by their own keys."""
    names = ConnectionNames(
        user=f"user-{world.tag}",
        role=f"role-{world.tag}",
        policy=f"policy-{world.tag}",
        integration=f"integration-{world.tag}",
        buckets=(f"bucket-{world.tag}",),
        drivers=(place(world),),
    )
    whole = PreflightRequest(
        customer=world.tag,
        organization_id=world.dataloop.org_id,
        region=REGION,
        account_id=world.aws.account_id,
        names=names,
        known=None,
        sandbox=True,
    )

    def make(**changes: Any) -> PreflightRequest:
        of_names = {key: changes.pop(key) for key in list(changes) if key in ConnectionNames.model_fields}
        return replace(whole, names=names.model_copy(update=of_names), **changes)

    yield make
    # a preflight only looks, for datasets by a POST
    writes = [path for method in ("POST", "PATCH", "DELETE") for path in world.calls(method)]
    assert set(writes) <= {"/datasets/query"}
