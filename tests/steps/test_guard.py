"""The guard refuses a destroy that would lose something, and says what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.s3.models import s3_backends

from dataloop_sts.dataloop import DataloopClient, NewDriver
from dataloop_sts.errors import AwsError, Forbidden, GuardRefused, UnexpectedAnswer
from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.steps.guard import GuardRequest, guard
from tests.steps.aws_world import REGION, World
from tests.steps.starting import Starting


@pytest.fixture
def registered(world: World) -> dict[str, Any]:
    """A whole connection, whose driver is of the whole bucket: what the component asks about it."""
    connected = world.connect()
    integration_id, driver_id = world.register(connected)
    driver = {"id": driver_id, "name": f"driver-{world.tag}", "project_id": world.dataloop.project_id}
    return {
        "customer": world.tag,
        "on_destroy": "delete",
        "region": REGION,
        "account_id": world.aws.account_id,
        "buckets": {connected.bucket: [""]},
        "integration_id": integration_id,
        "drivers": [driver],
    }


def ask(world: World, registered: dict[str, Any], **changes: Any) -> str:
    """What the guard refuses with; empty where it does not."""
    try:
        guard(GuardRequest.model_validate({**registered, **changes}), world.client)
    except GuardRefused as refusal:
        assert "nothing was touched" in str(refusal)
        return str(refusal)
    return ""


def like(world: World, registered: dict[str, Any], name: str) -> NewDriver:
    """Another driver of the connection's integration and bucket."""
    (bucket,) = registered["buckets"]
    return NewDriver(
        name=name,
        project_id=world.dataloop.project_id,
        integration_id=registered["integration_id"],
        bucket=bucket,
        region=REGION,
        allow_delete=False,
        creator=world.client.me().email,
    )


def test_a_connection_without_anything_to_lose_may_go(world: World, registered: dict[str, Any]) -> None:
    assert ask(world, registered) == ""


@pytest.mark.parametrize("folders", [("",), ("raw/",), ("cooked/", "raw/")])
def test_the_probes_and_the_platforms_folder_are_nothing_to_lose(
    folders: tuple[str, ...], world: World, registered: dict[str, Any]
) -> None:
    own = ("test-file", ".dataloop/x", ".dataloop/x/y", "dataloop-sts-probe-0123456789abcdef")
    world.put("test-file", *(folder + key for folder in folders for key in own))
    assert ask(world, registered, buckets={f"bucket-{world.tag}": folders}) == ""


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "experiments/7/test-file",
        "raw/2/test-file",
        "rawtest-file",
        "raw/my-test-file",
        "test-file/a",
        "test-file2",
        "team/.dataloop/model.bin",
        "raw/2/.dataloop/model.bin",
        "raw/.dataloop",
        "raw/.dataloop2/x",
        "raw/x.dataloop/y",
        "experiments/dataloop-sts-probe-1",
        "raw/dataloop-sts-probe-1/x",
        "raw/my-dataloop-sts-probe-1",
    ],
)
def test_an_object_of_the_customer_in_a_bucket_that_would_go_is_a_loss(
    key: str, world: World, registered: dict[str, Any]
) -> None:
    world.put("test-file", "raw/test-file", key)
    said = ask(world, registered, buckets={f"bucket-{world.tag}": ["raw/"]})
    assert f"bucket bucket-{world.tag} would be deleted and holds 1 object: {key}. Move" in said
    assert f"{CONFIRM_VARIABLE}={world.tag}" in said


def test_what_is_ours_in_a_drivers_folder_is_the_customers_in_a_bucket_without_it(
    world: World, registered: dict[str, Any]
) -> None:
    world.put("raw/test-file", "raw/.dataloop/x")
    assert "holds 2 objects: raw/.dataloop/x, raw/test-file." in ask(world, registered)
    assert ask(world, registered, buckets={f"bucket-{world.tag}": ["raw/"]}) == ""


@pytest.mark.parametrize(("count", "said"), [(999, "999 objects: "), (1005, "1,000 or more objects: ")])
def test_objects_are_counted_up_to_a_thousand(count: int, said: str, world: World, registered: dict[str, Any]) -> None:
    backend = s3_backends[world.aws.account_id]["aws"]  # by HTTP the thousand would take seconds to put
    for number in range(count):
        backend.put_object(f"bucket-{world.tag}", f"o{number:04}", b"x")
    assert f"holds {said}o0000, o0001, o0002, o0003, o0004, ..." in ask(world, registered)


def test_objects_in_a_bucket_that_stays_are_no_loss(world: World, registered: dict[str, Any]) -> None:
    world.put("a")
    assert ask(world, registered, on_destroy="retain") == ""


def test_only_the_customers_own_name_confirms_the_loss(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a", "b")
    for other in ("", "true", "1", world.tag.upper(), world.tag + "2", f" {world.tag}"):
        monkeypatch.setenv(CONFIRM_VARIABLE, other)
        assert "2 objects" in ask(world, registered)
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert ask(world, registered) == ""


def test_refuse_is_refused_whatever_is_confirmed(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert "on_destroy: refuse" in ask(world, registered, on_destroy="refuse")


def test_a_datasets_storage_is_a_loss_whatever_becomes_of_the_bucket(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (driver,) = registered["drivers"]
    for number in range(6):
        world.make_dataset(driver["id"], f"set-{number}-{world.tag}")
    said = ask(world, registered, on_destroy="retain")
    assert f"driver 'driver-{world.tag}' is used by 6 datasets: set-0-{world.tag}, " in said
    assert f"set-5-{world.tag}" not in said  # five names are enough
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert ask(world, registered, on_destroy="retain") == ""


def test_a_driver_of_somebody_else_is_in_the_way_even_where_losses_are_confirmed(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.client.create_driver(like(world, registered, name=f"foreign-{world.tag}"))
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    said = ask(world, registered)
    assert f"is used by 1 other driver: foreign-{world.tag}" in said
    assert "(delete, or move to another integration)" in said


def test_drivers_that_the_token_may_not_see_are_in_the_way_by_their_number(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        world.client.create_driver(like(world, registered, name=f"hidden-{number}-{world.tag}"))
    whole = DataloopClient.drivers  # the emulator's users see every driver of their organization
    ours = {driver["id"] for driver in registered["drivers"]}
    monkeypatch.setattr(DataloopClient, "drivers", lambda *a, **of: [d for d in whole(*a, **of) if d.id in ours])
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert "is used by 2 more drivers than the token's user may see" in ask(world, registered)


@pytest.mark.parametrize("on_destroy", ["retain", "refuse", "delete"])
def test_credentials_of_another_account_are_refused_before_anything_else_is_looked_at(
    on_destroy: str, world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**world.elsewhere, CONFIRM_VARIABLE: world.tag}.items():
        monkeypatch.setenv(name, value)
    world.clear_faults()
    accounts = f"of account {world.aws.other_account_id}, this connection is in {world.aws.account_id}"
    with pytest.raises(AwsError, match=f"{accounts}, nothing was touched: use credentials of that account"):
        ask(world, registered, on_destroy=on_destroy)
    assert world.calls() == []


def test_all_losses_are_told_at_once(world: World, registered: dict[str, Any]) -> None:
    world.put("a")
    (driver,) = registered["drivers"]
    world.make_dataset(driver["id"], f"set-{world.tag}")
    said = ask(world, registered)
    assert "holds 1 object: a; driver" in said
    assert "1 dataset:" in said


def test_what_was_deleted_elsewhere_is_not_in_the_way(world: World, registered: dict[str, Any]) -> None:
    (driver,) = registered["drivers"]
    world.client.delete_driver(driver["id"])
    world.client.delete_integration(world.dataloop.org_id, registered["integration_id"])
    world.s3.delete_bucket(Bucket=f"bucket-{world.tag}")
    assert ask(world, registered) == ""


def test_a_bucket_that_may_not_be_looked_into_is_not_taken_for_an_empty_one(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a")
    key = world.iam.create_access_key(UserName=f"dataloop-{world.tag}-dev")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with pytest.raises(AwsError, match=f"list the objects of bucket bucket-{world.tag}: AccessDenied"):
        ask(world, registered)


def test_datasets_that_may_not_be_looked_at_are_not_taken_for_none(world: World, registered: dict[str, Any]) -> None:
    for status, error in ((403, Forbidden), (404, UnexpectedAnswer)):
        world.fault("POST", "/datasets/query", status=status)
        with pytest.raises(error):
            ask(world, registered)


def test_the_step_says_in_one_line_what_it_refuses(
    world: World, registered: dict[str, Any], starting: Starting
) -> None:
    world.put("a")
    done = starting.run("guard", json.dumps(registered), world)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The destroy of {world.tag} is refused")
    assert done.stderr.count("\n") == 1
