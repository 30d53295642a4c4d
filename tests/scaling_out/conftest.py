"""The end-to-end tests' sandbox and projects."""

from __future__ import annotations

from tests.e2e.conftest import new_project, project, world

__all__ = ["new_project", "project", "world"]
