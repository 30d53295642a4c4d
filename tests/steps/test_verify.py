"""The verification proves a connection by real calls, and finds each way in which it may be wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dataloop_sts.aws import Aws
from dataloop_sts.steps.verify import verify
from tests.steps.aws_world import World
from tests.steps.verifying import failed, request_of

OUTSIDE = [f"{what} outside the folder" for what in ("list", "get", "delete", "put")]
OWN = re.compile(r"s3://([^/]+)/(\S*dataloop-sts-probe-[0-9a-f]{16})\b")


def not_allowed(**calls: str) -> dict[str, str]:
    """What comes of calls that no policy of the role allows: their actions by their names."""
    return {name: f"refused: no identity-based policy allows s3:{action}" for name, action in calls.items()}


@pytest.mark.parametrize("prefix", [None, "raw"])
@pytest.mark.parametrize("allow_delete", [True, False])
def test_a_connection_as_the_program_makes_it_passes_every_check(
    prefix: str | None, allow_delete: bool, world: World
) -> None:
    connected = world.connect(prefix=prefix, allow_delete=allow_delete)
    report = verify(request_of(connected), seconds=0)
    assert failed(report) == {}
    assert report.ok
    expected = {check.name.partition(": ")[2]: check.expected for check in report.checks[1:]}
    assert expected == {
        "list": "allowed",
        "put": "allowed",
        "get": "allowed",
        "delete": "allowed" if allow_delete else "refused",
        "read the bucket's policy": "refused",
        **(dict.fromkeys(OUTSIDE, "refused") if prefix else {}),
        f"list {connected.bucket}": "refused",
    }


def test_the_probe_is_removed_where_the_role_may_delete(world: World) -> None:
    verify(request_of(world.connect(allow_delete=True)), seconds=0)
    assert world.keys(f"bucket-{world.tag}") == []


@pytest.mark.parametrize(("prefix", "probe"), [(None, "test-file"), ("raw", "raw/test-file")])
def test_the_probe_is_one_well_known_object_where_the_role_may_not_delete(
    prefix: str | None, probe: str, world: World
) -> None:
    connected = world.connect(prefix=prefix, allow_delete=False)
    for _ in range(2):
        verify(request_of(connected), seconds=0)
    assert world.keys(connected.bucket) == [probe]


def test_a_role_that_may_delete_although_it_must_not_is_found(world: World) -> None:
    connected = world.connect(allow_delete=False)
    world.also_grant(connected.role, "s3:DeleteObject", "*")
    assert failed(verify(request_of(connected), seconds=0)) == {"delete": "allowed"}


def test_a_role_that_may_not_delete_although_it_must_is_found_and_its_probe_named(world: World) -> None:
    connected = world.connect(prefix="raw", allow_delete=False)
    found = failed(verify(request_of(connected, allow_delete=True), seconds=0))
    assert list(found) == ["delete"]
    assert found["delete"].startswith("refused: no identity-based policy allows s3:DeleteObject ")
    assert OWN.findall(found["delete"]) == [(connected.bucket, key) for key in world.keys(connected.bucket)]
    assert world.keys(connected.bucket)[0].startswith("raw/")


@pytest.mark.parametrize(
    ("actions", "what"),
    [
        (["s3:ListBucket"], ["list"]),
        (["s3:GetObject"], ["get"]),  # who may not list is refused a key that is not there as well
        (["s3:GetObject", "s3:ListBucket"], ["list", "get"]),
        (["s3:DeleteObject"], ["delete"]),
        (["s3:PutObject", "s3:DeleteObject"], ["delete", "put"]),
    ],
)
def test_a_role_that_reaches_outside_its_folder_is_found(actions: list[str], what: list[str], world: World) -> None:
    connected = world.connect(prefix="raw", allow_delete=True)
    world.also_grant(connected.role, actions, "*")
    found = failed(verify(request_of(connected), seconds=0))
    assert found == {f"{name} outside the folder": "allowed" for name in what}
    assert world.keys(connected.bucket) == []


def test_what_was_written_outside_the_folder_and_cannot_be_removed_is_named(world: World) -> None:
    connected = world.connect(prefix="raw", allow_delete=True)
    world.also_grant(connected.role, "s3:PutObject", "*")
    found = failed(verify(request_of(connected), seconds=1))
    assert list(found) == ["put outside the folder"]
    assert found["put outside the folder"].startswith("allowed ")
    left = world.keys(connected.bucket)
    assert OWN.findall(found["put outside the folder"]) == [(connected.bucket, key) for key in left]
    assert len(left) == 1  # however often it was tried
    assert "/" not in left[0]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("allow_delete", [True, False])
@pytest.mark.parametrize("prefix", [None, "raw"])
def test_a_customers_own_test_file_survives(prefix: str | None, allow_delete: bool, wide: bool, world: World) -> None:
    connected = world.connect(prefix=prefix, allow_delete=allow_delete)
    contents = {"test-file": b"the root's", "raw/test-file": b"the folder's"}
    for key, content in contents.items():
        world.s3.put_object(Bucket=connected.bucket, Key=key, Body=content)
    if wide:
        world.also_grant(connected.role, "s3:*", "*")
    report = verify(request_of(connected), seconds=0)
    assert report.ok is not wide
    read = {
        key: world.s3.get_object(Bucket=connected.bucket, Key=key)["Body"].read()
        for key in world.keys(connected.bucket)
    }
    assert read == contents


@pytest.mark.parametrize("allow_delete", [True, False])
def test_a_versioned_bucket_keeps_nothing_but_the_verifications_own_names(allow_delete: bool, world: World) -> None:
    connected = world.connect(allow_delete=allow_delete)
    enabled = {"Status": "Enabled"}
    world.s3.put_bucket_versioning(Bucket=connected.bucket, VersioningConfiguration=enabled)
    world.s3.put_object(Bucket=connected.bucket, Key="test-file", Body=b"the customer's")
    for _ in range(2):
        assert failed(verify(request_of(connected), seconds=0)) == {}
    listed = world.s3.list_object_versions(Bucket=connected.bucket)
    entries = [*listed["Versions"], *listed.get("DeleteMarkers", [])]
    assert [e["Key"] for e in entries if not e["Key"].startswith("dataloop-sts-probe-")] == ["test-file"]
    assert world.keys(connected.bucket) == ["test-file"]


def test_a_probe_that_cannot_be_read_is_no_success(world: World) -> None:
    connected = world.connect(allow_delete=True)
    statements = [
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    world.iam.put_role_policy(RoleName=connected.role, PolicyName="also", PolicyDocument=document)
    assert failed(verify(request_of(connected), seconds=0)) == {
        "put": "refused: explicit deny in an identity-based policy for s3:PutObject",
        "get": "NoSuchKey",
    }


def test_a_refusal_counts_only_where_a_second_connection_gives_it_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = world.connect(prefix="raw", allow_delete=False)
    made: list[Aws] = []
    really = Aws.s3

    def every_second_reaches_a_host_with_an_old_policy(self: Aws) -> Any:
        made.append(self)
        return really(self) if len(made) % 2 else world.s3

    monkeypatch.setattr(Aws, "s3", every_second_reaches_a_host_with_an_old_policy)
    report = verify(request_of(connected), seconds=0)
    refusals = {c.name.partition(": ")[2]: "allowed" for c in report.checks if c.expected == "refused"}
    assert failed(report) == refusals
    assert len(refusals) == 7


def test_a_role_that_may_do_more_with_the_bucket_is_found(world: World) -> None:
    connected = world.connect()
    world.also_grant(connected.role, "s3:GetBucketPolicy", "*")
    assert failed(verify(request_of(connected), seconds=0)) == {"read the bucket's policy": "allowed"}


def test_a_user_with_a_permission_of_its_own_is_found(world: World) -> None:
    connected = world.connect()
    world.iam.attach_user_policy(UserName=connected.user, PolicyArn=connected.policy_arn)
    assert failed(verify(request_of(connected), seconds=0)) == {f"list {connected.bucket}": "allowed"}


def test_a_role_without_its_policy_fails_at_each_thing_it_must_do(world: World) -> None:
    connected = world.connect(allow_delete=True)
    world.iam.detach_role_policy(RoleName=connected.role, PolicyArn=connected.policy_arn)
    assert failed(verify(request_of(connected), seconds=0)) == not_allowed(
        list="ListBucket", put="PutObject", get="GetObject", delete="DeleteObject"
    )


def test_a_put_is_refused_also_where_the_object_is_there_already(world: World) -> None:
    connected = world.connect(allow_delete=False)
    world.s3.put_object(Bucket=connected.bucket, Key="test-file", Body=b"")
    world.iam.detach_role_policy(RoleName=connected.role, PolicyArn=connected.policy_arn)
    assert failed(verify(request_of(connected), seconds=0)) == not_allowed(
        list="ListBucket", put="PutObject", get="GetObject"
    )


def test_a_user_made_anew_under_the_same_name_is_locked_out(world: World) -> None:
    connected = world.connect()
    world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)
    world.iam.delete_user(UserName=connected.user)
    world.iam.create_user(UserName=connected.user)
    key = world.iam.create_access_key(UserName=connected.user)["AccessKey"]
    connected.access_key_id, connected.secret = key["AccessKeyId"], key["SecretAccessKey"]
    report = verify(request_of(connected), seconds=0)
    assert failed(report) == {"user assumes the role": "refused: no resource-based policy allows sts:AssumeRole"}
    assert len(report.checks) == 1  # without a session there is nothing more to try
    assert not report.ok


@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_wrong_credentials_are_told_by_awss_own_code(wrong: str, world: World) -> None:
    connected = world.connect()
    if wrong == "key":
        world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)
    else:
        connected.secret = "x" * 40
    code = {"secret": "SignatureDoesNotMatch", "key": "InvalidClientTokenId"}[wrong]
    assert failed(verify(request_of(connected), seconds=0)) == {"user assumes the role": code}


def test_a_missing_bucket_is_told_and_never_taken_for_a_refusal(world: World) -> None:
    connected = world.connect(make_bucket=False)
    found = failed(verify(request_of(connected), seconds=0))
    assert found["list"] == "NoSuchBucket"
    assert found["delete"] == "NoSuchBucket"


def test_an_iam_that_settles_late_is_waited_for(world: World) -> None:
    world.aws.consistency_delay_s = 1.5
    connected = world.connect(prefix="raw", allow_delete=False)
    assert not verify(request_of(connected), seconds=0).ok
    report = verify(request_of(connected), seconds=20)
    assert failed(report) == {}


def test_a_refusal_that_is_not_in_force_yet_is_waited_for(world: World) -> None:
    connected = world.connect(allow_delete=True)
    world.aws.consistency_delay_s = 1.5
    document = world.iam.get_policy_version(PolicyArn=connected.policy_arn, VersionId="v1")["PolicyVersion"]["Document"]
    document["Statement"][0]["Action"].remove("s3:DeleteObject")
    world.iam.create_policy_version(
        PolicyArn=connected.policy_arn, PolicyDocument=json.dumps(document), SetAsDefault=True
    )
    request = request_of(connected, allow_delete=False)
    assert failed(verify(request, seconds=0)) == {"delete": "allowed"}
    assert failed(verify(request, seconds=20)) == {}


def test_an_iam_that_never_settles_ends_in_time(world: World) -> None:
    world.aws.consistency_delay_s = 600
    connected = world.connect()
    report = verify(request_of(connected), seconds=0.5)
    assert list(failed(report)) == ["user assumes the role"]


@pytest.mark.parametrize("allow_delete", [True, False])
def test_without_writing_only_listings_and_refusals_are_tried_and_no_object_is_made(
    allow_delete: bool, world: World
) -> None:
    connected = world.connect(prefix="raw", allow_delete=allow_delete)
    report = verify(request_of(connected), seconds=0, writing=False)
    assert report.ok
    assert [check.name.partition(": ")[2] for check in report.checks[1:]] == [
        "list",
        *([] if allow_delete else ["delete"]),
        "read the bucket's policy",
        *OUTSIDE[:3],
        f"list {connected.bucket}",
    ]
    world.also_grant(connected.role, "s3:*", "*")
    assert not verify(request_of(connected), seconds=0, writing=False).ok
    assert world.keys(connected.bucket) == []
