"""The world of each test, and a clean connection in it."""

from __future__ import annotations

import pytest

from tests.audit.audited import Audited, clean
from tests.steps.aws_world import World
from tests.steps.conftest import running, world

__all__ = ["audited", "running", "world"]


@pytest.fixture
def audited(world: World) -> Audited:
    """A connection as its spec says, for a whole bucket, without deletion."""
    return clean(world)
