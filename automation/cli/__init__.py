"""The command ``dataloop-sts``; each of its commands has a module of its own."""

from __future__ import annotations

from automation.cli import (
    adopt,
    audit,
    bootstrap,
    changed,
    fleet,
    history,
    lifecycle,
    policies,
    pull_request,
    records,
    repair,
    revoke,
    rotate,
    verify,
)
from automation.cli.frame import app, run

__all__ = [
    "adopt",
    "app",
    "audit",
    "bootstrap",
    "changed",
    "fleet",
    "history",
    "lifecycle",
    "main",
    "policies",
    "pull_request",
    "records",
    "repair",
    "revoke",
    "rotate",
    "verify",
]


def main() -> None:
    """The command's entry point."""
    run()
