"""The typed answers: whatever way the platform spells a thing, it reads the same."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from dataloop_sts.dataloop import Driver, Integration, NewDriver, Project, StsCredentials, User

NEW = NewDriver(
    name="d", project_id="p", integration_id="i", bucket="b", region="eu-west-1", allow_delete=False, creator="me"
)


@pytest.mark.parametrize("org", ["o1", {"id": "o1", "name": "Org"}, {"_id": "o1"}])
def test_an_organization_is_an_id_whether_given_whole_or_not(org: Any) -> None:
    assert Project.model_validate({"id": "p", "org": org}).org == "o1"
    assert Integration.model_validate({"id": "i", "org": org}).org == "o1"


@pytest.mark.parametrize("creator", ["me@example.com", {"email": "me@example.com", "id": "u1"}, "u1", {"id": "u1"}])
def test_a_user_knows_what_it_made_however_the_creator_is_named(creator: Any) -> None:
    me = User.model_validate({"id": "u1", "email": "me@example.com"})
    assert me.made(Integration.model_validate({"id": "i", "creator": creator}))
    assert not User.model_validate({"id": "u2", "email": "you@example.com"}).made(
        Integration.model_validate({"id": "i", "creator": creator})
    )


def test_nobody_made_what_has_no_creator() -> None:
    assert not User(id="", email="me@example.com").made(Integration(id="i", creator=None))
    assert not User(id="", email="me@example.com").made(Integration(id="i", creator=""))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1700000000000, "1700000000000"),
        (1700000000000.0, "1700000000000"),
        (1.5, "1.5"),
        (None, None),
        ("2026-11-20T10:00:00.000Z", "2026-11-20T10:00:00.000Z"),
    ],
)
def test_the_same_moment_reads_the_same(given: Any, read: str | None) -> None:
    assert Integration.model_validate({"id": "i", "updatedAt": given}).updated_at == read


@pytest.mark.parametrize(
    "answer",
    [
        {"projectId": "p", "bucketName": "b", "region": "eu-west-1", "path": None, "allowExternalDelete": False},
        {**NEW.body(), "unknown": {"more": 1}},
        {"metadata": {"system": {"projectId": "p"}}, "bucketName": "b", "region": "eu-west-1"}
        | {"allowExternalDelete": False, "storageClass": ""},
    ],
)
def test_a_driver_reads_the_same_flat_or_nested(answer: dict[str, Any]) -> None:
    driver = Driver.model_validate({"id": "d1", "name": "d", "integrationId": "i"} | answer)
    assert (driver.project_id, driver.bucket, driver.region, driver.path) == ("p", "b", "eu-west-1", "")
    assert driver.allow_delete is False
    assert driver.storage_class == ""


def test_a_flag_that_is_not_told_is_not_guessed() -> None:
    assert Driver.model_validate({"id": "d1"}).allow_delete is None


def test_the_delete_flag_is_always_sent() -> None:
    assert NEW.body()["allowExternalDelete"] is False


@pytest.mark.parametrize("wrong", [{}, {"id": ""}, {"id": None}, {"id": {}}, [], "x"])
def test_a_thing_without_an_id_is_none(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Driver.model_validate(wrong)


def test_models_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Integration(id="i").name = "other"  # type: ignore[misc]


def test_a_mistake_in_a_request_does_not_show_the_secret() -> None:
    with pytest.raises(ValidationError) as wrong:
        StsCredentials.model_validate({"secret_access_key": "s" * 40, "access_key_id": "AKIA"})
    assert "ssss" not in str(wrong.value)
    credentials = StsCredentials(access_key_id="AKIA", secret_access_key=SecretStr("s" * 40), role_arn="r")
    assert credentials.options() == {"key": "AKIA", "secret": "s" * 40, "roleArns": "r"}
