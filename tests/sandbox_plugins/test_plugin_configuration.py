"""The provider's configuration, its functions, and how a plugin process starts and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from plugin_driver import CHECKOUT, PluginProcess, call_error, start_plugin, stop_plugin
from pulumi.runtime.proto import provider_pb2, status_pb2

from sandbox.aws.server import AwsServer
from sandbox.plugins.values import UNKNOWN, marshal, unmarshal

OFFICIAL = "pulumi plugin install resource aws v7.51.1"


@pytest.fixture(scope="module")
def plugin() -> Iterator[PluginProcess]:
    """A plugin whose environment names no credentials and no region."""
    process = start_plugin("sandbox.plugins.aws")
    yield process
    stop_plugin(process)


def test_the_sdks_settings_are_accepted(plugin: PluginProcess, aws_settings: dict[str, Any]) -> None:
    assert plugin.check_config(aws_settings) == {}
    answer = plugin.configure(aws_settings)
    assert answer.supportsPreview and not answer.acceptSecrets


@pytest.mark.parametrize(
    ("settings", "name", "part"),
    [
        ({"endpoints": None}, "endpoints", OFFICIAL),
        ({"endpoints": "[]"}, "endpoints", OFFICIAL),
        ({"endpoints": '[{"s3": "https://s3.eu-west-1.amazonaws.com"}]'}, "endpoints", OFFICIAL),
        ({"endpoints": '[{"s3": "http://127.0.0.1.example.com"}]'}, "endpoints", OFFICIAL),
        ({"endpoints": '[{"iam": "http://10.0.0.1:80"}]'}, "endpoints", OFFICIAL),
        ({"endpoints": '[{"ec2": "http://127.0.0.1:80"}]'}, "endpoints", "ec2 is not served"),
        ({"endpoints": "nonsense"}, "endpoints", "not JSON"),
        ({"httpProxy": "http://proxy.example.com:3128"}, "httpProxy", OFFICIAL),
        ({"profile": "default"}, "profile", "profile is not served"),
        ({"regoin": "us-east-1"}, "regoin", "regoin is not served"),
        ({"region": "atlantis"}, "region", "invalid AWS Region: atlantis"),
        ({"region": None}, "region", "AWS_REGION"),
        ({"s3UsePathStyle": '"yes"'}, "s3UsePathStyle", "true or false"),
        ({"allowedAccountIds": '["12"]'}, "allowedAccountIds", "12 digits"),
        ({"ignoreTags": '{"key_prefixes": ["x"]}'}, "ignoreTags", "key_prefixes is not served"),
        ({"defaultTags": '{"tags": ["x"]}'}, "defaultTags", "must be a dict"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_refused(
    plugin: PluginProcess, aws_settings: dict[str, Any], settings: dict[str, Any], name: str, part: str
) -> None:
    changed = {key: value for key, value in {**aws_settings, **settings}.items() if value is not None}
    problems = plugin.check_config(changed)
    assert set(problems) == {name} and part in problems[name]
    error = call_error(plugin.configure, changed)
    assert part in error.details() and error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_unknown_settings_are_left_for_the_update(plugin: PluginProcess, aws_settings: dict[str, Any]) -> None:
    assert plugin.check_config({**aws_settings, "region": UNKNOWN, "allowedAccountIds": UNKNOWN}) == {}


def test_a_changed_endpoint_updates_the_provider_and_replaces_nothing(
    plugin: PluginProcess, aws_settings: dict[str, Any]
) -> None:
    from pulumi.runtime.proto import provider_pb2

    news = {**aws_settings, "endpoints": '[{"s3": "http://127.0.0.1:1"}]'}
    request = provider_pb2.DiffRequest(old_inputs=marshal(aws_settings), news=marshal(news))
    answer = plugin.stub.DiffConfig(request, timeout=10)
    assert list(answer.diffs) == ["endpoints"] and not answer.replaces
    same = plugin.stub.DiffConfig(
        provider_pb2.DiffRequest(old_inputs=marshal(aws_settings), news=marshal(aws_settings)), timeout=10
    )
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_credentials_of_another_account_are_refused_with_both_accounts_named(
    plugin: PluginProcess, aws_settings: dict[str, Any], aws_server: AwsServer
) -> None:
    other = {
        **aws_settings,
        "accessKey": aws_server.other_account_access_key_id,
        "secretKey": aws_server.other_account_secret_access_key,
        "skipCredentialsValidation": "true",
    }
    details = call_error(plugin.configure, other).details()
    assert aws_server.account_id in details and aws_server.other_account_id in details and "\n" not in details
    both = {**other, "skipRequestingAccountId": "true"}
    assert "cannot be checked" in call_error(plugin.configure, both).details()


def test_wrong_credentials_are_one_clear_line_without_the_secret(
    plugin: PluginProcess, aws_settings: dict[str, Any]
) -> None:
    secret = "wrong-secret-" + "x" * 27
    error = call_error(plugin.configure, {**aws_settings, "secretKey": secret})
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "refused the credentials" in error.details() and aws_settings["accessKey"] in error.details()
    assert secret not in error.details() and "\n" not in error.details()


def test_missing_credentials_are_one_clear_line(plugin: PluginProcess, aws_settings: dict[str, Any]) -> None:
    bare = {key: value for key, value in aws_settings.items() if key not in ("accessKey", "secretKey")}
    error = call_error(plugin.configure, bare)
    assert error.details().startswith("no AWS credentials: set AWS_ACCESS_KEY_ID")


def test_an_endpoint_that_does_not_answer_says_where_to_look(
    plugin: PluginProcess, aws_settings: dict[str, Any]
) -> None:
    closed = {**aws_settings, "endpoints": '[{"sts": "http://127.0.0.1:1"}]'}
    details = call_error(plugin.configure, closed).details()
    assert "http://127.0.0.1:1" in details and "python -m sandbox status" in details


def test_wrong_credentials_that_were_not_validated_are_clear_at_the_first_call(
    aws_settings: dict[str, Any],
) -> None:
    process = start_plugin("sandbox.plugins.aws")
    unchecked = {key: value for key, value in aws_settings.items() if key != "allowedAccountIds"}
    process.configure(
        {
            **unchecked,
            "secretKey": "x" * 40,
            "skipCredentialsValidation": "true",
            "skipRequestingAccountId": "true",
        }
    )
    details = call_error(process.resource("aws:iam/user:User").create, {"name": "nobody"}).details()
    assert details.startswith("creating IAM user (nobody): AWS refused the credentials")
    stop_plugin(process)


def test_the_functions_answer_for_the_configured_account(aws_plugin: PluginProcess, aws_server: AwsServer) -> None:
    identity = aws_plugin.invoke("aws:index/getCallerIdentity:getCallerIdentity")
    assert identity["accountId"] == identity["id"] == aws_server.account_id
    assert identity["arn"].startswith(f"arn:aws:iam::{aws_server.account_id}:")
    partition = aws_plugin.invoke("aws:index/getPartition:getPartition")
    assert partition == {
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "partition": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    }
    assert "is not served" in call_error(aws_plugin.invoke, "aws:index/getRegion:getRegion").details()


def test_what_was_created_but_cannot_be_read_is_recorded_and_mended(
    aws_settings: dict[str, Any], aws_plugin: PluginProcess, iam: Any
) -> None:
    name = f"plugin-test-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": ["iam:CreateUser", "iam:TagUser"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="create-only", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    blind = start_plugin("sandbox.plugins.aws")
    settings = {name: value for name, value in aws_settings.items() if name != "allowedAccountIds"}
    blind.configure({**settings, "accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]})
    inputs = {"name": f"{name}-made", "tags": {"team": "data"}}
    error = call_error(blind.resource("aws:iam/user:User").create, inputs)
    stop_plugin(blind)

    assert "it was created, but: AccessDenied" in error.details()
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == f"{name}-made" and list(detail.reasons) == [error.details()]

    user = aws_plugin.resource("aws:iam/user:User")
    user.id, user.outputs = detail.id, unmarshal(detail.properties)
    assert user.update(inputs)["tagsAll"] == {"managed-by": "pulumi", "team": "data"}
    assert user.changes(inputs) == {}
    user.delete()


@pytest.mark.parametrize("module", ["sandbox.plugins.aws", "sandbox.plugins.command"])
def test_a_plugin_ends_with_the_process_that_started_it(module: str, tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"plugin = subprocess.Popen([sys.executable, '-m', '{module}'], stdout=subprocess.PIPE, text=True)\n"
        "print(plugin.stdout.readline().strip(), plugin.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert parent.stdout is not None
    port, pid = parent.stdout.readline().split()
    assert int(port) > 0 and _lives(int(pid))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while _lives(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(int(pid))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", maxsplit=1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_json_text_of_endpoints_may_leave_services_out(plugin: PluginProcess, aws_settings: dict[str, Any]) -> None:
    only = json.loads(aws_settings["endpoints"])[0]
    plugin.configure({**aws_settings, "endpoints": json.dumps([{"sts": only["sts"], "iam": None}])})
    details = call_error(plugin.resource("aws:iam/user:User").create, {"name": "nobody"}).details()
    assert "no endpoint is given for iam" in details and OFFICIAL in details
