"""The providers in the process that the engine starts, `python -m pulumi.dynamic`, spoken to as the engine does."""

from __future__ import annotations

import base64
import pickletools
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.rpc import UNKNOWN

from dataloop_sts.providers.integration import IntegrationProvider
from dataloop_sts.providers.preflight import PreflightProvider
from dataloop_sts.providers.storage_driver import StorageDriverProvider
from tests.providers.integrations import driver_props_of, drivers_named, named, props_of
from tests.providers.served import Served, served
from tests.steps.aws_world import Connected, World

INTEGRATION, DRIVER, PREFLIGHT = IntegrationProvider(), StorageDriverProvider(), PreflightProvider()


@pytest.fixture
def process(world: World) -> Iterator[Served]:
    """A process with the environment of a shell that took over the sandbox's settings."""
    with served(world.environment) as running:
        yield running


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (INTEGRATION, "dataloop_sts.providers.integration IntegrationProvider"),
        (DRIVER, "dataloop_sts.providers.storage_driver StorageDriverProvider"),
        (PREFLIGHT, "dataloop_sts.providers.preflight PreflightProvider"),
    ],
)
def test_what_is_pickled_is_the_class_by_name_and_nothing_else(provider: ResourceProvider, path: str) -> None:
    # these names are in every stack's state
    pickled = base64.b64decode(serialize_provider(provider))
    assert serialize_provider(provider) == serialize_provider(type(provider)())
    texts = [argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)]
    assert " ".join(text for text in texts if text != "dill._dill").endswith(path)
    assert len(pickled) < 150


def test_the_whole_life_of_an_integration_and_its_driver(process: Served, world: World, connected: Connected) -> None:
    props = {**props_of(world, connected), "creator": None, "updated_at": None}
    inputs, failures = process.check(INTEGRATION, {}, props)
    assert failures == []
    integration_id, integration = process.create(INTEGRATION, inputs)
    assert named(world) == [integration_id]
    assert integration["generation"] == 1
    assert integration["updated_at"]
    assert process.diff(INTEGRATION, integration_id, integration, inputs) == (False, [])

    driver_props = driver_props_of(world, connected, integration_id)
    driver_id, driver = process.create(DRIVER, driver_props)
    assert drivers_named(world, f"driver-{world.tag}") == [driver_id]
    assert process.diff(DRIVER, driver_id, driver, driver_props) == (False, [])
    assert process.read(DRIVER, driver_id, driver) == (driver_id, driver)

    changed = {**driver_props, "path": "raw/"}
    assert process.diff(DRIVER, driver_id, driver, changed) == (True, [])
    driver = process.update(DRIVER, driver_id, driver, changed)
    assert driver["path"] == "raw/"

    process.delete(DRIVER, driver_id, driver)
    process.delete(INTEGRATION, integration_id, integration)
    process.delete(INTEGRATION, integration_id, integration)
    assert process.read(INTEGRATION, integration_id, integration) == ("", {})
    assert named(world) == drivers_named(world, f"driver-{world.tag}") == []


def test_what_is_unknown_before_an_update_is_a_change_and_no_replacement(
    process: Served, world: World, connected: Connected
) -> None:
    props = driver_props_of(world, connected, "an-integration")
    unknown = {**props, "integration_id": UNKNOWN, "bucket": UNKNOWN}
    assert process.diff(DRIVER, "a-driver", props, unknown) == (True, [])
    inputs, failures = process.check(DRIVER, {}, unknown)
    assert (inputs["integration_id"], failures) == (UNKNOWN, [])


@pytest.mark.parametrize("what", ["create", "update", "delete", "read"])
def test_a_failure_is_one_line_without_a_stack_of_calls_or_the_secret(
    what: str, process: Served, world: World, connected: Connected
) -> None:
    props = props_of(world, connected)
    id_, outs = process.create(INTEGRATION, props)
    world.fault("GET", "/(integrations|drivers)", status=403, times=9)
    world.fault("PATCH", "/integrations", status=403, times=9)
    calls: dict[str, Any] = {
        "create": lambda: process.create(INTEGRATION, props),
        "update": lambda: process.update(INTEGRATION, id_, outs, props),
        "delete": lambda: process.delete(INTEGRATION, id_, outs),
        "read": lambda: process.read(INTEGRATION, id_, outs),
    }
    with pytest.raises(grpc.RpcError) as caught:
        calls[what]()
    said = caught.value.details()
    assert said.count("\n") == 1
    assert said.startswith("dataloop_sts.errors.Forbidden: ")
    assert "File " not in said
    assert connected.secret not in said


def test_problems_that_the_preflight_finds_are_failures_of_its_check(
    process: Served, world: World, connected: Connected
) -> None:
    names = {
        "user": connected.user,
        "role": f"new-{world.tag}",
        "policy": f"new-{world.tag}",
        "integration": f"new-{world.tag}",
        "buckets": [connected.bucket],
        "drivers": [
            {
                "project_id": world.dataloop.project_id,
                "name": f"new-{world.tag}",
                "bucket": connected.bucket,
                "path": "",
            }
        ],
    }
    news: dict[str, Any] = {
        "customer": world.tag,
        "on_destroy": "delete",
        "organization_id": world.dataloop.org_id,
        "region": "eu-west-1",
        "account_id": None,
        "sandbox": True,
        "access_key": {"generation": 1},
        "iam_path": "/",
        "needs": {},
        "names": names,
    }
    inputs, failures = process.check(PREFLIGHT, {}, news)
    assert [failure.partition(": ")[0] for failure in failures] == ["aws.names.user", "drivers[].bucket.name"]
    own, failures = process.check(PREFLIGHT, inputs, news)
    assert failures == []
    assert own["seen_account_id"] == world.aws.account_id
    assert own["seen_world"]
    _, outs = process.create(PREFLIGHT, own)
    assert outs["seen_account_id"] == world.aws.account_id
    assert process.diff(PREFLIGHT, "preflight", outs, {**own, "customer": "another"}) == (False, [])
    assert process.update(PREFLIGHT, "preflight", outs, own)["names"] == names
    process.delete(PREFLIGHT, "preflight", outs)


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"seen_world": "1700000000000"}, {}, "python -m sandbox reset"),
        ({"seen_account_id": "210987654321"}, {}, "this stack's resources are in 210987654321"),
        ({}, {"region": "us-east-1"}, "This stack's buckets are in eu-west-1"),
        ({"on_destroy": "refuse"}, {"on_destroy": "delete"}, "its end is to be refused"),
        ({}, {"on_destroy": "retain"}, "would be deleted and holds 1 object"),
    ],
)
def test_what_the_stack_was_the_last_time_is_taken_from_its_state(
    then: dict[str, str], now: dict[str, str], told: str, process: Served, world: World, connected: Connected
) -> None:
    world.put("a")
    names = {"user": connected.user, "role": connected.user, "policy": connected.user, "integration": world.tag}
    organization = world.client.organization(world.dataloop.org_id)
    news = {
        "customer": world.tag,
        "on_destroy": "delete",
        "organization_id": organization.id,
        "region": "eu-west-1",
        "account_id": None,
        "sandbox": True,
        "access_key": {"generation": 1},
        "iam_path": "/",
        "needs": {},
        "names": {**names, "buckets": [], "drivers": []},
    }
    seen = {"seen_account_id": world.aws.account_id, "seen_world": organization.created_at}
    olds = {**news, **seen, "names": {**names, "buckets": [connected.bucket], "drivers": []}, **then}
    _, failures = process.check(PREFLIGHT, olds, {**news, **now})
    assert len(failures) == 1
    assert told in failures[0]


def test_a_process_whose_engine_is_gone_does_nothing_more(process: Served, world: World, connected: Connected) -> None:
    props = props_of(world, connected)
    id_, outs = process.create(INTEGRATION, props)
    process.engine.close()
    world.clear_faults()
    for call in (
        lambda: process.create(INTEGRATION, {**props, "name": f"second-{world.tag}"}),
        lambda: process.update(INTEGRATION, id_, outs, {**props, "role_arn": "arn:aws:iam::123456789012:role/x"}),
        lambda: process.delete(INTEGRATION, id_, outs),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert "EngineGone" in caught.value.details()
    assert world.calls() == []


def test_a_process_does_not_wait_for_a_test_when_its_engine_goes(world: World, connected: Connected) -> None:
    with served({**world.environment, "DATALOOP_STS_SETTLE_SECONDS": "600"}) as process:
        integration_id, _ = process.create(INTEGRATION, props_of(world, connected))
        world.fault("POST", "/drivers/test", status=422, times=1000)
        call = process.stub.Create.future(
            process.create_request(DRIVER, driver_props_of(world, connected, integration_id)), timeout=30
        )
        while "/drivers/test" not in world.calls("POST"):
            assert not call.done()
        process.engine.close()
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert "EngineGone" in caught.value.details()
    assert drivers_named(world, f"driver-{world.tag}") == []
