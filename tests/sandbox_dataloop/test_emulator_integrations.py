"""Integrations: their life, their names, and that their secrets stay inside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

NEW_OPTIONS = {
    "key": "AKIAEMULATORTEST0002",
    "secret": "another-secret-access-key-of-the-emulator",
    "roleArns": "arn:aws-us-gov:iam::123456789012:role/path/other",
}


def test_an_integration_lives_from_create_to_delete(owner, server):
    created = owner.create_integration("first")
    assert created["name"] == "first"
    assert created["type"] == "aws-sts"
    assert created["org"] == server.org_id
    assert created["creator"] == owner.call("GET", "/users/me").json()["id"]
    assert created["metadata"] == []
    second = owner.create_integration("second")
    assert owner.call("GET", owner.integrations).json() == [created, second]
    assert owner.call("GET", f"{owner.integrations}/{created['id']}").json() == created
    deleted = owner.call("DELETE", f"{owner.integrations}/{created['id']}")
    assert (deleted.status_code, deleted.json()) == (200, [second])
    assert owner.call("GET", f"{owner.integrations}/{created['id']}").status_code == 404
    assert owner.call("DELETE", f"{owner.integrations}/{created['id']}").status_code == 404


def test_updated_at_is_a_number_that_grows_with_every_write(owner):
    integration = owner.create_integration()
    times = [integration["updatedAt"]]
    changes = [
        {"name": "a"},
        {"name": "a"},
        {"credentials": {"type": "aws-sts", "options": NEW_OPTIONS}},
        {"name": "b"},
    ]
    for change in changes:
        body = {"integrationId": integration["id"], **change}
        written = owner.call("PATCH", f"{owner.integrations}?reloadServices=true", json=body).json()
        assert written["createdAt"] == integration["createdAt"]
        times.append(written["updatedAt"])
    assert all(isinstance(time, int) for time in times)
    assert times == sorted(set(times))
    assert owner.call("GET", f"{owner.integrations}/{integration['id']}").json()["updatedAt"] == times[-1]


def test_a_name_is_free_once_in_an_organization(owner):
    owner.create_integration("taken")
    other = owner.create_integration("other")
    for method, body in [
        ("POST", owner.integration_body("taken")),
        ("PATCH", {"integrationId": other["id"], "name": "taken"}),
    ]:
        answer = owner.call(method, owner.integrations, json=body)
        assert answer.status_code == 409
        assert "'taken'" in answer.json()["message"]
    assert owner.call("DELETE", f"{owner.integrations}/{other['id']}").status_code == 200
    owner.create_integration("other")


def test_an_integration_in_use_cannot_be_deleted(owner):
    integration = owner.create_integration()
    drivers = [owner.create_driver(integration["id"], name) for name in ("one", "two")]
    answer = owner.call("DELETE", f"{owner.integrations}/{integration['id']}")
    assert answer.status_code == 409
    assert "2 drivers" in answer.json()["message"]
    for driver in drivers:
        owner.call("DELETE", f"/drivers/{driver['id']}").raise_for_status()
    assert owner.call("DELETE", f"{owner.integrations}/{integration['id']}").status_code == 200


def test_the_type_of_an_integration_stays(owner):
    integration = owner.create_integration()
    options = {"key": "AKIAEMULATORTEST0002", "secret": "another"}
    body = {"integrationId": integration["id"], "credentials": {"type": "s3", "options": options}}
    answer = owner.call("PATCH", owner.integrations, json=body)
    assert answer.status_code == 400
    assert "aws-sts" in answer.json()["message"]


def test_a_plain_s3_integration_can_stand_beside(owner):
    options = {"key": "AKIAEMULATORTEST0002", "secret": "another"}
    assert owner.create_integration("plain", type="s3", options=options)["type"] == "s3"


def test_no_answer_and_no_log_holds_a_secret(owner, server):
    secret = NEW_OPTIONS["secret"]
    integration = owner.create_integration(options=NEW_OPTIONS)
    driver = owner.create_driver(integration["id"])
    credentials = {"type": "aws-sts", "options": NEW_OPTIONS}
    answers = [
        owner.call("POST", owner.integrations, json=owner.integration_body("connection", options=NEW_OPTIONS)),
        owner.call(
            "POST", owner.integrations, json=owner.integration_body(options={**NEW_OPTIONS, "roleArns": secret})
        ),
        owner.call("POST", owner.integrations, json=owner.integration_body(options={**NEW_OPTIONS, "key": secret})),
        owner.call("POST", owner.integrations, json=owner.integration_body(options={**NEW_OPTIONS, "other": secret})),
        owner.call("POST", owner.integrations, json=owner.integration_body(options=[secret])),
        owner.call(
            "POST", owner.integrations, data=f'{{"options": "{secret}"', headers={"Content-Type": "application/json"}
        ),
        owner.call("PATCH", owner.integrations, json={"integrationId": integration["id"], "credentials": credentials}),
        owner.call("GET", owner.integrations),
        owner.call("GET", f"{owner.integrations}/{integration['id']}"),
        owner.call("GET", f"/drivers/{driver['id']}"),
        owner.call("GET", f"/drivers/{driver['id']}/test"),
        owner.call("GET", f"/orgs/{server.org_id}"),
        requests.get(server.control_url + "/calls", timeout=10),
    ]
    assert [answer.status_code for answer in answers] == [409, *[400] * 5, 200, 200, 200, 200, 424, 200, 200]
    for answer in answers:
        assert secret not in answer.text
        assert "Bearer" not in answer.text


def test_of_many_callers_at_once_one_gets_the_name_and_every_write_its_own_time(owner):
    with ThreadPoolExecutor(12) as callers:
        body = owner.integration_body("contested")
        posts = [callers.submit(owner.call, "POST", owner.integrations, json=body) for _ in range(12)]
        assert sorted(post.result().status_code for post in posts) == [200, *[409] * 11]
        created = [callers.submit(owner.create_integration, f"name-{number}") for number in range(20)]
        times = {integration.result()["updatedAt"] for integration in created}
    assert len(times) == 20
    assert len(owner.call("GET", owner.integrations).json()) == 21
