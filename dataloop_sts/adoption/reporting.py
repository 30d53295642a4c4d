"""Puts a report together."""

from __future__ import annotations

from dataloop_sts.adoption.dangers import dangers
from dataloop_sts.adoption.groups import GroupPolicies
from dataloop_sts.adoption.known import Known
from dataloop_sts.adoption.plan import plan
from dataloop_sts.adoption.refusals import refusals
from dataloop_sts.adoption.report import Report
from dataloop_sts.adoption.rows import rows
from dataloop_sts.audit.facts import Facts


def report(facts: Facts, known: Known, groups: GroupPolicies) -> Report:
    """What is there, what is dangerous, what forbids an adoption.

    Args:
        facts: the spec and what is live.
        known: what the stack has.
        groups: what the user may do by its groups.
    """
    found = plan(facts, known)
    return Report(
        customer=facts.spec.customer,
        environment=facts.environment,
        account_id=facts.live.account_id,
        rows=tuple(rows(facts, known)),
        dangers=tuple(dangers(facts)),
        refusals=tuple(refusals(facts, known, groups)),
        takes_over=bool(found.imports or found.integration_id or found.driver_ids),
    )
