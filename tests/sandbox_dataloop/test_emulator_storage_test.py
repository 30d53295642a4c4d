"""The TEST of a driver, against the sandbox's AWS with IAM enforced: it passes and fails for real reasons."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from sandbox.dataloop.server import DataloopServer

BUCKET = "customer-bucket"


@pytest.fixture
def server(aws):
    running = DataloopServer(aws.endpoint_url)
    running.start()
    yield running
    running.stop()


def _payload(path: str | None = "raw/", bucket: str = BUCKET) -> dict[str, Any]:
    return {"bucketName": bucket, "region": "us-east-1", "path": path, "storageClass": ""}


def _test(owner, options: dict[str, str], **changes: Any):
    """Deposit the options and TEST a driver that does not exist yet."""
    existing = owner.call("GET", owner.integrations).json()
    if existing:
        integration_id = existing[0]["id"]
        credentials = {"type": "aws-sts", "options": options}
        body = {"integrationId": integration_id, "credentials": credentials}
        owner.call("PATCH", owner.integrations, json=body).raise_for_status()
    else:
        integration_id = owner.create_integration(options=options)["id"]
    body = owner.driver_body(integration_id, **{"payload": _payload(), **changes})
    return owner.call("POST", "/drivers/test", json=body)


def _assert_failed(answer, step: str, code: str) -> None:
    assert answer.status_code == 424
    message = answer.json()["message"]
    assert message.startswith(step)
    assert code in message


def test_a_working_connection_passes_and_leaves_the_test_file(owner, customer):
    answer = _test(owner, customer.options)
    assert (answer.status_code, answer.content) == (204, b"")
    assert customer.keys() == ["raw/test-file"]
    assert owner.call("GET", "/drivers").json() == []


def test_the_test_file_is_deleted_where_deletion_is_allowed(owner, customer):
    assert _test(owner, customer.options, allowExternalDelete=True).status_code == 204
    assert customer.keys() == []


@pytest.mark.parametrize(
    ("path", "key"), [(None, "test-file"), ("", "test-file"), ("/", "test-file"), ("/a/b", "a/b/test-file")]
)
def test_the_test_file_lies_under_the_drivers_path(owner, customer, path, key):
    assert _test(owner, customer.options, payload=_payload(path)).status_code == 204
    assert customer.keys() == [key]


def test_a_driver_that_exists_is_tested_with_its_present_settings_and_credentials(owner, customer):
    integration = owner.create_integration(options=customer.options)
    driver = owner.create_driver(integration["id"], payload=_payload())
    assert owner.call("GET", f"/drivers/{driver['id']}/test").status_code == 204

    owner.call("PATCH", f"/drivers/{driver['id']}", json={"payload": {"path": "new/"}}).raise_for_status()
    assert owner.call("GET", f"/drivers/{driver['id']}/test").status_code == 204
    assert customer.keys() == ["new/test-file", "raw/test-file"]

    customer.iam.delete_access_key(UserName="dataloop", AccessKeyId=customer.options["key"])
    _assert_failed(owner.call("GET", f"/drivers/{driver['id']}/test"), "AssumeRole", "InvalidClientTokenId")
    key = customer.iam.create_access_key(UserName="dataloop")["AccessKey"]
    options = {**customer.options, "key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    change = {"integrationId": integration["id"], "credentials": {"type": "aws-sts", "options": options}}
    owner.call("PATCH", owner.integrations, json=change).raise_for_status()
    assert owner.call("GET", f"/drivers/{driver['id']}/test").status_code == 204


def test_wrong_credentials_fail_at_assume_role(owner, customer):
    wrong_secret = "WrongSecretAccessKeyOfFortyCharacters000"
    answer = _test(owner, {**customer.options, "secret": wrong_secret})
    _assert_failed(answer, "AssumeRole", "SignatureDoesNotMatch")
    assert wrong_secret not in answer.text
    answer = _test(owner, {**customer.options, "key": "AKIAUNKNOWNUNKNOWN00"})
    _assert_failed(answer, "AssumeRole", "InvalidClientTokenId")
    answer = _test(owner, {**customer.options, "roleArns": "arn:aws:iam::123456789012:role/unknown"})
    _assert_failed(answer, "AssumeRole arn:aws:iam::123456789012:role/unknown", "AccessDenied")
    assert customer.keys() == []


def test_a_role_that_trusts_somebody_else_fails_at_assume_role(owner, customer):
    other = customer.iam.create_user(UserName="other")["User"]["Arn"]
    customer.trust(other)
    _assert_failed(_test(owner, customer.options), "AssumeRole", "AccessDenied")


@pytest.mark.parametrize(
    ("denied", "step"),
    [
        ("s3:ListBucket", f"ListObjectsV2 s3://{BUCKET}/raw/"),
        ("s3:PutObject", f"PutObject s3://{BUCKET}/raw/test-file"),
        ("s3:GetObject", f"GetObject s3://{BUCKET}/raw/test-file"),
        ("s3:DeleteObject", f"DeleteObject s3://{BUCKET}/raw/test-file"),
    ],
)
def test_each_missing_permission_fails_at_its_step(owner, customer, denied, step):
    customer.permit(*customer.everything_needed, {"Effect": "Deny", "Action": denied, "Resource": "*"})
    _assert_failed(_test(owner, customer.options, allowExternalDelete=True), step, "AccessDenied")


def test_delete_is_not_tried_where_it_is_not_allowed(owner, customer):
    customer.permit(*customer.everything_needed, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})
    assert _test(owner, customer.options, allowExternalDelete=False).status_code == 204


def test_a_role_for_one_folder_serves_a_driver_on_that_folder_only(owner, customer):
    condition = {"StringLike": {"s3:prefix": "raw/*"}}
    customer.permit(
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}", "Condition": condition},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/raw/*"},
    )
    assert _test(owner, customer.options, payload=_payload("raw/")).status_code == 204
    assert _test(owner, customer.options, payload=_payload("raw/deeper")).status_code == 204
    _assert_failed(_test(owner, customer.options, payload=_payload("other/")), "ListObjectsV2", "AccessDenied")
    _assert_failed(_test(owner, customer.options, payload=_payload(None)), "ListObjectsV2", "AccessDenied")


def test_a_bucket_that_does_not_exist_is_said_so(owner, customer):
    customer.permit({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    answer = _test(owner, customer.options, payload=_payload(bucket="no-such-bucket"))
    _assert_failed(answer, "ListObjectsV2 s3://no-such-bucket/", "NoSuchBucket")


def test_a_plain_s3_integration_reaches_the_bucket_without_a_role(owner, aws, customer):
    options = {"key": aws.access_key_id, "secret": aws.secret_access_key}
    integration = owner.create_integration("plain", type="s3", options=options)
    body = owner.driver_body(integration["id"], payload=_payload(), integrationType="s3")
    assert owner.call("POST", "/drivers/test", json=body).status_code == 204
    assert customer.keys() == ["raw/test-file"]


def test_the_developers_own_aws_settings_have_no_part_in_it(aws, customer, monkeypatch, owner_of):
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    isolated = DataloopServer(aws.endpoint_url)
    isolated.start()
    try:
        assert _test(owner_of(isolated), customer.options).status_code == 204
    finally:
        isolated.stop()


def test_an_aws_that_cannot_be_reached_is_a_failed_test_soon(owner_of):
    emulator = DataloopServer("http://127.0.0.1:9")
    emulator.start()
    try:
        owner = owner_of(emulator)
        start = time.monotonic()
        answer = _test(owner, owner.integration_body()["options"])
        _assert_failed(answer, "AssumeRole", "EndpointConnectionError")
        assert time.monotonic() - start < 5
    finally:
        emulator.stop()


def test_a_test_that_waits_for_aws_holds_up_no_other_call(owner_of):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        emulator = DataloopServer(f"http://127.0.0.1:{silent.getsockname()[1]}")
        emulator.start()
        try:
            owner = owner_of(emulator)
            integration = owner.create_integration()
            body = owner.driver_body(integration["id"])
            answers: list[Any] = []
            waiting = threading.Thread(target=lambda: answers.append(owner.call("POST", "/drivers/test", json=body)))
            waiting.start()
            connection, _ = silent.accept()
            start = time.monotonic()
            driver = owner.create_driver(integration["id"])
            assert owner.call("DELETE", f"/drivers/{driver['id']}").status_code == 204
            assert time.monotonic() - start < 2
            assert waiting.is_alive()
            waiting.join(15)
            connection.close()
            _assert_failed(answers[0], "AssumeRole", "ReadTimeoutError")
        finally:
            emulator.stop()
