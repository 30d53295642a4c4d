"""What the preflight says of the user's keys: before a new one is made, at the end of a grace, after a revocation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.iam.models import iam_backends

from dataloop_sts.aws import Aws
from dataloop_sts.preflight import KeyPlan, PreflightRequest
from dataloop_sts.providers.preflight import PreflightProvider
from dataloop_sts.revocation import revoke
from tests.steps.aws_world import REGION, Connected, World
from tests.steps.looking import known, look, problems

GENERATION, RETIRING = "access_key.generation", "access_key.retiring"
Ask = Callable[..., PreflightRequest]


@pytest.fixture
def connected(world: World) -> Iterator[Connected]:
    """User, key, policy, role and bucket, as a stack has made them; looking at them changes nothing."""
    made = world.connect()
    yield made
    assert set(world.calls("POST")) <= {"/datasets/query"}


@pytest.fixture
def ask(world: World, connected: Connected, request_of: Ask) -> Ask:
    """What the stack asks that made the connection, where its last preflight saw ``then``."""
    names = connected.spec.names("dev")
    request = request_of(user=names.user, role=names.role, policy=names.policy, buckets=(connected.bucket,))

    def make(then: KeyPlan | None, **wanted: Any) -> PreflightRequest:
        return known(world, replace(request, key=KeyPlan(**wanted)), key=then)

    return make


def _second_key(world: World, user: str) -> Any:
    return world.iam.create_access_key(UserName=user)["AccessKey"]


def _use(world: World, key: Any) -> None:
    """One call with a key, which IAM notes down."""
    boto3.client(
        "sts",
        endpoint_url=world.aws.endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name=REGION,
    ).get_caller_identity()


def _age(world: World, user: str, key_id: str, by: timedelta) -> None:
    """Makes a key older than it is."""
    keys = iam_backends[world.aws.account_id]["aws"].users[user].access_keys
    key = next(key for key in keys if key.access_key_id == key_id)
    key.create_date -= by


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_a_third_key_is_refused_before_anything_is_made_and_both_keys_are_described(
    world: World, connected: Connected, ask: Ask
) -> None:
    foreign = _second_key(world, connected.user)
    _use(world, foreign)
    _age(world, connected.user, connected.access_key_id, timedelta(days=100))
    described = [{"Key": connected.access_key_id, "Value": "DataLoop reads S3"}]
    world.iam.tag_user(UserName=connected.user, Tags=described)

    found = problems(ask(KeyPlan(generation=1), generation=2))
    assert list(found) == [GENERATION]
    said, today = found[GENERATION], f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"User {connected.user} has two access keys already, and IAM allows no third" in said
    assert f"{connected.access_key_id} (made on" in said
    assert "100 days ago, never used, described as 'DataLoop reads S3')" in said
    assert f"{foreign['AccessKeyId']} (made on {today}, 0 days ago, last used on {today}" in said
    assert f"UTC for sts in {REGION}, without a description)" in said
    for mend in ("output access_key_id", "`dataloop-sts repair`", "delete it, or move its user"):
        assert mend in said
    assert len(world.iam.list_access_keys(UserName=connected.user)["AccessKeyMetadata"]) == 2


@pytest.mark.parametrize(
    ("then", "wanted"),
    [
        (KeyPlan(generation=2), {"generation": 2}),  # both may be the stack's: it is to delete one
        (KeyPlan(generation=2), {"generation": 1}),  # given up: the new one goes, none is made
        (None, {"generation": 2}),  # a stack from before the generations were kept
    ],
)
def test_two_keys_are_in_nobodys_way_where_no_new_one_is_made(
    then: KeyPlan | None, wanted: dict[str, int], world: World, connected: Connected, ask: Ask
) -> None:
    _second_key(world, connected.user)
    assert look(ask(then, **wanted)).problems == ()


def test_one_key_leaves_room_for_the_new_one(ask: Ask, connected: Connected) -> None:
    assert connected.access_key_id
    assert look(ask(KeyPlan(generation=1), generation=2)).problems == ()


def test_a_user_that_is_to_be_taken_over_needs_room_too(world: World, connected: Connected, request_of: Ask) -> None:
    _second_key(world, connected.user)
    adopting = frozenset({f"user {connected.user}"})
    found = problems(request_of(user=connected.user, buckets=(), adopting=adopting))
    assert list(found) == [GENERATION]


def test_only_a_generation_that_the_user_has_can_be_kept(ask: Ask, request_of: Ask) -> None:
    of_three = {"generation": 3, "retiring": 2}
    assert look(ask(KeyPlan(generation=2), **of_three)).problems == ()  # the rotation that keeps it
    assert look(ask(KeyPlan(**of_three), **of_three)).problems == ()  # each run while it is kept
    said = problems(ask(KeyPlan(generation=3), **of_three))[RETIRING]  # it was deleted
    assert "has no key of generation 2 that could be kept" in said
    assert RETIRING in problems(replace(request_of(), key=KeyPlan(**of_three)))  # a new stack
    assert RETIRING in problems(ask(KeyPlan(generation=1), **of_three))


def test_a_renamed_user_has_no_former_key(world: World, ask: Ask) -> None:
    request = ask(KeyPlan(generation=2), generation=3, retiring=2)
    renamed = replace(request, names=request.names.model_copy(update={"user": f"new-{world.tag}"}))
    assert RETIRING in problems(renamed)


def test_a_key_at_the_end_of_its_grace_goes_only_where_nobody_used_it_after_the_hand_over(
    world: World, connected: Connected, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"AccessKeyId": connected.access_key_id, "SecretAccessKey": connected.secret}
    _age(world, connected.user, connected.access_key_id, timedelta(days=1))
    _second_key(world, connected.user)
    _use(world, old)  # by Dataloop, until it got the new one
    request = ask(KeyPlan(generation=2, retiring=1), generation=2)
    with world.preparing():
        world.register(connected, request.names.integration)
    # where Dataloop holds the new key since then, that use was its own
    assert look(request).problems == ()

    time.sleep(0.01)
    _use(world, old)
    assert look(request).problems == (), "a call that was under way at the hand-over"
    monkeypatch.setattr("dataloop_sts.preflight.keys._CALLS_END", timedelta(0))
    said = problems(request)[RETIRING]
    assert f"Access key {connected.access_key_id}, which is to go, was used after Dataloop had got the new one" in said
    assert f"last used on {datetime.now(UTC):%Y-%m-%d}" in said
    assert f"for sts in {REGION}" in said
    assert f"delete-access-key --user-name {connected.user} --access-key-id {connected.access_key_id}" in said

    world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)
    assert look(request).problems == ()


def test_revoked_keys_are_not_switched_on_again_by_the_same_generation(
    world: World, connected: Connected, ask: Ask
) -> None:
    then = KeyPlan(generation=1, since=_ms(datetime.now(UTC) - timedelta(hours=1)))
    assert look(ask(then, generation=1, since=then.since)).problems == ()
    assert [step.error for step in revoke(Aws(REGION), connected.user, connected.role)] == [None, None]

    said = problems(ask(then, generation=1, since=then.since))[GENERATION]
    assert f"The connection was revoked on {datetime.now(UTC):%Y-%m-%d}" in said
    assert "add one to access_key.generation" in said
    assert "rotation was under way" not in said

    # one more is a new key, also in the next run, where the first one failed before it was made
    now = _ms(datetime.now(UTC))
    assert look(ask(then, generation=2, since=now)).problems == ()
    assert look(ask(KeyPlan(generation=2, since=now), generation=2, since=now)).problems == ()
    # given up: the key of before is the one that leaked
    assert GENERATION in problems(ask(KeyPlan(generation=2, since=now), generation=1))


def test_a_revocation_of_long_ago_is_no_matter_once_there_is_a_new_key(
    world: World, connected: Connected, ask: Ask
) -> None:
    list(revoke(Aws(REGION), connected.user, connected.role, datetime.now(UTC) - timedelta(days=1)))
    then = KeyPlan(generation=1, since=_ms(datetime.now(UTC) - timedelta(days=9)))
    assert look(ask(then, generation=1, since=then.since)).problems == ()


def test_a_revocation_in_the_middle_of_a_rotation_has_a_way_out_of_its_own(
    world: World, connected: Connected, ask: Ask
) -> None:
    newer = _second_key(world, connected.user)["AccessKeyId"]
    _age(world, connected.user, connected.access_key_id, timedelta(days=1))
    then = KeyPlan(generation=2, since=_ms(datetime.now(UTC) - timedelta(hours=1)))
    list(revoke(Aws(REGION), connected.user, connected.role))
    said = problems(ask(then, generation=2, since=then.since))[GENERATION]
    assert f"delete {newer} by hand instead, and run `up --refresh`" in said


def test_the_moment_at_which_a_generation_was_first_asked_for_is_kept_from_run_to_run(
    world: World, connected: Connected
) -> None:
    spec, names = connected.spec, connected.spec.names("dev")
    of_names = {"user": names.user, "role": names.role, "policy": names.policy, "integration": names.integration}
    news = {
        "customer": spec.customer,
        "on_destroy": "retain",
        "organization_id": spec.organization_id,
        "region": REGION,
        "sandbox": True,
        "names": {**of_names, "buckets": [connected.bucket], "drivers": []},
        "iam_path": "/",
        "needs": {},
    }

    def since(olds: dict[str, Any], generation: int) -> tuple[dict[str, Any], int]:
        inputs = PreflightProvider().check(olds, {**news, "access_key": {"generation": float(generation)}}).inputs
        return inputs, inputs["access_key"]["since"]

    began = _ms(datetime.now(UTC))
    inputs, first = since({}, 1)
    assert first >= began
    inputs, again = since(inputs, 1)
    assert again == first
    time.sleep(0.002)
    inputs, second = since(inputs, 2)
    assert second > first
    # given up: the key is of before, and since when it has been wanted is not known any more
    inputs, given_up = since(inputs, 1)
    assert given_up == 0
    assert since(inputs, 1)[1] == 0
