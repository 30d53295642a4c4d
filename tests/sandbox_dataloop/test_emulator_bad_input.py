"""Whatever is sent, the answer is JSON and never a server error, and bad input changes nothing."""

from __future__ import annotations

import socket
from urllib.parse import quote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"Content-Type": "application/json"}
KEY = "AKIAEMULATORTEST0001"
ARN = "arn:aws:iam::123456789012:role/dataloop"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{'a': 1}",
        b'{"a": NaN}',
        b"\xff\xfe{",
        b"[" * 200_000,
        b'{"page": ' + b"9" * 10_000 + b"}",
    ],
    ids=range(10),
)
def test_a_body_that_is_no_json_object_is_a_400(owner, content):
    for method, path in [("POST", owner.integrations), ("PATCH", owner.integrations), ("POST", "/datasets/query")]:
        assert owner.call(method, path, data=content, headers=JSON).status_code == 400


def test_a_body_of_another_type_or_of_no_bounds_is_refused(owner):
    assert owner.call("POST", owner.integrations, data={"name": "form"}).status_code == 400
    oversized = owner.call("POST", owner.integrations, data=b" " * 2_000_000, headers=JSON)
    assert oversized.status_code == 413


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "aws-cross"}, "type"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"options": None}, "options"),
        ({"options": {}}, "options.key"),
        ({"options": {"key": KEY, "secret": "s"}}, "options.roleArns"),
        ({"options": {"key": KEY, "secret": "s", "roleArns": [ARN]}}, "options.roleArns"),
        ({"options": {"key": KEY, "secret": "s", "roleArns": "arn:aws:iam::1:role/x"}}, "options.roleArns"),
        ({"options": {"key": KEY, "secret": "s", "roleArns": ARN.replace("role", "user")}}, "options.roleArns"),
        ({"options": {"key": KEY, "secret": "", "roleArns": ARN}}, "options.secret"),
        ({"options": {"key": "not a key", "secret": "s", "roleArns": ARN}}, "options.key"),
        ({"options": {"key": KEY, "secret": "s", "roleArns": ARN, "region": "x"}}, "options.region"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_field_of_an_integration_is_named(owner, changes, field):
    answer = owner.call("POST", owner.integrations, json=owner.integration_body(**changes))
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{field}: ")
    assert owner.call("GET", owner.integrations).json() == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": None},
        {"name": ""},
        {"credentials": {"type": "aws-sts"}},
        {"credentials": {"type": "aws-sts", "options": {"secret": "alone"}}},
        {"credentials": {"options": {"key": KEY, "secret": "s", "roleArns": ARN}}},
        {"unknown": 1},
    ],
)
def test_a_wrong_change_of_an_integration_is_refused(owner, change):
    integration = owner.create_integration()
    body = {"integrationId": integration["id"], **change}
    assert owner.call("PATCH", owner.integrations, json=body).status_code == 400
    assert owner.call("PATCH", owner.integrations, json={"name": "no id", **change}).status_code == 400
    assert owner.call("PATCH", owner.integrations, json={"integrationId": "unknown", "name": "x"}).status_code == 404
    misspelt = owner.call("PATCH", f"{owner.integrations}?reloadServices=yes", json={**body, "name": "x"})
    assert misspelt.status_code == 400
    assert owner.call("GET", owner.integrations).json() == [integration]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "bucketName"),
        ({"bucketName": "Capitals"}, "bucketName"),
        ({"bucketName": "ab"}, "bucketName"),
        ({"bucketName": "good-name", "region": "Ireland"}, "region"),
        ({"bucketName": "good-name", "path": 3}, "path"),
        ({"bucketName": "good-name", "path": "a\x00b"}, "path"),
        ({"bucketName": "good-name", "storageClass": "COLD"}, "storageClass"),
        ({"bucketName": "good-name", "allowExternalDelete": "false"}, "allowExternalDelete"),
        ({"bucketName": "good-name", "endpoint": "http://elsewhere:80"}, "endpoint"),
    ],
)
def test_a_wrong_field_of_a_driver_is_named_by_create_and_by_test(owner, payload, field):
    integration = owner.create_integration()
    body = owner.driver_body(integration["id"], payload=payload)
    for path in ("/drivers", "/drivers/test"):
        answer = owner.call("POST", path, json=body)
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"payload.{field}: ")
    assert owner.call("GET", "/drivers").json() == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "payload is missing"},
        {"payload": {}},
        {"payload": None},
        {"payload": {"bucketName": None}},
        {"payload": {"allowExternalDelete": 1}},
        {"payload": {"creator": "somebody"}},
        {"payload": {"path": "x"}, "allowExternalDelete": True},
    ],
)
def test_a_wrong_change_of_a_driver_is_refused(owner, change):
    driver = owner.create_driver(owner.create_integration()["id"])
    assert owner.call("PATCH", f"/drivers/{driver['id']}", json=change).status_code == 400
    assert owner.call("PATCH", "/drivers/unknown", json={"payload": {"path": "x"}}).status_code == 404
    assert owner.call("GET", f"/drivers/{driver['id']}").json() == driver


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "DELETE", "TRACE", "FROBNICATE"])
def test_a_wrong_method_is_a_405_that_names_the_right_ones(owner, method):
    answer = owner.call(method, "/orgs")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "//orgs", "/orgs/", "/drivers/a/b/c", "/%ff%00", "/orgs/..%2f.."]
)
def test_an_unknown_path_is_a_404(owner, path):
    assert owner.call("GET", path).status_code == 404


def test_garbage_instead_of_http_does_not_end_the_server(owner, server):
    host, port = server.api_url.split("/")[2].split(":")
    for garbage in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /api/v1/orgs HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert b" 500 " not in connection.recv(4096)
    assert owner.call("GET", "/users/me").status_code == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_causes_a_server_error(owner, server, data):
    templates = {
        ("POST", owner.integrations): owner.integration_body(),
        ("PATCH", owner.integrations): {
            "integrationId": "x",
            "name": "y",
            "credentials": {"type": "aws-sts", "options": {}},
        },
        ("POST", "/drivers"): {**DRIVER, "metadata": {"system": {"projectId": server.project_id}}},
        ("POST", "/datasets"): {"name": "n", "projects": [server.project_id], "driver": "d"},
        ("POST", "/datasets/query"): {"resource": "datasets", "filter": {"name": "n"}, "page": 0, "pageSize": 1},
        ("POST", "/token?default"): {"type": "user_credentials", "username": "u", "password": "p"},
    }
    method, path = data.draw(st.sampled_from(sorted(templates)))
    body = templates[method, path]
    field = data.draw(st.sampled_from(sorted(body)))
    answer = owner.call(method, path, json={**body, field: data.draw(JSON_VALUES)})
    assert answer.status_code < 500
    assert "application/json" in answer.headers["Content-Type"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(identifier=st.text(min_size=1))
def test_no_id_causes_a_server_error(owner, server, identifier):
    segment = quote(identifier.encode("utf-8", "surrogatepass"), safe="")
    for path in (
        f"/orgs/{segment}",
        f"/projects/{segment}/name",
        f"/drivers/{segment}/test",
        f"/drivers?projectId={segment}",
    ):
        answer = requests.get(server.api_url + path, headers={"Authorization": f"Bearer {owner.token}"}, timeout=10)
        assert 400 <= answer.status_code < 500 or (path.startswith("/orgs/") and segment in (".", ".."))


DRIVER = {
    "type": "s3",
    "name": "d",
    "creator": "owner@sandbox.example",
    "integrationId": "i",
    "integrationType": "aws-sts",
    "payload": {"bucketName": "bucket"},
    "allowExternalDelete": False,
}
