"""The same world as the steps' tests."""

from __future__ import annotations

from tests.steps.conftest import request_of, running, world

__all__ = ["request_of", "running", "world"]
