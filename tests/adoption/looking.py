"""How the tests look at what was made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dataloop_sts.adopted import Adopted
from dataloop_sts.adoption import Known, Report, Row, look_at_groups, plan, report
from dataloop_sts.audit import Facts
from dataloop_sts.aws import Aws
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.live import User, look
from dataloop_sts.spec import ConnectionSpec
from tests.adoption.by_hand import REGION, Hand

NOTHING_KNOWN = Known()


def facts_of(spec: dict[str, Any], *, days_later: int = 0) -> Facts:
    """The spec, and what is live."""
    parsed = ConnectionSpec.parse(spec, environment="dev")
    live = look(parsed, "dev", Aws(REGION), DataloopClient.shared())
    return Facts(parsed, "dev", live, datetime.now(UTC) + timedelta(days=days_later), max_key_age_days=90)


def report_of(spec: dict[str, Any], known: Known = NOTHING_KNOWN, *, days_later: int = 0) -> Report:
    """The report on it."""
    facts = facts_of(spec, days_later=days_later)
    groups = facts.live.user.groups if isinstance(facts.live.user, User) else ()
    assert isinstance(groups, tuple)
    return report(facts, known, look_at_groups(Aws(REGION).iam(), groups))


def plan_of(hand: Hand, known: Known = NOTHING_KNOWN) -> Adopted:
    """What a run would take over."""
    return plan(facts_of(hand.spec), known)


def rows_of(spec: dict[str, Any], known: Known = NOTHING_KNOWN) -> dict[str, Row]:
    """The rows by their kinds, each of which is there once."""
    rows = report_of(spec, known).rows
    assert len({row.kind for row in rows}) == len(rows)
    return {row.kind: row for row in rows}


def dangers_of(spec: dict[str, Any], *, days_later: int = 0) -> dict[str, str]:
    """What is told of each danger, by its check."""
    found = report_of(spec, days_later=days_later).dangers
    return {each.check: f"{each.what} {each.becomes}" for each in found}


def refusals_of(spec: dict[str, Any], known: Known = NOTHING_KNOWN) -> dict[str, str]:
    """The refusals by their paths, each of which is there once."""
    found = report_of(spec, known).refusals
    assert len({each.path for each in found}) == len(found), found
    return {each.path: each.message for each in found}
