"""Mends a stack after a run that was killed: its lock, and what the run had begun and could not note down."""

from __future__ import annotations

from automation.repair.mending import Finding, repair

__all__ = ["Finding", "repair"]
