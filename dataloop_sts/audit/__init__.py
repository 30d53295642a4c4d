"""Judges what is live of one connection by its spec, and by what its stack remembers; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataloop_sts.audit import by_calls, of_buckets, of_iam, of_keys, of_role, of_state, of_trust, of_user, on_dataloop
from dataloop_sts.audit.auditor import auditor_document
from dataloop_sts.audit.facts import Facts, Recorded, Rule
from dataloop_sts.audit.finding import SEVERITIES, Check, CheckResult, Finding, Report, Severity, worst_first
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.live import Unseen
from dataloop_sts.steps.verify import VerificationRequest

__all__ = [
    "CHECKS",
    "SEVERITIES",
    "Check",
    "CheckResult",
    "Facts",
    "Finding",
    "Recorded",
    "Report",
    "Severity",
    "audit",
    "auditor_document",
]

_RULES: tuple[Rule[Any], ...] = (
    *of_state.RULES,
    *of_trust.RULES,
    *of_role.RULES,
    *of_user.RULES,
    *of_keys.RULES,
    *of_iam.RULES,
    *of_buckets.RULES,
    *on_dataloop.RULES,
)
CHECKS: tuple[Check, ...] = (
    *(check for rule in _RULES for check in rule.checks),
    by_calls.ASSUME,
    by_calls.REFUSED,
    by_calls.LISTING,
    by_calls.TEST,
)
"""Every check, in the order in which they are made."""


def audit(facts: Facts, client: DataloopClient, request: VerificationRequest | None = None) -> Report:
    """Judges a connection by every rule.

    Args:
        facts: the spec and what is live.
        client: a client of Dataloop, for TEST.
        request: what the stack's verification tried, with the access key; without it no real call is made.

    Raises:
        DataloopError: Dataloop gave no answer to a TEST.
    """
    findings: list[Finding] = []
    unseen: list[Unseen] = []
    results: list[CheckResult] = []
    for rule in (*_RULES, *by_calls.rules(request, client)):
        said = list(rule.run(facts))
        found = [each for each in said if isinstance(each, Finding)]
        hidden = [each for each in said if isinstance(each, Unseen)]
        findings += found
        unseen += hidden
        results += _results(rule.checks, {finding.check for finding in found}, bool(hidden))
    return Report(
        customer=facts.spec.customer,
        environment=facts.environment,
        account_id=facts.live.account_id,
        at=facts.now,
        findings=worst_first(findings),
        not_looked_at=tuple(dict.fromkeys([*unseen, *facts.live.unseen()])),
        checks=tuple(results),
    )


def _results(checks: Iterable[Check], found: set[str], hidden: bool) -> list[CheckResult]:
    return [
        CheckResult(
            check=check.id,
            severity=check.severity,
            result="found" if check.id in found else "not looked at" if hidden else "clean",
        )
        for check in checks
    ]
