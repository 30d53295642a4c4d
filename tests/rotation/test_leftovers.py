"""What a killed run made is told from what somebody else made, by name, tags, age, use and emptiness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from automation.repair.in_aws import BUCKET, POLICY, ROLE, USER, Foreign, Leftovers, Made, window
from dataloop_sts.aws import Aws
from dataloop_sts.spec import ConnectionSpec
from tests.steps.aws_world import REGION, World

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}'
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"AWS":"arn:aws:iam::123456789012:root"}}]}'
)


@pytest.fixture
def spec(world: World) -> ConnectionSpec:
    """A connection of which nothing is there yet."""
    driver = {"name": "d", "project_id": world.dataloop.project_id, "bucket": {"name": f"bucket-{world.tag}"}}
    data = {"customer": world.tag, "organization_id": "o", "aws": {"region": REGION}, "drivers": [driver]}
    return ConnectionSpec.parse(data, environment="dev")


@pytest.fixture
def leftovers(world: World, spec: ConnectionSpec) -> Callable[..., Leftovers]:
    """Looks at what a run has left that began just now, or at another time."""

    def of(begun: datetime | None = None, last_word: datetime | None = None) -> Leftovers:
        now = datetime.now(UTC)
        run = window(begun or now, last_word or now)
        return Leftovers(Aws(REGION), spec, "dev", world.aws.account_id, run)

    return of


def _tags(spec: ConnectionSpec, **changes: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in {**spec.tags("dev"), **changes}.items()]


def _make(world: World, kind: str, name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """Makes a thing as the provider does; returns what the stack had asked for."""
    if kind == USER:
        world.iam.create_user(UserName=name, Tags=tags)
    elif kind == ROLE:
        world.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=tags)
    else:
        world.iam.create_policy(PolicyName=name, PolicyDocument=DOCUMENT, Tags=tags)
    return {"name": name, "path": "/"}


@pytest.mark.parametrize("kind", [USER, ROLE, POLICY])
def test_an_iam_object_of_our_name_is_ours_by_its_tags(
    kind: str, world: World, spec: ConnectionSpec, leftovers: Callable[..., Leftovers]
) -> None:
    look = leftovers().looks[kind]
    assert look({"name": f"none-{world.tag}"}) is None
    made = look(_make(world, kind, f"ours-{world.tag}", _tags(spec)))
    assert isinstance(made, Made)
    assert made.outputs["arn"].endswith(f"/ours-{world.tag}")
    assert made.id == (made.outputs["arn"] if kind == POLICY else f"ours-{world.tag}")
    if kind == USER:  # which the role's trust policy needs
        assert made.outputs["uniqueId"].startswith("AIDA")

    untagged = look(_make(world, kind, f"untagged-{world.tag}", []))
    assert isinstance(untagged, Foreign) and "without this connection's tags" in untagged.why
    others = _tags(spec, **{"dataloop-sts:customer": "another"})
    assert isinstance(look(_make(world, kind, f"others-{world.tag}", others)), Foreign)


def test_a_bucket_is_ours_while_it_is_empty_made_by_that_run_and_not_tagged_by_others(
    world: World, spec: ConnectionSpec, leftovers: Callable[..., Leftovers]
) -> None:
    bucket = spec.managed_buckets[0]
    inputs = {"bucket": bucket}
    assert leftovers().looks[BUCKET](inputs) is None
    begun = datetime.now(UTC)
    world.make_bucket(bucket)
    # its tags come in a call of its own, which the run may not have got to
    assert leftovers(begun).looks[BUCKET](inputs) == Made(bucket, {"arn": f"arn:aws:s3:::{bucket}"})
    later = begun + timedelta(minutes=10)
    older = leftovers(later, later).looks[BUCKET](inputs)
    assert isinstance(older, Foreign) and "was not made by the run that was killed" in older.why
    world.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _tags(spec)})
    assert isinstance(leftovers(later, later).looks[BUCKET](inputs), Made)
    world.s3.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    full = leftovers(begun).looks[BUCKET](inputs)
    assert isinstance(full, Foreign) and "holds objects" in full.why
    world.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "others"}]})
    tagged = leftovers(begun).looks[BUCKET](inputs)
    assert isinstance(tagged, Foreign) and "without this connection's tags" in tagged.why


def test_a_bucket_of_another_account_is_nothing_that_was_made(
    world: World, spec: ConnectionSpec, leftovers: Callable[..., Leftovers], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_bucket(spec.managed_buckets[0])
    for name, value in world.elsewhere.items():
        monkeypatch.setenv(name, value)
    assert leftovers().looks[BUCKET]({"bucket": spec.managed_buckets[0]}) is None


def test_a_key_that_nobody_can_have_used_is_the_killed_runs_orphan(
    world: World, leftovers: Callable[..., Leftovers]
) -> None:
    user = f"user-{world.tag}"
    now = datetime.now(UTC)
    assert leftovers().unknown_keys(user, frozenset()) == []
    world.iam.create_user(UserName=user)
    ours, unknown = (world.iam.create_access_key(UserName=user)["AccessKey"] for _ in range(2))
    known = frozenset({ours["AccessKeyId"]})
    found = leftovers()
    (key,) = found.unknown_keys(user, known)
    assert key.id == unknown["AccessKeyId"]
    assert found.is_orphan(key)
    assert found.unknown_keys(user, known | {key.id}) == []

    # made before that run began, or long after its last word
    long_ago, ahead = now - timedelta(hours=1), now + timedelta(hours=1)
    assert not leftovers(long_ago, long_ago).is_orphan(key)
    assert not leftovers(ahead, ahead).is_orphan(key)

    # described by somebody
    world.iam.tag_user(UserName=user, Tags=[{"Key": key.id, "Value": "my own"}])
    assert not found.is_orphan(found.unknown_keys(user, known)[0])
    world.iam.untag_user(UserName=user, TagKeys=[key.id])

    # used by somebody, who has its secret
    boto3.client(
        "sts",
        endpoint_url=world.aws.endpoint_url,
        aws_access_key_id=key.id,
        aws_secret_access_key=unknown["SecretAccessKey"],
        region_name=REGION,
    ).get_caller_identity()
    assert not found.is_orphan(found.unknown_keys(user, known)[0])


def test_without_a_lock_only_the_minutes_around_the_states_last_write_count() -> None:
    last = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    minutes = {offset for offset in range(-60, 61) if last + timedelta(minutes=offset) in window(None, last)}
    assert minutes == {-2, -1, 0, 1, 2}
    since = {offset for offset in range(-60, 61) if last + timedelta(minutes=offset) in window(last, last)}
    assert since == {0, 1, 2}
