"""The worlds of the tests without an engine: AWS and Dataloop as in those of the steps, and a stack of the test's."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.connection import Connection
from tests.rotation.stacks import Stack
from tests.steps.conftest import request_of, running, world

__all__ = ["request_of", "running", "stack", "world"]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack with its first key, thirty days old."""
    made = Stack(tmp_path)
    monkeypatch.setattr(Connection, "state", lambda connection: made.state(connection))
    monkeypatch.setattr(Connection, "up", lambda connection: made.up(connection))
    return made
