"""What is read out of an exported stack, and what a user is told where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automation.deployment import driver_ids, recorded, verification_request
from automation.errors import NoSuchStack

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REQUEST = {
    "region": "eu-west-1",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "secret_access_key": SECRET,
    "role_arn": "arn:aws:iam::123456789012:role/r",
    "targets": [{"driver": "images", "bucket": "b", "allow_delete": False}],
}


def deployment(stdin: Any) -> dict[str, Any]:
    """An exported deployment as the engine writes it, its secrets decrypted."""
    urn = "urn:pulumi:dev::dataloop-sts::dataloop-sts:connection:Connection$"
    command = "command:local:Command"
    driver = "pulumi-python:dynamic/dataloop:StorageDriver"
    return {
        "resources": [
            {"type": command, "urn": f"{urn}{command}::guard", "inputs": {"stdin": "{}"}},
            {"type": command, "urn": f"{urn}{command}::verification", "inputs": {"stdin": stdin}},
            {"type": driver, "urn": f"{urn}{driver}::images", "id": "d1", "outputs": {"name": "images"}},
        ]
    }


@pytest.mark.parametrize("is_secret", [True, False])
def test_the_verifications_request_is_read_back_with_its_secret_hidden(is_secret: bool) -> None:
    plain = json.dumps(REQUEST)
    # https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
    marked = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": json.dumps(plain),
    }
    request = verification_request(deployment(marked if is_secret else plain), "dev")
    assert request.secret_access_key.get_secret_value() == SECRET
    assert SECRET not in repr(request)
    assert request.targets[0].bucket == "b"


@pytest.mark.parametrize("empty", [{}, {"resources": None}, {"resources": []}])
def test_a_stack_without_a_connection_says_how_to_make_one(empty: dict[str, Any]) -> None:
    with pytest.raises(NoSuchStack, match=r"Stack prod\.acme has no connection yet: make it with"):
        verification_request(empty, "prod.acme")
    assert driver_ids(empty) == {}


def test_the_drivers_are_read_by_name() -> None:
    assert driver_ids(deployment("{}")) == {"images": "d1"}


def test_what_the_stack_remembers_is_read_for_the_audit() -> None:
    deployed = deployment("{}")
    deployed["resources"] += [
        {"type": "aws:iam/user:User", "urn": "u", "id": "user", "outputs": {"uniqueId": "AIDAX"}},
        {"type": "aws:iam/role:Role", "urn": "r", "id": "role", "outputs": {"uniqueId": "AROAX"}},
        {"type": "aws:iam/accessKey:AccessKey", "urn": "k1", "id": "AKIA1", "outputs": {}},
        {"type": "aws:iam/accessKey:AccessKey", "urn": "k2", "id": "AKIA2", "outputs": {}},
        {
            "type": "pulumi-python:dynamic/dataloop:Integration",
            "urn": "i",
            "id": "i1",
            "outputs": {"updated_at": "17", "access_key_id": "AKIA2"},
        },
    ]
    found = recorded(deployed)
    assert found
    assert found.model_dump() == {
        "user_unique_id": "AIDAX",
        "role_unique_id": "AROAX",
        "access_key_ids": ("AKIA1", "AKIA2"),
        "held_key_id": "AKIA2",
        "integration_id": "i1",
        "integration_updated_at": "17",
        "driver_ids": {"images": "d1"},
    }
    assert recorded({}) is None
