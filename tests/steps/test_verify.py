"""The verification proves a connection by real calls, and finds each way in which it may be wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from dataloop_sts.verify import Report, Target, VerificationRequest, verify
from tests.steps.aws_world import REGION, Connected, World


def request_of(connected: Connected, **changes: Any) -> VerificationRequest:
    """What the component asks for, with changes to the target."""
    driver = connected.spec.drivers[0]
    target = Target(
        driver=driver.name,
        bucket=driver.bucket.name,
        prefix=driver.prefix or "",
        allow_delete=driver.allow_delete,
        alone=driver.prefix is not None,
    )
    return VerificationRequest(
        region=REGION,
        access_key_id=connected.access_key_id,
        secret_access_key=SecretStr(connected.secret),
        role_arn=connected.role_arn,
        targets=(target.model_copy(update=changes),),
    )


def failed(report: Report) -> dict[str, str]:
    """What came of the checks that do not hold, by their names without the driver's."""
    return {check.name.partition(": ")[2] or check.name: check.actual for check in report.checks if not check.ok}


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
        **({"list outside the folder": "refused", "put outside the folder": "refused"} if prefix else {}),
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


def test_a_role_that_may_not_delete_although_it_must_is_found(world: World) -> None:
    connected = world.connect(allow_delete=False)
    assert failed(verify(request_of(connected, allow_delete=True), seconds=0)) == {"delete": "refused"}


@pytest.mark.parametrize(
    ("action", "what"), [("s3:ListBucket", "list outside the folder"), ("s3:PutObject", "put outside the folder")]
)
def test_a_role_that_reaches_outside_its_folder_is_found(action: str, what: str, world: World) -> None:
    connected = world.connect(prefix="raw")
    world.also_grant(connected.role, action, "*")
    assert failed(verify(request_of(connected), seconds=0)) == {what: "allowed"}


def test_a_role_that_may_do_more_with_the_bucket_is_found(world: World) -> None:
    connected = world.connect()
    world.also_grant(connected.role, "s3:GetBucketPolicy", "*")
    report = failed(verify(request_of(connected), seconds=0))
    assert list(report) == ["read the bucket's policy"]
    assert report["read the bucket's policy"] != "refused"


def test_a_user_with_a_permission_of_its_own_is_found(world: World) -> None:
    connected = world.connect()
    world.iam.attach_user_policy(UserName=connected.user, PolicyArn=connected.policy_arn)
    assert failed(verify(request_of(connected), seconds=0)) == {f"list {connected.bucket}": "allowed"}


def test_a_role_without_its_policy_fails_at_each_thing_it_must_do(world: World) -> None:
    connected = world.connect(allow_delete=True)
    world.iam.detach_role_policy(RoleName=connected.role, PolicyArn=connected.policy_arn)
    assert failed(verify(request_of(connected), seconds=0)) == dict.fromkeys(
        ["list", "put", "get", "delete"], "refused"
    )


def test_a_user_made_anew_under_the_same_name_is_locked_out(world: World) -> None:
    connected = world.connect()
    world.iam.delete_access_key(UserName=connected.user, AccessKeyId=connected.access_key_id)
    world.iam.delete_user(UserName=connected.user)
    world.iam.create_user(UserName=connected.user)
    key = world.iam.create_access_key(UserName=connected.user)["AccessKey"]
    connected.access_key_id, connected.secret = key["AccessKeyId"], key["SecretAccessKey"]
    report = verify(request_of(connected), seconds=0)
    assert failed(report) == {"user assumes the role": "refused"}
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


def run_as_process(stdin: str, world: World, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the step as pulumi-command does: a process, the request on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "dataloop_sts.verify"],
        input=stdin,
        env={"PATH": "/usr/bin:/bin", **world.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stdin_of(connected: Connected) -> str:
    """The request as the component writes it, secret included."""
    document = request_of(connected).model_dump(mode="json") | {"secret_access_key": connected.secret}
    return json.dumps(document)


def test_the_step_prints_a_report_without_secrets_and_exits_with_0(world: World) -> None:
    connected = world.connect(prefix="raw")
    done = run_as_process(stdin_of(connected), world)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert set(report) == {"ok", "checks"}
    assert all(set(check) == {"name", "expected", "actual", "ok"} for check in report["checks"])
    assert connected.secret not in done.stdout


def test_the_step_exits_with_1_and_names_the_check_that_failed_in_one_line(world: World) -> None:
    connected = world.connect()
    world.also_grant(connected.role, "s3:DeleteObject", "*")
    done = run_as_process(stdin_of(connected), world)
    assert done.returncode == 1
    assert f"'driver-{world.tag}: delete': expected refused, got allowed" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["ok"] is False
    assert connected.secret not in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "{}", '{"region": 7, "secret_access_key": "hush-hush"}'])
def test_a_bad_request_is_one_line_and_exit_code_1(text: str, world: World) -> None:
    done = run_as_process(text, world)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The step's request on standard input is not valid at: ")
    assert done.stderr.count("\n") == 1
    assert "hush-hush" not in done.stderr


def test_a_setting_that_makes_no_sense_is_one_line_and_exit_code_1(world: World) -> None:
    done = run_as_process(stdin_of(world.connect()), world, DATALOOP_STS_SETTLE_SECONDS="soon")
    assert done.returncode == 1
    assert "DATALOOP_STS_SETTLE_SECONDS" in done.stderr
    assert done.stderr.count("\n") == 1
