"""A service may keep specs elsewhere than in records: a rotation then gives back the spec to keep."""

from __future__ import annotations

import pytest

from automation.connection import Connection
from automation.errors import EngineFailed, RotationStopped
from automation.results import PastRun
from dataloop_sts.spec import ConnectionSpec
from tests.rotation.conftest import stack
from tests.rotation.stacks import Stack

__all__ = ["stack"]


def _connection(stack: Stack) -> Connection:
    record = stack.record()
    return Connection(record.environment, record.spec)


def test_a_rotation_gives_back_the_spec_to_keep(stack: Stack) -> None:
    connection = _connection(stack)
    assert (connection.stack, connection.sandbox, connection.own_stack) == ("dev.acme", False, False)
    before = stack.record().path.read_text()
    done = connection.rotate()
    assert (done.outcome, done.key.generation) == ("rotated", 2)
    assert (done.spec.access_key.generation, done.spec.access_key.retiring) == (2, 1)
    assert connection.spec.access_key.generation == 1
    assert stack.record().path.read_text() == before
    assert Connection(connection.environment, done.spec).rotate(older_than=1).outcome == "young"


def test_a_rotation_that_stopped_gives_back_the_spec_too_and_the_reason(stack: Stack) -> None:
    stack.failing = EngineFailed("Stack dev.acme: no disk.")
    with pytest.raises(RotationStopped, match=r"no disk\. The spec asks for generation 2: the same") as caught:
        _connection(stack).rotate()
    assert caught.value.spec.access_key.generation == 2
    assert caught.value.reason is stack.failing
    stack.failing = None
    assert Connection(_connection(stack).environment, caught.value.spec).rotate().key.generation == 2


def test_the_spec_to_keep_is_saved_before_anything_is_done_and_only_when_it_is_another(stack: Stack) -> None:
    saved: list[ConnectionSpec] = []
    stack.failing = KeyboardInterrupt()
    with pytest.raises(RotationStopped):
        _connection(stack).rotate(save=saved.append)
    assert [spec.access_key.generation for spec in saved] == [2]
    stack.failing = None
    going_on = Connection(_connection(stack).environment, saved[0])
    assert going_on.rotate(save=saved.append).key.generation == 2
    assert going_on.rotate(older_than=1, save=saved.append).outcome == "young"
    assert len(saved) == 1
    assert stack.record().spec.access_key.generation == 1


def test_where_the_spec_cannot_be_saved_nothing_is_done(stack: Stack) -> None:
    def save(_: ConnectionSpec) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        _connection(stack).rotate(save=save)
    assert (stack.ups, list(stack.keys)) == (0, [1])


def test_a_run_of_the_history_says_what_it_was_and_how_long_it_took() -> None:
    entry = {
        "kind": "update",
        "startTime": "2026-11-24T21:06:16.000Z",
        "endTime": "2026-11-24T21:06:19.000Z",
        "result": "succeeded",
        "resourceChanges": {"create": 2, "same": 17, "read": 1},
        "config": {},
    }
    run = PastRun.of(entry)
    assert (run.command, run.result, run.duration_s) == ("up", "succeeded", 3.0)
    assert run.changes == {"create": 2, "same": 17}
    assert PastRun.of({**entry, "endTime": None}).duration_s is None
