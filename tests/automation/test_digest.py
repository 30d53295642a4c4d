"""The digest of what was applied tells a stack that needs no update from one that does, by the real engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest import mock

import pulumi
import pytest
from pulumi.runtime import mocks

from automation.backend import Backend, StackFiles
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import StackError
from automation.records import find
from automation.unchanged import is_unchanged, wanted_digest
from dataloop_sts.digest import OUTPUT, digest
from dataloop_sts.program import declare as program_declares
from tests.components.declared import declare
from tests.e2e.conftest import new_project, world
from tests.e2e.harness import Project
from tests.unit.spec_examples import spec

__all__ = ["new_project", "world"]


def _files(connection: Connection) -> StackFiles:
    found = Backend.of(connection.environment).read(connection.stack)
    assert found
    return found


def _of(project: Project) -> Connection:
    project.configure()
    return Connection.of(find(Environment.of(project.stack, project.folder), None))


def test_only_an_update_of_all_that_succeeded_leaves_a_stack_unchanged(new_project: Callable[..., Project]) -> None:
    project = new_project()
    images = project.spec["drivers"][0]
    project.spec["drivers"] = [images, {**images, "name": f"{project.customer}-raw", "prefix": "raw/"}]
    with mock.patch.dict(os.environ, project.environment):
        connection = _of(project)
        assert not is_unchanged(connection), "a new stack"
        connection.up()
        applied = _files(connection)
        assert is_unchanged(connection)
        assert applied.digest == wanted_digest(connection)

        project.spec["access_key"] = {"generation": 2}
        changed = _of(project)
        assert not is_unchanged(changed), "another spec"
        _fails(project, changed, "PATCH", "/orgs/.*/integrations")
        assert _files(changed).digest == applied.digest, "the integration failed, so the digest is not written"
        assert not is_unchanged(changed) and not is_unchanged(connection)

        project.spec["drivers"] = [images]
        changed = _of(project)
        _fails(project, changed, "DELETE", "/drivers/.*")
        assert _files(changed).digest == wanted_digest(changed), "what leaves is deleted after the outputs are written"
        assert not is_unchanged(changed), "so the digest alone is no proof"

        changed.up()
        assert is_unchanged(changed)
        assert not is_unchanged(connection), "the spec of before"
        project.up("--target", "**preflight").ok()
        assert _files(changed).digest == wanted_digest(changed)
        assert not is_unchanged(changed), "a part of an update, though it succeeds and writes the outputs"


def _fails(project: Project, connection: Connection, method: str, path: str) -> None:
    project.world.fault(method, path, status=400, times=9)
    with pytest.raises(StackError):
        connection.up()
    project.world.clear_faults()
    assert not _files(connection).settled


def test_the_digest_waits_for_every_resource_that_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = declare(access_key={"generation": 2, "grace_days": 7, "retiring": 1})  # a retiring key comes last
    guard = declared.one("command:local:Command", "guard")
    others = {resource.urn for resource in declared.resources if resource.custom} - {guard.urn}
    assert others <= declared.needed_by(guard)

    exported: dict[str, pulumi.Output[str]] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)

    @mocks.test
    def program() -> Any:
        program_declares(spec(), environment="dev", sandbox=False)
        return _waits_for(exported[OUTPUT])

    program()


async def _waits_for(output: pulumi.Output[str]) -> None:
    assert {await resource.urn.future() for resource in await output.resources()} == {
        "urn:pulumi:dev::dataloop-sts::dataloop-sts:connection:Connection$command:local:Command::guard"
    }
    assert await output.future() == digest(spec(), environment="dev", sandbox=False)


@pytest.mark.parametrize(
    "change",
    [
        {"access_key": {"generation": 2}},
        {"on_destroy": "refuse"},
        {"aws": {"region": "eu-west-1", "tags": {"team": "a"}}},
        {"organization_id": "org-2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_spec_has_another_digest(change: dict[str, object]) -> None:
    before, after = spec(), spec(**change)
    assert digest(before, environment="dev", sandbox=True) != digest(after, environment="dev", sandbox=True)


def test_other_settings_have_another_digest() -> None:
    one = spec()
    settings = [("dev", True), ("dev", False), ("prod", False)]
    assert len({digest(one, environment=name, sandbox=sandbox) for name, sandbox in settings}) == len(settings)


def test_what_is_left_to_a_default_is_the_default() -> None:
    told = spec(access_key={"generation": 1})
    assert digest(spec(), environment="dev", sandbox=True) == digest(told, environment="dev", sandbox=True)
