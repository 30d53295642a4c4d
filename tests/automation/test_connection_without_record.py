"""A service may keep specs elsewhere than in records: a rotation then gives back the spec to keep."""

from __future__ import annotations

import pytest

from automation.connection import Connection
from automation.errors import EngineFailed
from automation.results import PastRun
from automation.rotation import RotationStopped
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
