"""Tokens, logins, and what owners, members and strangers may do."""

from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
import requests

from sandbox.dataloop.server import DataloopServer
from sandbox.dataloop.tokens import TokenIssuer


def _altered(token: str, **claims: object) -> str:
    header, payload, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps({**content, **claims}).encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def _log_in(server, **body):
    return requests.post(server.api_url.removesuffix("/api/v1") + "/token?default", json=body, timeout=10)


def test_tokens_are_what_the_vendors_client_expects(server):
    for token in (server.token, server.non_owner_token):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert "@" in claims["email"]
        assert claims["exp"] > time.time() + 60
    assert (
        jwt.decode(server.expired_token, options={"verify_signature": False, "verify_exp": False})["exp"] < time.time()
    )


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "no token"),
        ("", "no token"),
        ("Bearer", "must read"),
        ("Basic dXNlcjpwYXNz", "must read"),
        ("Bearer garbage", "three segments"),
        ("Bearer a.b.c", "base64url"),
        ("Bearer é.ü.ß".encode().decode("latin-1"), "base64url"),
        ("Bearer e30.e30.e30", "signature"),
    ],
)
def test_a_missing_or_malformed_token_is_a_401_that_says_why(server, authorization, message):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = requests.get(server.api_url + "/users/me", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert message in answer.json()["message"]


def test_an_expired_an_altered_and_a_foreign_token_are_refused(owner, server):
    foreign = TokenIssuer().issue("owner@sandbox.example", 3600)
    unsigned = jwt.encode({"email": "owner@sandbox.example", "exp": time.time() + 3600}, "", algorithm="none")
    for token, message in [
        (server.expired_token, "expired"),
        (_altered(server.non_owner_token, email="owner@sandbox.example"), "signature"),
        (_altered(server.expired_token, exp=time.time() + 3600), "signature"),
        (foreign, "signature"),
        (unsigned, "signature"),
    ]:
        owner.token = token
        answer = owner.call("GET", "/users/me")
        assert answer.status_code == 401
        assert message in answer.json()["message"]


def test_a_new_start_is_a_new_world(server, owner):
    owner.create_integration()
    before = owner.call("GET", f"/orgs/{server.org_id}").json()["createdAt"]
    old_token = server.token
    server.stop()
    time.sleep(0.002)
    server.start()
    assert owner.call("GET", "/users/me").status_code == 401
    assert old_token != server.token
    owner.token = server.token
    organization = owner.call("GET", f"/orgs/{server.org_id}").json()
    assert organization["createdAt"] > before
    assert abs(organization["createdAt"] / 1000 - time.time()) < 60
    assert owner.call("GET", owner.integrations).json() == []


def test_two_servers_run_side_by_side_and_a_taken_port_is_an_error(server):
    other = DataloopServer("http://127.0.0.1:9")
    other.start()
    try:
        assert other.api_url != server.api_url
        answer = requests.get(
            other.api_url + "/users/me", headers={"Authorization": f"Bearer {server.token}"}, timeout=10
        )
        assert answer.status_code == 401
    finally:
        other.stop()
    port = int(server.api_url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"):
        DataloopServer("http://127.0.0.1:9", port=port).start()
    with pytest.raises(requests.ConnectionError):
        requests.get(other.api_url, timeout=5)


def test_the_caller_sees_its_organization_and_projects(owner, server):
    me = owner.call("GET", "/users/me").json()
    assert me["email"] == me["id"]
    assert me["orgs"] == [server.org_id]
    assert me["projects"] == [server.project_id, server.other_project_id]
    assert [organization["id"] for organization in owner.call("GET", "/orgs").json()] == [server.org_id]
    project = owner.call("GET", f"/projects/{server.project_id}").json()
    assert project["org"]["id"] == server.org_id
    assert owner.call("GET", f"/projects/{project['name']}/name").json() == [project]
    assert project in owner.call("GET", f"/orgs/{server.org_id}/projects").json()
    assert project in owner.call("GET", "/projects").json()


def test_roles_tell_owner_and_member_apart(owner, member, server):
    assert owner.call("GET", f"/orgs/{server.org_id}").json()["role"] == "owner"
    assert member.call("GET", f"/orgs/{server.org_id}").json()["role"] == "member"
    assert member.call("GET", f"/projects/{server.project_id}").json()["role"] == "engineer"


def test_unknown_ids_are_404_and_foreign_ones_403(owner, server):
    assert owner.call("GET", "/orgs/unknown").status_code == 404
    assert owner.call("GET", "/projects/unknown").status_code == 404
    assert owner.call("GET", "/projects/unknown/name").status_code == 404
    assert owner.call("GET", f"/orgs/{server.foreign_org_id}").status_code == 403
    assert owner.call("GET", f"/orgs/{server.foreign_org_id}/integrations").status_code == 403
    assert owner.call("GET", f"/projects/{server.foreign_project_id}").status_code == 403
    assert owner.call("GET", f"/drivers?projectId={server.foreign_project_id}").status_code == 403


def test_only_an_owner_changes_integrations(owner, member):
    integration = owner.create_integration()
    change = {"integrationId": integration["id"], "name": "renamed"}
    refused = [
        member.call("POST", member.integrations, json=member.integration_body("other")),
        member.call("PATCH", member.integrations, json=change),
        member.call("DELETE", f"{member.integrations}/{integration['id']}"),
    ]
    for answer in refused:
        assert answer.status_code == 403
        assert "owner's rights" in answer.json()["message"]
    assert member.call("GET", member.integrations).json() == [integration]


def test_a_member_manages_drivers(owner, member):
    integration = owner.create_integration()
    driver = member.create_driver(integration["id"])
    assert driver["creator"] == member.call("GET", "/users/me").json()["email"]
    assert member.call("DELETE", f"/drivers/{driver['id']}").status_code == 204


def test_the_machine_login_gives_a_token_of_an_owner(owner, server):
    answer = _log_in(server, type="user_credentials", username=server.username, password=server.password)
    assert answer.status_code == 200
    owner.token = answer.json()["id_token"]
    assert owner.call("GET", "/users/me").json()["email"] == server.username
    assert owner.create_integration()["creator"] == server.username


@pytest.mark.parametrize("wrong", [{"username": "somebody"}, {"password": "wrong"}, {"username": "é", "password": "ü"}])
def test_a_wrong_login_is_a_401_that_does_not_say_what_was_wrong(server, wrong):
    right = {"type": "user_credentials", "username": server.username, "password": server.password}
    answer = _log_in(server, **{**right, **wrong})
    assert answer.status_code == 401
    assert answer.json()["message"] == "wrong username or password"


def test_a_short_lived_login_expires_and_its_refresh_token_renews_it(owner, server):
    shortened = requests.put(server.control_url + "/login-lifetime", json={"seconds": 0.3}, timeout=10)
    assert shortened.status_code == 204
    login = _log_in(server, type="user_credentials", username=server.username, password=server.password).json()
    owner.token = login["id_token"]
    assert owner.call("GET", "/users/me").status_code == 200
    time.sleep(0.35)
    assert owner.call("GET", "/users/me").status_code == 401
    requests.delete(server.control_url + "/login-lifetime", timeout=10).raise_for_status()
    renewed = _log_in(server, type="refresh_token", refresh_token=login["refresh_token"]).json()
    owner.token = renewed["id_token"]
    assert owner.call("GET", "/users/me").status_code == 200


def test_an_unknown_refresh_token_and_a_bad_login_body_are_refused(server):
    assert _log_in(server, type="refresh_token", refresh_token="unknown").status_code == 401
    assert _log_in(server, type="something").status_code == 400
    assert _log_in(server, type="user_credentials", username=server.username).status_code == 400
    assert _log_in(server, type="user_credentials", username=1, password=None).status_code == 400


def test_the_login_answers_under_the_api_too(server):
    body = {"type": "user_credentials", "username": server.username, "password": server.password}
    assert requests.post(server.api_url + "/token?default", json=body, timeout=10).status_code == 200
    assert requests.post(server.api_url + "/token", json=body, timeout=10).status_code == 400
