"""The guard refuses a destroy that would lose something, and says what; the bucket's own step does the same for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from moto.s3.models import s3_backends

from dataloop_sts.empty_bucket import EmptyBucketRequest, empty_bucket
from dataloop_sts.errors import AwsError, Forbidden, GuardRefused
from dataloop_sts.guard import CONFIRM_VARIABLE, GuardRequest, customer_objects, guard
from tests.steps.aws_world import REGION, World


def guard_request(world: World, drivers: dict[str, str], integration_id: str, **changes: Any) -> GuardRequest:
    """What the component asks for."""
    values = {
        "customer": world.tag,
        "on_destroy": "delete",
        "region": REGION,
        "buckets": (f"bucket-{world.tag}",),
        "organization_id": world.dataloop.org_id,
        "integration_id": integration_id,
        "drivers": drivers,
        "projects": dict.fromkeys(drivers, world.dataloop.project_id),
    }
    return GuardRequest.model_validate({**values, **changes})


@pytest.fixture
def registered(world: World) -> dict[str, Any]:
    """A whole connection; how the guard is asked about it."""
    connected = world.connect()
    integration_id, driver_id = world.register(connected)
    return {"drivers": {f"driver-{world.tag}": driver_id}, "integration_id": integration_id, "connected": connected}


def ask(world: World, registered: dict[str, Any], **changes: Any) -> str:
    """What the guard refuses with; empty where it does not."""
    try:
        guard(guard_request(world, registered["drivers"], registered["integration_id"], **changes), world.client)
    except GuardRefused as refusal:
        assert "nothing was touched" in str(refusal)
        return str(refusal)
    return ""


def put(world: World, *keys: str) -> None:
    """Objects in the test's bucket."""
    for key in keys:
        world.s3.put_object(Bucket=f"bucket-{world.tag}", Key=key, Body=b"x")


def test_a_connection_without_anything_to_lose_may_go(world: World, registered: dict[str, Any]) -> None:
    assert ask(world, registered) == ""


@pytest.mark.parametrize("key", ["test-file", "raw/test-file", ".dataloop", ".dataloop/x", "raw/.dataloop/x/y"])
def test_the_probe_and_the_platforms_folder_are_nothing_to_lose(
    key: str, world: World, registered: dict[str, Any]
) -> None:
    put(world, key)
    assert ask(world, registered) == ""


@pytest.mark.parametrize("key", ["a", "test-file/a", "test-file2", "raw/my-test-file", ".dataloop2/x", "x.dataloop/y"])
def test_an_object_of_the_customer_in_a_bucket_that_would_go_is_a_loss(
    key: str, world: World, registered: dict[str, Any]
) -> None:
    put(world, "test-file", key)
    said = ask(world, registered)
    assert f"bucket bucket-{world.tag} would be deleted and holds 1 object." in said
    assert f"{CONFIRM_VARIABLE}={world.tag}" in said


def test_objects_in_a_bucket_that_stays_are_no_loss(world: World, registered: dict[str, Any]) -> None:
    put(world, "a")
    assert ask(world, registered, on_destroy="retain") == ""


def test_only_the_customers_own_name_confirms_the_loss(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, "a", "b")
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
    (driver_id,) = registered["drivers"].values()
    for number in range(6):
        world.make_dataset(driver_id, f"set-{number}-{world.tag}")
    said = ask(world, registered, on_destroy="retain")
    assert f"driver 'driver-{world.tag}' is used by 6 datasets: set-0-{world.tag}, " in said
    assert f"set-5-{world.tag}" not in said  # five names are enough
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert ask(world, registered, on_destroy="retain") == ""


def test_a_driver_of_somebody_else_is_in_the_way_even_where_losses_are_confirmed(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_driver(registered["integration_id"], registered["connected"], f"foreign-{world.tag}")
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    said = ask(world, registered)
    assert f"is used by 1 other driver: foreign-{world.tag}" in said
    assert "Remove those drivers" in said


def test_all_losses_are_told_at_once(world: World, registered: dict[str, Any]) -> None:
    put(world, "a")
    (driver_id,) = registered["drivers"].values()
    world.make_dataset(driver_id, f"set-{world.tag}")
    said = ask(world, registered)
    assert "holds 1 object;" in said
    assert "1 dataset:" in said


def test_what_was_deleted_elsewhere_is_not_in_the_way(world: World, registered: dict[str, Any]) -> None:
    (driver_id,) = registered["drivers"].values()
    world.client.delete_driver(driver_id)
    world.client.delete_integration(world.dataloop.org_id, registered["integration_id"])
    world.s3.delete_bucket(Bucket=f"bucket-{world.tag}")
    assert ask(world, registered) == ""


def test_a_bucket_that_may_not_be_looked_into_is_not_taken_for_an_empty_one(
    world: World, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, "a")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", registered["connected"].access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", registered["connected"].secret)
    with pytest.raises(AwsError, match=f"list the objects of bucket bucket-{world.tag}: AccessDenied"):
        ask(world, registered)


def test_datasets_that_may_not_be_looked_at_are_not_taken_for_none(world: World, registered: dict[str, Any]) -> None:
    world.fault("POST", "/datasets/query", status=403)
    with pytest.raises(Forbidden):
        ask(world, registered)


def test_the_step_says_in_one_line_what_it_refuses(world: World, registered: dict[str, Any]) -> None:
    put(world, "a")
    request = guard_request(world, registered["drivers"], registered["integration_id"])
    done = subprocess.run(
        [sys.executable, "-m", "dataloop_sts.guard"],
        input=request.model_dump_json(),
        env={"PATH": "/usr/bin:/bin", **world.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The destroy of {world.tag} is refused")
    assert done.stderr.count("\n") == 1


def empty(world: World, on_destroy: str = "delete") -> None:
    """Runs the step of the test's bucket."""
    document = {"customer": world.tag, "on_destroy": on_destroy, "region": REGION, "bucket": f"bucket-{world.tag}"}
    empty_bucket(EmptyBucketRequest.model_validate(document))


def remaining(world: World) -> int:
    """How many versions and delete markers the test's bucket holds."""
    pages = world.s3.get_paginator("list_object_versions").paginate(Bucket=f"bucket-{world.tag}")
    return sum(len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) for page in pages)


def test_a_bucket_with_the_probe_alone_is_emptied(world: World) -> None:
    world.make_bucket()
    put(world, "test-file", ".dataloop/x")
    empty(world)
    assert remaining(world) == 0


def test_a_bucket_with_a_customers_object_stays_whole(world: World) -> None:
    world.make_bucket()
    put(world, "test-file", "a")
    with pytest.raises(GuardRefused, match="nothing was removed from it: it holds 1 customer's objects"):
        empty(world)
    assert world.keys(f"bucket-{world.tag}") == ["a", "test-file"]


def test_what_a_customer_puts_there_after_the_look_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make_bucket()
    put(world, "test-file")

    def look_and_be_late(s3: Any, bucket: str) -> Iterator[tuple[str, str]]:
        yield from customer_objects(s3, bucket)
        put(world, "late")

    monkeypatch.setattr("dataloop_sts.empty_bucket.customer_objects", look_and_be_late)
    empty(world)
    assert world.keys(f"bucket-{world.tag}") == ["late"]


@pytest.mark.parametrize("on_destroy", ["refuse", "retain"])
def test_a_bucket_that_is_to_stay_is_never_emptied(
    on_destroy: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    world.make_bucket()
    put(world, "test-file", "a")
    with pytest.raises(GuardRefused, match=f"on_destroy: {on_destroy}"):
        empty(world, on_destroy)
    assert remaining(world) == 2


def test_what_a_versioned_bucket_hides_counts_and_goes_only_when_confirmed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(world, "a", "a", "b")
    world.s3.delete_object(Bucket=bucket, Key="a")
    world.s3.delete_object(Bucket=bucket, Key="b")
    assert world.keys(bucket) == []
    with pytest.raises(GuardRefused, match="holds 5 customer's objects"):
        empty(world)
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    empty(world)
    assert remaining(world) == 0
    world.s3.delete_bucket(Bucket=bucket)


def test_more_objects_than_one_call_may_delete_all_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = world.make_bucket()
    backend = s3_backends[world.aws.account_id]["aws"]  # by HTTP the thousand would take seconds to put
    for number in range(1005):
        backend.put_object(bucket, f"o{number}", b"x")
    assert remaining(world) == 1005
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    empty(world)
    assert remaining(world) == 0


def test_a_bucket_that_is_gone_is_empty_enough(world: World) -> None:
    empty(world)


def test_objects_that_cannot_be_removed_are_an_error_that_names_the_bucket(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    put(world, "test-file")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    with pytest.raises(AwsError, match=f"[Bb]ucket {bucket}"):
        empty(world)
    assert remaining(world) == 1
