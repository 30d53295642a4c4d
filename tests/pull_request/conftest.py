"""A repository for the tests of changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pull_request.repository import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.make(tmp_path / "repository")
