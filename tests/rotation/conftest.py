"""The world of the tests without an engine: that of the steps."""

from __future__ import annotations

from tests.steps.conftest import request_of, running, world

__all__ = ["request_of", "running", "world"]
