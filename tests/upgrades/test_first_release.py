"""A connection made by the first release lives on under this program: names and types of resources are a contract.

``first_release.json`` is the state that commit 51c5fa9 left in a sandbox, exported with two drivers, one in a folder,
made anonymous; what depends on the world is a mark in double braces.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from dataloop_sts.dataloop import DataloopClient, StsCredentials
from tests.components.declared import declare
from tests.e2e.conftest import new_project, world
from tests.e2e.harness import Project, World

__all__ = ["new_project", "world"]
STATE = Path(__file__).with_name("first_release.json")
STACK = "first"
# What the engine makes by itself for providers that nobody declares, and the stack.
_UNDECLARED = {"pulumi:pulumi:Stack", "pulumi:providers:command", "pulumi:providers:pulumi-python"}
INTENDED = {
    "preflight": "update",  # keeps the drivers' folders and the key's generation
    "role": "update",  # a destroy detaches what others attached
    "guard": "update",  # knows the identity too
    "aws": "update",  # in the sandbox alone: S3 Control, and a proxy that leads to it
}


def _state(**marks: str) -> dict[str, Any]:
    text = STATE.read_text()
    for name, value in marks.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    state: dict[str, Any] = json.loads(text)
    return state


def _spec(state: dict[str, Any]) -> dict[str, Any]:
    (provider,) = [r for r in state["deployment"]["resources"] if r["type"] == "pulumi:providers:pulumi-python"]
    spec: dict[str, Any] = json.loads(provider["inputs"]["dataloop-sts:connection"])
    return spec


def _declared(spec: dict[str, Any]) -> set[str]:
    """The URNs of what the program declares; the mock of the engine leaves out all parents but one."""
    urns: dict[str, str] = {}
    types: dict[str, str] = {}
    for resource in declare(environment=STACK, sandbox_endpoint="http://127.0.0.1:1", **spec).resources:
        parent = types.get(resource.parent)  # is registered before its children
        types[resource.urn] = f"{parent}${resource.type}" if parent else resource.type
        urns[resource.urn] = f"urn:pulumi:{STACK}::dataloop-sts::{types[resource.urn]}::{resource.name}"
    return set(urns.values())


def test_every_resource_of_the_first_release_is_still_declared_by_its_name_and_type() -> None:
    state = _state()
    kept = {resource["urn"] for resource in state["deployment"]["resources"] if resource["type"] not in _UNDECLARED}
    assert kept == _declared(_spec(state))


def _register(world: World, state: dict[str, Any]) -> tuple[str, str]:
    """The integration as the first release left it; returns its id and the mark of its last write."""
    (old,) = [r["outputs"] for r in state["deployment"]["resources"] if r["type"].endswith(":Integration")]
    credentials = {
        "access_key_id": old["access_key_id"],
        "secret_access_key": json.loads(old["secret_access_key"]["plaintext"]),
        "role_arn": old["role_arn"],
    }
    made = DataloopClient.shared().create_integration(
        world.ready.dataloop.org_id, old["name"], StsCredentials.model_validate(credentials)
    )
    return made.id, made.updated_at or ""


def test_a_preview_replaces_deletes_and_creates_nothing(world: World, new_project: Callable[..., Project]) -> None:
    project = replace(new_project(), stack=STACK)
    ready = world.ready
    with mock.patch.dict(os.environ, project.environment):
        integration_id, updated_at = _register(world, _state())
        organization = world.dataloop("GET", f"/orgs/{ready.dataloop.org_id}")
    state = _state(
        aws_endpoint=ready.aws.endpoint_url,
        world=str(organization["createdAt"]),
        integration_id=integration_id,
        integration_updated_at=updated_at,
    )
    assert "{{" not in json.dumps(state)
    project.spec = _spec(state)
    project.pulumi("stack", "init", STACK).ok()
    salt = yaml.safe_load((project.folder / f"Pulumi.{STACK}.yaml").read_text())["encryptionsalt"]
    state["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    exported = project.folder / "state.json"
    exported.write_text(json.dumps(state))
    project.pulumi("stack", "import", "--file", str(exported), "--stack", STACK).ok()
    assert project.changes() == INTENDED
