"""Drivers and the datasets behind them."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def integration_id(owner) -> str:
    return owner.create_integration()["id"]


def _query(owner, condition, **more):
    return owner.call("POST", "/datasets/query", json={"resource": "datasets", "filter": condition, **more})


def _names(answer):
    assert answer.status_code == 200, answer.text
    return [dataset["name"] for dataset in answer.json()["items"]]


def test_a_driver_answers_flat(owner, server, integration_id):
    driver = owner.create_driver(integration_id)
    assert {
        "name": "driver",
        "type": "s3",
        "projectId": server.project_id,
        "orgId": server.org_id,
        "integrationId": integration_id,
        "integrationType": "aws-sts",
        "bucketName": "customer-bucket",
        "region": "eu-west-1",
        "path": "raw/",
        "storageClass": "",
        "allowExternalDelete": False,
    }.items() <= driver.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", driver["createdAt"])
    assert owner.call("GET", f"/drivers/{driver['id']}").json() == driver


def test_drivers_are_listed_by_project_and_by_integration(owner, server, integration_id):
    other_integration = owner.create_integration("other")["id"]
    elsewhere = {"system": {"projectId": server.other_project_id}}
    owner.create_driver(integration_id, "a")
    owner.create_driver(integration_id, "b", metadata=elsewhere)
    owner.create_driver(other_integration, "c")

    def listed(query: str) -> list[str]:
        return [driver["name"] for driver in owner.call("GET", f"/drivers{query}").json()]

    assert listed("") == ["a", "b", "c"]
    assert listed(f"?projectId={server.project_id}") == ["a", "c"]
    assert listed(f"?integrationId={integration_id}") == ["a", "b"]
    assert listed(f"?projectId={server.project_id}&integrationId={integration_id}") == ["a"]
    assert owner.call("GET", "/drivers?projectId=unknown").status_code == 404
    assert owner.call("GET", "/drivers?integrationId=unknown").status_code == 404
    assert owner.call("GET", f"/drivers/byIntegration/{integration_id}").json() == 2
    assert owner.call("GET", "/drivers/byIntegration/unknown").status_code == 404


def test_a_driver_is_changed_in_part(owner, integration_id):
    driver = owner.create_driver(integration_id)
    payload = {"allowExternalDelete": True, "path": None}
    changed = owner.call("PATCH", f"/drivers/{driver['id']}", json={"name": "renamed", "payload": payload}).json()
    expected = {
        **driver,
        "name": "renamed",
        "allowExternalDelete": True,
        "path": None,
        "updatedAt": changed["updatedAt"],
    }
    assert changed == expected
    assert changed["updatedAt"] > driver["updatedAt"]
    assert owner.call("GET", f"/drivers/{driver['id']}").json() == changed


def test_a_driver_moves_to_another_integration_only_if_it_exists(owner, integration_id):
    driver = owner.create_driver(integration_id)
    other = owner.create_integration("other")["id"]
    moved = owner.call("PATCH", f"/drivers/{driver['id']}", json={"payload": {"integrationId": other}})
    assert moved.json()["integrationId"] == other
    lost = owner.call("PATCH", f"/drivers/{driver['id']}", json={"payload": {"integrationId": "unknown"}})
    assert lost.status_code == 404
    wrong = owner.call("PATCH", f"/drivers/{driver['id']}", json={"payload": {"integrationType": "s3"}})
    assert wrong.status_code == 400
    assert owner.call("GET", f"/drivers/{driver['id']}").json() == moved.json()


def test_a_name_is_free_once_in_a_project(owner, server, integration_id):
    owner.create_driver(integration_id, "taken")
    other = owner.create_driver(integration_id, "other")
    owner.create_driver(integration_id, "taken", metadata={"system": {"projectId": server.other_project_id}})
    created = owner.call("POST", "/drivers", json=owner.driver_body(integration_id, "taken"))
    renamed = owner.call("PATCH", f"/drivers/{other['id']}", json={"name": "taken", "payload": {}})
    for answer in (created, renamed):
        assert answer.status_code == 409
        assert "'taken'" in answer.json()["message"]


def test_what_a_driver_refers_to_must_exist_and_belong_together(owner, server, integration_id):
    def status(**changes) -> int:
        return owner.call("POST", "/drivers", json=owner.driver_body(integration_id, **changes)).status_code

    assert status(integrationId="unknown") == 404
    assert status(metadata={"system": {"projectId": "unknown"}}) == 404
    assert status(metadata={"system": {"projectId": server.foreign_project_id}}) == 403
    assert status(metadata={"system": {"projectId": server.project_id, "orgId": server.foreign_org_id}}) == 400
    assert status(integrationType="s3") == 400
    assert status(creator="somebody@sandbox.example") == 400
    assert owner.call("GET", "/drivers").json() == []


def test_the_delete_flag_is_given_once_beside_or_inside_the_payload(owner, integration_id):
    inside = owner.driver_body(integration_id, "inside")
    del inside["allowExternalDelete"]
    missing = owner.call("POST", "/drivers", json=inside)
    assert missing.status_code == 400
    assert "allowExternalDelete" in missing.json()["message"]
    inside["payload"]["allowExternalDelete"] = True
    assert owner.call("POST", "/drivers", json=inside).json()["allowExternalDelete"] is True
    contradicting = {**inside, "name": "both", "allowExternalDelete": False}
    assert owner.call("POST", "/drivers", json=contradicting).status_code == 400


def test_a_deleted_driver_is_gone_and_its_datasets_stay(owner, server, integration_id):
    driver = owner.create_driver(integration_id)["id"]
    body = {"name": "images", "projects": [server.project_id], "driver": driver, "createDefaultRecipe": True}
    dataset = owner.call("POST", "/datasets", json=body).json()
    deleted = owner.call("DELETE", f"/drivers/{driver}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/test")]:
        assert owner.call(method, f"/drivers/{driver}{path}").status_code == 404
    assert owner.call("GET", f"/datasets/{dataset['id']}").json() == dataset
    assert _names(_query(owner, {"driver": driver})) == ["images"]


def test_datasets_are_found_by_their_driver(owner, server, integration_id):
    one, two = (owner.create_driver(integration_id, name)["id"] for name in ("one", "two"))
    for name, driver in [("a", one), ("b", two), ("c", one)]:
        body = {"name": name, "projects": [server.project_id], "driver": driver}
        owner.call("POST", "/datasets", json=body).raise_for_status()

    assert _names(_query(owner, {"driver": one})) == ["a", "c"]
    assert _names(_query(owner, {"$and": [{"driver": one}, {"name": {"$ne": "a"}}]})) == ["c"]
    assert _names(_query(owner, {"$or": [{"driver": {"$eq": two}}, {"name": "a"}]})) == ["a", "b"]
    assert _names(_query(owner, {"driver": {"$in": [one, two]}, "name": {"$nin": ["a", "b"]}})) == ["c"]
    assert _names(_query(owner, {})) == ["a", "b", "c"]
    assert _names(_query(owner, {"readonly": 0})) == []
    assert _names(_query(owner, {"driver": one}, context={"projects": [server.other_project_id]})) == []
    assert _names(_query(owner, {"projects": server.project_id}, context={"projects": [server.project_id]})) != []
    assert _query(owner, {}, context={"projects": [server.foreign_project_id]}).status_code == 403


def test_a_query_is_answered_in_pages(owner, server, integration_id):
    driver = owner.create_driver(integration_id)["id"]
    for name in ("a", "b", "c"):
        body = {"name": name, "projects": [server.project_id], "driver": driver}
        owner.call("POST", "/datasets", json=body).raise_for_status()
    first = _query(owner, {}, page=0, pageSize=2).json()
    second = _query(owner, {}, page=1, pageSize=2).json()
    assert [len(first["items"]), first["hasNextPage"], first["totalItemsCount"], first["totalPagesCount"]] == [
        2,
        True,
        3,
        2,
    ]
    assert [len(second["items"]), second["hasNextPage"]] == [1, False]


@pytest.mark.parametrize(
    "condition",
    [
        {"driverId": "x"},
        {"$not": {"driver": "x"}},
        {"driver": {"$regex": "x"}},
        {"driver": {}},
        {"driver": ["x"]},
        {"driver": {"$in": "x"}},
        {"driver": {"$eq": ["x"]}},
        {"$and": {}},
        {"$or": []},
        {"$or": ["driver"]},
    ],
)
def test_a_filter_that_is_not_served_is_refused_even_without_datasets(owner, condition):
    answer = _query(owner, condition)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("filter: ")


def test_a_dataset_needs_a_driver_of_its_project_and_a_free_name(owner, server, integration_id):
    elsewhere = owner.create_driver(integration_id, metadata={"system": {"projectId": server.other_project_id}})["id"]
    here = owner.create_driver(integration_id)["id"]

    def create(driver: str):
        body = {"name": "images", "projects": [server.project_id], "driver": driver}
        return owner.call("POST", "/datasets", json=body)

    assert create("unknown").status_code == 404
    assert create(elsewhere).status_code == 400
    dataset = create(here)
    assert dataset.status_code == 200
    assert create(here).status_code == 409
    deleted = owner.call("DELETE", f"/datasets/{dataset.json()['id']}")
    assert (deleted.status_code, deleted.json()) == (200, None)
    assert owner.call("GET", f"/datasets/{dataset.json()['id']}").status_code == 404
    assert create(here).status_code == 200
