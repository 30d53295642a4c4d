"""The provider's setting `assumeRoles`, through a served plugin, on the sandbox AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from plugin_driver import PluginProcess, call_error, start_plugin, stop_plugin

from sandbox.aws.server import AwsServer
from sandbox.plugins.aws import assume_roles
from sandbox.plugins.aws.clients import Clients
from sandbox.plugins.aws.config import parse

USER = "aws:iam/user:User"
EXTERNAL_ID = "customer-4711"
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"


@pytest.fixture(scope="module")
def deployer(aws_server: AwsServer, iam: Any) -> str:
    """The ARN of a role in the customer's account that the other account may assume with the external id."""
    condition = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    return _make_role(iam, aws_server.other_account_id, condition)


def _make_role(iam: Any, principal: str, condition: dict[str, Any] | None = None) -> str:
    name = f"plugin-test-{uuid.uuid4().hex[:12]}"
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(statement))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_document(ALL))
    return str(role["Arn"])


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def settings(aws_settings: dict[str, Any], aws_server: AwsServer) -> dict[str, Any]:
    """The provider's settings with credentials of another account than the customer's, whose is the one allowed."""
    keys = {
        "accessKey": aws_server.other_account_access_key_id,
        "secretKey": aws_server.other_account_secret_access_key,
    }
    return aws_settings | keys


@pytest.fixture
def plugin() -> Iterator[PluginProcess]:
    process = start_plugin("sandbox.plugins.aws")
    yield process
    stop_plugin(process)


def assuming(settings: dict[str, Any], *roles: dict[str, Any]) -> dict[str, Any]:
    return settings | {"assumeRoles": json.dumps(roles)}


def test_every_call_is_made_as_the_role_in_its_account(
    plugin: PluginProcess, settings: dict[str, Any], deployer: str, aws_server: AwsServer, iam: Any, s3: Any
) -> None:
    role = {"roleArn": deployer, "externalId": EXTERNAL_ID, "sessionName": "dataloop-sts", "duration": "1h"}
    assert plugin.check_config(assuming(settings, role)) == {}
    plugin.configure(assuming(settings, role))
    identity = plugin.invoke(IDENTITY)
    assert identity["accountId"] == aws_server.account_id
    assert identity["arn"] == f"{deployer.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/dataloop-sts"

    name = f"plugin-test-{uuid.uuid4().hex[:12]}"
    user, bucket = plugin.resource(USER), plugin.resource("aws:s3/bucket:Bucket")
    user.create({"name": name})
    bucket.create({"bucket": name})
    assert iam.get_user(UserName=name)["User"]["Arn"] == user.outputs["arn"]
    assert name in {found["Name"] for found in s3.list_buckets()["Buckets"]}
    user.delete()
    bucket.delete()


@pytest.mark.parametrize("role", [{"externalId": "wrong"}, {}, {"roleArn": "arn:aws:iam::123456789012:role/none"}])
def test_a_role_that_cannot_be_assumed_is_one_clear_line(
    plugin: PluginProcess, settings: dict[str, Any], deployer: str, role: dict[str, str]
) -> None:
    wanted = {"roleArn": deployer, **role}
    error = call_error(plugin.configure, assuming(settings, wanted))
    start = f"Cannot assume IAM Role: IAM Role ({wanted['roleArn']}) cannot be assumed: AccessDenied"
    assert error.details().startswith(start)
    assert error.details().endswith("check the role's ARN, the external id, and whom its trust policy allows")
    assert "\n" not in error.details() and settings["secretKey"] not in error.details()


def test_wrong_credentials_are_not_blamed_on_the_role(
    plugin: PluginProcess, settings: dict[str, Any], deployer: str
) -> None:
    wrong = assuming(settings | {"secretKey": "x" * 40}, {"roleArn": deployer, "externalId": EXTERNAL_ID})
    error = call_error(plugin.configure, wrong)
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert f"refused the credentials (access key id {settings['accessKey']})" in error.details()
    assert "external id" not in error.details()


def test_the_allowed_account_is_that_of_the_role(
    plugin: PluginProcess, settings: dict[str, Any], deployer: str, aws_server: AwsServer
) -> None:
    role = {"roleArn": deployer, "externalId": EXTERNAL_ID}
    own = json.dumps([aws_server.other_account_id])
    details = call_error(plugin.configure, assuming(settings | {"allowedAccountIds": own}, role)).details()
    assert f"belong to account {aws_server.account_id}" in details and aws_server.other_account_id in details


def test_roles_are_assumed_one_by_the_session_of_the_other(
    plugin: PluginProcess, settings: dict[str, Any], deployer: str, iam: Any
) -> None:
    last = _make_role(iam, deployer)
    first = {"roleArn": deployer, "externalId": EXTERNAL_ID}
    plugin.configure(assuming(settings, first, {"roleArn": last}))
    assert last.rsplit("/", maxsplit=1)[1] in plugin.invoke(IDENTITY)["arn"]
    error = call_error(plugin.configure, assuming(settings, {"roleArn": last}))
    assert error.details().startswith(f"Cannot assume IAM Role: IAM Role ({last}) cannot be assumed: AccessDenied")


def test_a_session_policy_narrows_the_role(plugin: PluginProcess, settings: dict[str, Any], deployer: str) -> None:
    policy = _document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    plugin.configure(assuming(settings, {"roleArn": deployer, "externalId": EXTERNAL_ID, "policy": policy}))
    error = call_error(plugin.resource(USER).create, {"name": "refused-to-the-session"})
    assert error.details().startswith("creating IAM user (refused-to-the-session): AccessDenied")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"roleArn": "arn:aws:iam::123456789012:role/r"}, "must be a list of objects"),
        ([{}], "assumeRoles[0].roleArn must be the ARN of an IAM role, not None"),
        ([{"roleArn": "deployer"}], "assumeRoles[0].roleArn must be the ARN of an IAM role, not 'deployer'"),
        ([{"roleArn": "arn:aws:iam::123456789012:role/r", "duration": "10m"}], "15 minutes (15m) and 12 hours (12h)"),
        ([{"roleArn": "arn:aws:iam::123456789012:role/r", "duration": "900"}], 'such as "15m" or "1h"'),
        ([{"roleArn": "arn:aws:iam::123456789012:role/r", "duration": 900}], ".duration must be a string"),
        ([{"roleArn": "arn:aws:iam::123456789012:role/r", "tags": {}}], "assumeRoles[0].tags is not served"),
    ],
)
def test_a_role_that_cannot_be_honoured_is_refused(
    plugin: PluginProcess, settings: dict[str, Any], value: Any, part: str
) -> None:
    problems = plugin.check_config(settings | {"assumeRoles": json.dumps(value)})
    assert set(problems) == {"assumeRoles"} and part in problems["assumeRoles"]


def test_a_session_is_renewed_before_it_ends(
    settings: dict[str, Any], deployer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = timedelta()
    now = assume_roles._now
    monkeypatch.setattr(assume_roles, "_now", lambda: now() + late)
    clients = Clients(parse(assuming(settings, {"roleArn": deployer, "externalId": EXTERNAL_ID})))
    clients.sign_in()
    used = []
    clients.iam.meta.events.register("before-send", lambda request, **_: used.append(_key_of(request)))
    for minutes in (0, 9, 14):
        late = timedelta(minutes=minutes)
        clients.iam.list_users()
    assert used[0] == used[1] != used[2]


def _key_of(request: Any) -> str:
    return str(request.headers["Authorization"]).split("Credential=")[1].split("/")[0]
