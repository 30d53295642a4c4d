"""A bucket is emptied right before its deletion only of what is not a customer's, and only where it is to go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.s3.models import s3_backends

from dataloop_sts.errors import AwsError, GuardRefused
from dataloop_sts.losses import CONFIRM_VARIABLE, objects_lost
from dataloop_sts.steps.empty_bucket import EmptyBucketRequest, empty_bucket
from tests.steps.aws_world import REGION, World


def empty(world: World, on_destroy: str = "delete") -> None:
    """Runs the step of the test's bucket."""
    document = {
        "customer": world.tag,
        "on_destroy": on_destroy,
        "region": REGION,
        "account_id": world.aws.account_id,
        "bucket": f"bucket-{world.tag}",
        "folders": ["raw/"],
    }
    empty_bucket(EmptyBucketRequest.model_validate(document))


def remaining(world: World) -> int:
    """How many versions and delete markers the test's bucket holds."""
    pages = world.s3.get_paginator("list_object_versions").paginate(Bucket=f"bucket-{world.tag}")
    return sum(len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) for page in pages)


def test_a_bucket_with_nothing_of_a_customers_is_emptied(world: World) -> None:
    world.make_bucket()
    world.put("test-file", "raw/test-file", "raw/.dataloop/x", "raw/dataloop-sts-probe-1", "dataloop-sts-probe-2")
    empty(world)
    assert remaining(world) == 0


def test_a_bucket_with_a_customers_object_stays_whole(world: World) -> None:
    world.make_bucket()
    world.put("test-file", "experiments/7/test-file", "team/.dataloop/model.bin")
    with pytest.raises(
        GuardRefused, match=r"nothing was removed from it: .*holds 2 objects: experiments/7/test-file, "
    ):
        empty(world)
    assert remaining(world) == 3


def test_what_a_customer_puts_there_after_the_look_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make_bucket()
    world.put("test-file")

    def look_and_be_late(*of: Any) -> str | None:
        found = objects_lost(*of)
        world.put("late")
        return found

    monkeypatch.setattr("dataloop_sts.steps.empty_bucket.objects_lost", look_and_be_late)
    empty(world)
    assert world.keys(f"bucket-{world.tag}") == ["late"]


@pytest.mark.parametrize("on_destroy", ["refuse", "retain"])
def test_a_bucket_that_is_to_stay_is_never_emptied(
    on_destroy: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    world.make_bucket()
    world.put("test-file", "a")
    with pytest.raises(GuardRefused, match=f"on_destroy: {on_destroy}"):
        empty(world, on_destroy)
    assert remaining(world) == 2


def test_what_a_versioned_bucket_hides_counts_and_goes_only_when_confirmed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    world.put("a", "a", "b")
    world.s3.delete_object(Bucket=bucket, Key="a")
    world.s3.delete_object(Bucket=bucket, Key="b")
    assert world.keys(bucket) == []
    with pytest.raises(GuardRefused, match="holds 2 objects: a, b"):
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
    world.put("test-file")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    with pytest.raises(AwsError, match=f"[Bb]ucket {bucket}"):
        empty(world)
    assert remaining(world) == 1


@pytest.mark.parametrize("on_destroy", ["retain", "refuse", "delete"])
def test_credentials_of_another_account_remove_nothing(
    on_destroy: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = world.make_bucket()
    world.put("test-file")
    open_to_all = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [open_to_all]}
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    for name, value in {**world.elsewhere, CONFIRM_VARIABLE: world.tag}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises((AwsError, GuardRefused), match=r"nothing was touched: use credentials|Nothing was removed"):
        empty(world, on_destroy)
    assert remaining(world) == 1
