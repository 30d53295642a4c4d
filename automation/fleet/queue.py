"""Whose turn it is: canaries first, then all, within bounds, until the budget of failures is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from automation.errors import RecordError
from automation.records import Record


@dataclass(frozen=True)
class Limits:
    """The bounds of a run.

    Attributes:
        parallel: customers at once.
        per_account: of one AWS account at once; None for no bound of its own.
        per_organization: likewise of one Dataloop organization.
        canary: how many have to succeed before the rest begins; where one fails, or its record is broken, the rest
            does not.
        max_failures: with more failures than that, nobody further is begun; None for no bound.
    """

    parallel: int = 2
    per_account: int | None = None
    per_organization: int | None = None
    canary: int = 0
    max_failures: int | None = None


class Queue:
    """The customers that are waiting and running.

    Args:
        records: who is to be begun, in this order; a broken record is a failure, and its customer is not begun.
        limits: the bounds.
    """

    def __init__(self, records: Mapping[str, Record | RecordError], limits: Limits) -> None:
        self._waiting = {customer: record for customer, record in records.items() if isinstance(record, Record)}
        self._limits = limits
        self._failures = len(records) - len(self._waiting)
        self._running: dict[str, Record] = {}
        self._canaries = set(list(records)[: limits.canary])
        self._stopped: str | None = None
        self._check_budget()
        for customer in sorted(self._canaries - set(self._waiting)):
            self.stop(f"canary {customer} failed")

    @property
    def running(self) -> dict[str, Record]:
        """Who is running."""
        return dict(self._running)

    @property
    def waiting(self) -> list[str]:
        """Who was not begun."""
        return list(self._waiting)

    @property
    def stopped(self) -> str | None:
        """Why nobody further is begun, in words; None while the run goes on."""
        return self._stopped

    def stop(self, why: str) -> None:
        """From now on nobody is begun; the first reason stays."""
        self._stopped = self._stopped or why

    def next(self) -> Record | None:
        """Begins the next one, or None: nobody may be begun now."""
        if self._stopped or len(self._running) >= self._limits.parallel:
            return None
        accounts = Counter(record.spec.aws.account_id for record in self._running.values())
        organizations = Counter(record.spec.organization_id for record in self._running.values())
        for customer, record in self._waiting.items():
            if self._canaries and customer not in self._canaries:
                return None  # the canaries stand first
            if _has_room(accounts[record.spec.aws.account_id], self._limits.per_account) and _has_room(
                organizations[record.spec.organization_id], self._limits.per_organization
            ):
                self._running[customer] = self._waiting.pop(customer)
                return record
        return None

    def ended(self, customer: str, *, failed: bool) -> None:
        """Somebody who was running has come to an end."""
        del self._running[customer]
        if failed:
            self._failures += 1
            self._check_budget()
            if customer in self._canaries:
                self.stop(f"canary {customer} failed")
        self._canaries.discard(customer)

    def _check_budget(self) -> None:
        most = self._limits.max_failures
        if most is not None and self._failures > most:
            self.stop(f"{self._failures} failed, and no more than {most} may")


def _has_room(taken: int, bound: int | None) -> bool:
    return bound is None or taken < bound
