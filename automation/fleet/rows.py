"""What came of one customer in a run of the fleet: a row of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dataloop_sts.redaction import one_line

Ending = Literal["succeeded", "unchanged", "failed", "skipped", "interrupted"]
ENDINGS: tuple[Ending, ...] = ("succeeded", "unchanged", "failed", "skipped", "interrupted")
KINDS = ("create", "update", "replace", "delete", "same")


@dataclass(frozen=True)
class Row:
    """One customer.

    Attributes:
        customer: whose row it is.
        outcome: ``unchanged``: there was nothing to do; ``skipped``: not begun; ``interrupted``: begun, ended early.
        changes: how many resources by kind.
        error: class and message of what failed, or None.
        duration_s: wall-clock seconds.
        attempts: how often it was tried; 0 where nothing had to be run.
        repaired: what a killed run had left, and what was done about it.
    """

    customer: str
    outcome: Ending
    changes: Mapping[str, int] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    duration_s: float = 0.0
    attempts: int = 0
    repaired: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "customer": self.customer,
            "outcome": self.outcome,
            "changes": {kind: self.changes.get(kind, 0) for kind in KINDS},
            "error": {"class": self.error[0], "message": self.error[1]} if self.error else None,
            "duration_s": round(self.duration_s, 3),
            "attempts": self.attempts,
            "repaired": list(self.repaired),
        }


def told(error: BaseException) -> tuple[str, str]:
    """An error's class and message, for a row: on one line, without what a terminal obeys and XML does not allow."""
    return type(error).__name__, one_line(str(error), limit=None)


def not_begun(customer: str, why: str) -> Row:
    """The row of a customer that was not begun, for a reason in words."""
    return Row(customer, "skipped", error=("NotBegun", f"Not begun: {why}."))
