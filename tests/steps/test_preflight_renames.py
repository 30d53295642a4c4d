"""The preflight refuses a change that would replace something, says the safe way to it, and lets a safe one through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataloop_sts.losses import CONFIRM_VARIABLE
from dataloop_sts.preflight import Needs, PreflightRequest
from tests.steps.aws_world import World
from tests.steps.looking import known, look, place, problems

OLD = {"user": "old", "role": "old", "policy": "old"}
NEW = {"user": "new", "role": "new", "policy": "new"}


@pytest.fixture
def changed(world: World, request_of: Callable[..., PreflightRequest]) -> Callable[..., PreflightRequest]:
    """A stack that had the old names, asked for others."""

    def make(path: str = "/", **names: str) -> PreflightRequest:
        request = request_of(buckets=(), iam_path=path, **{**OLD, **names})
        return known(world, request, **OLD)

    return make


@pytest.mark.parametrize("value", ["", "1", "another"])
@pytest.mark.parametrize(
    ("names", "path", "said"),
    [
        (NEW, "/", "replace user old by new, role old by new, policy old by new."),
        ({"user": "new", "role": "newer"}, "/", "replace user old by new, role old by newer."),
        ({"role": "new"}, "/", "replace role old by new."),
        ({"policy": "new"}, "/", "replace policy old by new."),
        ({"role": "new", "policy": "new"}, "/dataloop/", "replace role old by new, policy old by new."),
    ],
)
def test_new_names_of_iam_objects_need_a_confirmation_and_may_then_be_made_beside_the_old_ones(
    names: dict[str, str],
    path: str,
    said: str,
    value: str,
    world: World,
    changed: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = changed(path, **names)
    monkeypatch.setenv(CONFIRM_VARIABLE, value)
    found = problems(request)
    assert list(found) == ["aws.names"]
    assert said in found["aws.names"]
    assert f"To go on all the same, set {CONFIRM_VARIABLE}={world.tag} for this one run." in found["aws.names"]
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert problems(request) == {}


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize(
    ("names", "path", "where", "said"),
    [
        ({}, "/dataloop/", ["aws.iam_path"] * 2, "IAM cannot move role old from / to /dataloop/: give it another name"),
        ({"policy": "new"}, "/d/", ["aws.iam_path"], "IAM cannot move role old from / to /d/"),
        ({"role": "new", "user": "new"}, "/d/", ["aws.iam_path"], "IAM cannot move policy old from / to /d/"),
        ({"user": "new"}, "/", ["aws.names.role"], "Role old trusts user old alone: give it another name together"),
        ({"role": "OLD"}, "/", ["aws.names.role"], "To IAM OLD and old are one name"),
    ],
)
def test_a_replacement_that_cannot_be_there_beside_the_old_one_is_refused_whatever_is_confirmed(
    names: dict[str, str],
    path: str,
    where: list[str],
    said: str,
    confirmed: bool,
    world: World,
    changed: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if confirmed:
        monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    found = look(changed(path, **names)).problems
    assert [problem.path for problem in found] == where
    assert found[0].message.startswith(said)


def test_a_user_may_be_moved_and_the_integration_renamed_in_place(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    request = request_of(buckets=(), iam_path="/d/", integration=f"renamed-{world.tag}", role="new", policy="new")
    found = problems(known(world, request, role="old", policy="old", integration="former"))
    assert "replace role old by new, policy old by new." in found.pop("aws.names")
    assert found == {}


def test_a_driver_that_is_to_leave_its_bucket_is_refused_unless_confirmed(
    world: World, request_of: Callable[..., PreflightRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = place(world, bucket="b2", name="new", former_name=f"driver-{world.tag}")
    assert "drivers[].bucket" in problems(known(world, request_of(drivers=(renamed,)), drivers=(place(world),)))
    request = known(world, request_of(buckets=("b2",), drivers=(place(world, bucket="b2"),)), drivers=(place(world),))
    found = problems(request)
    assert list(found) == ["drivers[].bucket"]
    name, bucket = f"driver-{world.tag}", f"bucket-{world.tag}"
    assert found["drivers[].bucket"].startswith(f"Driver '{name}' cannot leave bucket {bucket}: it would be deleted")
    assert "add a second driver, of another name, for b2" in found["drivers[].bucket"]
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    assert problems(request) == {}


def test_the_safe_way_to_another_bucket_is_a_second_driver_and_then_the_end_of_the_first(
    world: World, request_of: Callable[..., PreflightRequest]
) -> None:
    first, second = place(world), place(world, name="second", bucket="b2")
    both: dict[str, Any] = {"drivers": (first, second), "buckets": (first.bucket, "b2")}
    assert problems(known(world, request_of(**both), drivers=(first,), buckets=(first.bucket,))) == {}
    assert problems(known(world, request_of(drivers=(second,), buckets=("b2",)), **both)) == {}


@pytest.mark.parametrize(
    ("on_destroy", "where"),
    [("retain", []), ("refuse", ["on_destroy"]), ("delete", ["drivers[].bucket.existing"])],
)
def test_a_bucket_is_handed_over_only_where_it_stays(
    on_destroy: str,
    where: list[str],
    world: World,
    request_of: Callable[..., PreflightRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CONFIRM_VARIABLE, world.tag)
    bucket = world.close_bucket(world.make_bucket())
    request = request_of(buckets=(), needs=Needs(existing_buckets=(bucket,)))
    assert list(problems(known(world, request, buckets=(bucket,), on_destroy=on_destroy))) == where
