"""What an audit says: checks, findings with a severity, evidence and mend, and the report of them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dataloop_sts.live import Unseen

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""From the worst on; an info is worth knowing and never a reason to fail."""
STATE = "the stack's state"
"""What :class:`Unseen` needs where there is no state, or none was wanted."""
ADDRESS = "an address of aws.trust_source_ips"
"""What it needs where the role may not be assumed from this machine, as the spec has it."""
SCHEMA = 1
"""Of the report's JSON; goes up where a key goes or changes its meaning."""


@dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    Attributes:
        id: for programs; stable.
        severity: of its findings.
        finds: what it finds, for docs/audit.md.
        mend: what to do; ``{name}`` stands for what a finding names.
    """

    id: str
    severity: Severity
    finds: str
    mend: str


class Finding(BaseModel):
    """One deviation.

    Attributes:
        check: the check that found it; all are on the page of the audit.
        severity: how bad it is.
        subject: what it is about, for example ``role dataloop-acme-prod``.
        what: what is wrong, with the evidence.
        mend: what to do about it.
    """

    model_config = ConfigDict(frozen=True)

    check: str
    severity: Severity
    subject: str
    what: str
    mend: str


class CheckResult(BaseModel):
    """What came of one check."""

    model_config = ConfigDict(frozen=True)

    check: str
    severity: Severity
    result: Literal["clean", "found", "not looked at"]


class Report(BaseModel):
    """What an audit found; it holds no secret.

    Attributes:
        customer, environment: whose connection it is.
        account_id: the AWS account that was looked at.
        at: when.
        findings: the worst first.
        not_looked_at: what could not be seen, each with the permission that is needed for it.
        checks: what came of each check.
    """

    model_config = ConfigDict(frozen=True)

    customer: str
    environment: str
    account_id: str
    at: datetime
    findings: tuple[Finding, ...]
    not_looked_at: tuple[Unseen, ...]
    checks: tuple[CheckResult, ...]

    @property
    def hidden(self) -> tuple[Unseen, ...]:
        """What could not be looked at for lack of a permission, and not because it was so wanted."""
        return tuple(each for each in self.not_looked_at if each.needs not in (STATE, ADDRESS))

    def at_or_above(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings that are as bad as that, or worse."""
        bad = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(finding for finding in self.findings if finding.severity in bad)

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        counts = dict.fromkeys(SEVERITIES, 0)
        for finding in self.findings:
            counts[finding.severity] += 1
        return {"schema": SCHEMA, "summary": counts, **self.model_dump(mode="json")}


def worst_first(findings: Iterator[Finding] | list[Finding]) -> tuple[Finding, ...]:
    """Sorted by severity; those of one severity stay in their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
