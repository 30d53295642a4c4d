"""The work on one customer, as a function that any executor can take: its arguments and its row can be pickled."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from automation.connection import Connection
from automation.environment import Environment
from automation.errors import Interrupted, NoSuchStack, RotationStopped, VerificationFailed
from automation.fleet.leftovers import mend
from automation.fleet.operation import Operation
from automation.fleet.rows import Ending, Row, told
from automation.fleet.transient import is_transient
from automation.records import find
from automation.results import Outcome
from dataloop_sts import waiting
from dataloop_sts.errors import DataloopStsError

MOST_ATTEMPTS = 3
RETRY_S = 120.0
"""Within how many seconds from its beginning a job is tried again."""
_log = logging.getLogger(__name__)


class AuditFinding(DataloopStsError):  # noqa: N818
    """An audit found something."""


def perform(environment: Environment, customer: str, operation: Operation) -> Row:
    """Does an operation to a customer, again where what failed is transient; never raises what is the customer's own.

    Args:
        environment, customer: whose record is read, anew.
        operation: what to do.
    """
    started = time.monotonic()
    number, repaired = 0, list[str]()

    def row(outcome: Ending, changes: Mapping[str, int], error: BaseException | None = None) -> Row:
        took = time.monotonic() - started
        return Row(customer, outcome, changes, told(error) if error else None, took, number, tuple(repaired))

    failure: BaseException = DataloopStsError("")
    for number in waiting.attempts(RETRY_S):
        try:
            connection = Connection.of(find(environment, customer), timeout_s=operation.timeout_s)
            if operation.changes_things:
                mend(connection, repaired.append)
            return row(*_done(connection, operation))
        except DataloopStsError as error:
            failure = error.reason if isinstance(error, RotationStopped) else error
            if isinstance(failure, Interrupted):
                return row("interrupted", {}, error)
            if number >= MOST_ATTEMPTS or not is_transient(failure):
                return row("failed", {}, error)
        except Exception as error:
            _log.exception("customer %s", customer)
            return row("failed", {}, DataloopStsError(f"{type(error).__name__}: {error}"))
    return row("failed", {}, failure)


def _done(connection: Connection, operation: Operation) -> tuple[Ending, Mapping[str, int]]:
    if operation.name == "audit":
        found = connection.audit()
        if bad := found.at_or_above("low"):
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise AuditFinding(f"{bad[0].severity}: {bad[0].subject}: {bad[0].what}{more}")
        return "succeeded", {}
    if operation.name == "verify":
        wrong = next((check for check in connection.verify().checks if not check.ok), None)
        if wrong:
            raise VerificationFailed(f"{wrong.name}: expected {wrong.expected}, got {wrong.actual}", wrong.name)
        return "succeeded", {}
    if operation.name == "rotate":
        outcome = connection.rotate(older_than=operation.older_than).outcome
        return ("succeeded" if outcome in ("rotated", "finished") else "unchanged"), {}
    runs: dict[str, Callable[[], Outcome]] = {
        "preview": connection.preview,
        "up": connection.up,
        "refresh": connection.refresh,
        "destroy": connection.destroy,
    }
    try:
        ran = runs[operation.name]()
    except NoSuchStack:
        if operation.name != "destroy":
            raise
        return "unchanged", {}
    return ("succeeded" if ran.changed else "unchanged"), ran.changes
