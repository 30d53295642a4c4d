"""What is transient is tried again, and not for ever; all else is told at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from automation.connection import Connection
from automation.errors import DataloopFailed, Interrupted, StackError, StackLocked
from automation.fleet import Operation, Row, perform
from automation.results import Outcome
from tests.fleet.conftest import Customers

Try = Callable[[list[StackError]], Row]


@pytest.fixture
def tried(customers: Customers, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Brings a customer up whose engine fails with these errors in turn, then succeeds."""
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    customers.add("acme")

    def run(errors: list[StackError]) -> Row:
        left = iter(errors)

        def up(self: Connection) -> Outcome:
            if error := next(left, None):
                raise error
            return Outcome({"create": 1}, 0.1)

        monkeypatch.setattr(Connection, "up", up)
        return perform(customers.environment, "acme", Operation("up"))

    return run


LIMITED = DataloopFailed("Stack prod.acme: limited", kind="RateLimited")


@pytest.mark.parametrize(
    "error",
    [
        LIMITED,
        DataloopFailed("Stack prod.acme: no answer", kind="Unreachable"),
        DataloopFailed("Stack prod.acme: 503", kind="ServerError"),
        DataloopFailed("Dataloop: Dataloop failed while it worked on integration 'acme': 503."),
    ],
)
def test_a_rate_limit_and_an_outage_are_tried_again(tried: Try, error: StackError) -> None:
    row = tried([error])
    assert (row.outcome, row.attempts, row.changes, row.error) == ("succeeded", 2, {"create": 1}, None)


def test_three_times_in_all(tried: Try) -> None:
    row = tried([LIMITED] * 3)
    assert (row.outcome, row.attempts, row.error) == ("failed", 3, ("DataloopFailed", "Stack prod.acme: limited"))


def test_a_lock_is_told_at_once(tried: Try) -> None:
    row = tried([StackLocked("Stack prod.acme is locked by ops@deployer")])
    assert (row.outcome, row.attempts) == ("failed", 1)
    assert row.error == ("StackLocked", "Stack prod.acme is locked by ops@deployer")


def test_one_that_was_ended_early_is_no_failure(tried: Try) -> None:
    row = tried([Interrupted("Stack prod.acme: the run was interrupted.")])
    assert (row.outcome, row.attempts) == ("interrupted", 1)
