"""The drills' fixtures: each drill has a sandbox, a project folder and a temporary folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("drills.drill", "drills.leftovers")
from drills.drill import Drill  # noqa: E402
from drills.leftovers import watching  # noqa: E402
from tests.e2e.harness import running_world  # noqa: E402


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    """A fleet without customers; what it started is ended, whatever happens."""
    with running_world(tmp_path / "sandbox") as world, watching(tmp_path) as watch:
        yield Drill(world, tmp_path / "project", watch)
