"""The role with which pull requests are previewed: as docs/pull-requests.md has it, and of no more than is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataloop_sts.preflight import Needs, PreflightRequest
from tests.steps.aws_world import World
from tests.steps.looking import known, look

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pull-requests.md"
Ask = Callable[..., PreflightRequest]
Become = Callable[..., None]


@pytest.fixture
def become(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Become]:
    """Gives the shell the credentials of a user who has the page's policy, without the statements that are named."""
    found = re.search(r"<!-- permission policy -->\s+```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    document: dict[str, Any] = json.loads(found[1].replace("ACCOUNT", world.aws.account_id))
    user = f"reader-{world.tag}"
    world.iam.create_user(UserName=user)
    made = world.iam.create_access_key(UserName=user)["AccessKey"]

    def as_reader(*without: str) -> None:
        statements = [each for each in document["Statement"] if each["Sid"] not in without]
        assert len(document["Statement"]) - len(statements) == len(without)
        policy = json.dumps(document | {"Statement": statements})
        world.iam.put_user_policy(UserName=user, PolicyName="read", PolicyDocument=policy)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])

    yield as_reader
    world.iam.delete_user_policy(UserName=user, PolicyName="read")
    world.iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
    world.iam.delete_user(UserName=user)


@pytest.fixture
def ask(world: World, request_of: Ask) -> Ask:
    """A request of a connection with the names that the page takes for granted."""
    name = f"dataloop-{world.tag}"
    return lambda **changes: request_of(**{"user": name, "role": name, "policy": name, "buckets": (name,)} | changes)


@pytest.fixture
def with_needs(world: World, ask: Ask) -> PreflightRequest:
    """A connection that needs a bucket that is there, its key and a boundary."""
    bucket, key = world.close_bucket(world.make_bucket(f"dataloop-theirs-{world.tag}")), world.make_key()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    world.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    boundary = world.make_policy(f"boundary-{world.tag}", "s3:*")
    needs = {"existing_buckets": (bucket,), "bucket_keys": {bucket: key}, "kms_key_arns": (key,)}
    return replace(ask(), needs=Needs(**needs, permissions_boundary=boundary))


def test_it_is_enough_for_a_new_customer_and_one_who_is_there(
    world: World, ask: Ask, with_needs: PreflightRequest, become: Become
) -> None:
    name = f"dataloop-old-{world.tag}"
    world.iam.create_user(UserName=name)
    world.iam.create_access_key(UserName=name)
    world.close_bucket(world.make_bucket(name))
    there = known(world, ask(user=name, buckets=(name,)))
    become()
    assert look(with_needs).problems == ()
    assert look(there).problems == ()


@pytest.mark.parametrize("statement", ["SeeBuckets", "SeeKeys", "ReadBuckets", "ReadUser", "ReadRole", "ReadPolicies"])
def test_none_of_what_the_preflight_reads_could_be_left_out(
    statement: str, with_needs: PreflightRequest, become: Become
) -> None:
    become(statement)
    assert look(with_needs).problems
