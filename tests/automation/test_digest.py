"""The digest of what was applied tells a stack that needs no update from one that does, by the real engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import pytest

from automation.backend import Backend, StackFiles, is_unchanged, wanted_digest
from automation.connection import Connection
from automation.environment import Environment
from automation.errors import StackError
from automation.records import find
from dataloop_sts.digest import OUTPUT, digest
from dataloop_sts.spec import ConnectionSpec
from tests.components.declared import declare
from tests.e2e.conftest import new_project, world
from tests.e2e.harness import Project
from tests.unit.spec_examples import spec

__all__ = ["new_project", "world"]
GUARD = "command:local:Command", "guard"


def _files(connection: Connection) -> StackFiles:
    found = Backend.of(connection.environment).read(connection.stack)
    assert found
    return found


def _of(project: Project) -> Connection:
    project.configure()
    return Connection.of(find(Environment.of(project.stack, project.folder), None))


def _digest_of(connection: Connection, spec: ConnectionSpec) -> str:
    return wanted_digest(replace(connection, spec=spec))


def test_only_an_update_of_all_that_succeeded_leaves_a_stack_unchanged(new_project: Callable[..., Project]) -> None:
    project = new_project()
    with mock.patch.dict(os.environ, project.environment):
        connection = _of(project)
        assert not is_unchanged(connection), "a new stack"
        connection.up()
        applied = _files(connection)
        assert is_unchanged(connection)
        assert connection.outputs()[OUTPUT] == applied.digest == wanted_digest(connection)

        project.spec["access_key"] = {"generation": 2}
        changed = _of(project)
        assert not is_unchanged(changed), "another spec"
        project.world.fault("PATCH", "/orgs/.*/integrations", status=400, times=9)
        with pytest.raises(StackError):
            changed.up()
        project.world.clear_faults()
        failed = _files(changed)
        assert failed.digest == applied.digest, "the update failed, so its digest is not written"
        assert not failed.settled
        assert not is_unchanged(changed) and not is_unchanged(connection)

        changed.up()
        assert is_unchanged(changed)
        assert not is_unchanged(connection), "the spec of before"
        _partly_by_hand(project, changed)
        project.destroy().ok()
        assert not is_unchanged(changed), "a stack that was destroyed"


def _partly_by_hand(project: Project, connection: Connection) -> None:
    """A part of an update is none of all, though it succeeds and writes the outputs."""
    project.up("--target", "**preflight").ok()
    found = _files(connection)
    assert not found.settled
    assert not is_unchanged(connection)


def test_the_digest_waits_for_every_resource_that_can_fail() -> None:
    declared = declare(access_key={"generation": 2, "grace_days": 7, "retiring": 1})
    guard = declared.one(*GUARD)
    others = {resource.urn for resource in declared.resources if resource.custom} - {guard.urn}
    assert others <= declared.needed_by(guard)


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
