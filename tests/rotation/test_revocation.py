"""A connection that is shut off at once: what is dead, what is told, and that it can be done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from dataloop_sts.aws import Aws
from dataloop_sts.revocation import Step, revoke, revoked_at
from tests.steps.aws_world import REGION, Connected, World


def _session(world: World, connected: Connected, key_id: str, secret: str) -> Any:
    """S3 as the role, by a key."""
    sts = boto3.client(
        "sts",
        endpoint_url=world.aws.endpoint_url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name=REGION,
    )
    given = sts.assume_role(RoleArn=connected.role_arn, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=world.aws.endpoint_url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=REGION,
    )


def _code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def _told(steps: list[Step]) -> list[str]:
    assert [step.error for step in steps] == [None] * len(steps)
    return [step.what for step in steps]


def test_keys_and_sessions_are_dead_at_once_and_a_new_key_begins_new_ones(world: World) -> None:
    connected = world.connect()
    s3 = _session(world, connected, connected.access_key_id, connected.secret)
    s3.list_objects_v2(Bucket=connected.bucket)

    told = _told(list(revoke(Aws(REGION), connected.user, connected.role)))
    assert told[0] == f"access key {connected.access_key_id}: switched off"
    assert told[1].startswith(f"role {connected.role}: every session that began before 20")
    assert _code(s3.list_objects_v2, Bucket=connected.bucket) == "AccessDenied"
    with pytest.raises(ClientError):
        _session(world, connected, connected.access_key_id, connected.secret)

    key = world.iam.create_access_key(UserName=connected.user)["AccessKey"]
    _session(world, connected, key["AccessKeyId"], key["SecretAccessKey"]).list_objects_v2(Bucket=connected.bucket)
    assert _code(s3.list_objects_v2, Bucket=connected.bucket) == "AccessDenied"


def test_the_document_is_the_one_that_the_console_writes(world: World) -> None:
    connected = world.connect()
    moment = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
    list(revoke(Aws(REGION), connected.user, connected.role, moment))
    live = world.iam.get_role_policy(RoleName=connected.role, PolicyName="AWSRevokeOlderSessions")["PolicyDocument"]
    assert live == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-03-04T05:06:07.890Z"}},
            }
        ],
    }
    assert revoked_at(Aws(REGION).iam(), connected.role) == moment


def test_done_again_it_refuses_the_sessions_of_in_between_too(world: World) -> None:
    connected = world.connect()
    second = world.iam.create_access_key(UserName=connected.user)["AccessKey"]
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    first = _told(list(revoke(Aws(REGION), connected.user, connected.role, earlier)))
    assert first[:2] == [f"access key {key}: switched off" for key in (connected.access_key_id, second["AccessKeyId"])]
    again = _told(list(revoke(Aws(REGION), connected.user, connected.role)))
    assert again[:2] == [
        f"access key {key}: was off already" for key in (connected.access_key_id, second["AccessKeyId"])
    ]
    assert (revoked_at(Aws(REGION).iam(), connected.role) or earlier) > earlier


def test_what_cannot_be_done_is_told_and_keeps_nothing_else_from_being_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = world.connect()
    # somebody who may look at the keys and write to the role, but not switch a key off
    world.iam.create_user(UserName=f"helper-{world.tag}")
    may = {"Effect": "Allow", "Action": ["iam:ListAccessKeys", "iam:PutRolePolicy"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    world.iam.put_user_policy(UserName=f"helper-{world.tag}", PolicyName="may", PolicyDocument=document)
    helper = world.iam.create_access_key(UserName=f"helper-{world.tag}")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", helper["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", helper["SecretAccessKey"])

    keys, sessions = revoke(Aws(REGION), connected.user, connected.role)
    assert "AccessDenied" in str(keys.error)
    assert f"switch access key {connected.access_key_id} off" in str(keys.error)
    assert sessions.error is None
    assert revoked_at(world.iam, connected.role) is not None


def test_what_is_gone_needs_no_revocation(world: World) -> None:
    told = _told(list(revoke(Aws(REGION), f"no-user-{world.tag}", f"no-role-{world.tag}")))
    assert told == [
        f"user no-user-{world.tag}: is gone, and its keys with it",
        f"role no-role-{world.tag}: is gone, and its sessions end",
    ]
    assert revoked_at(world.iam, f"no-role-{world.tag}") is None


def test_an_inline_policy_of_that_name_and_another_form_is_no_revocation(world: World) -> None:
    connected = world.connect()
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    world.iam.put_role_policy(
        RoleName=connected.role, PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(document)
    )
    assert revoked_at(world.iam, connected.role) is None
