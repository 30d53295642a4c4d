"""A report as JSON and as JUnit XML keeps its shape, and says all that was found and what was not looked at."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from dataloop_sts.audit import CHECKS, SEVERITIES, Report
from dataloop_sts.audit.junit import junit
from tests.audit.audited import Audited, allow, document


@pytest.fixture
def report(audited: Audited) -> Report:
    """Of a connection with a critical, a high and a low finding and an info, and without a state."""
    audited.without_state()
    audited.inline("extra", allow("s3:*"))
    audited.world.iam.create_login_profile(UserName=audited.user, Password="Correct-horse-1")
    audited.world.iam.untag_role(RoleName=audited.user, TagKeys=["managed-by"])
    revoked = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}
    before = {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}
    name = "AWSRevokeOlderSessions"
    text = document({**revoked, "Condition": before})
    audited.world.iam.put_role_policy(RoleName=audited.user, PolicyName=name, PolicyDocument=text)
    return audited.report()


FOUND = ["role-wildcard", "user-console", "tags", "role-sessions-revoked"]


def test_the_worst_findings_come_first(report: Report) -> None:
    assert [finding.check for finding in report.findings] == FOUND
    assert [finding.severity for finding in report.findings] == ["critical", "high", "low", "info"]
    assert [len(report.at_or_above(severity)) for severity in SEVERITIES] == [1, 2, 2, 3, 4]


def test_the_json_has_its_shape(report: Report) -> None:
    document = report.document()
    assert set(document) == {
        "schema",
        "summary",
        "customer",
        "environment",
        "account_id",
        "at",
        "findings",
        "not_looked_at",
        "checks",
    }
    assert document["schema"] == 1
    assert document["summary"] == {"critical": 1, "high": 1, "medium": 0, "low": 1, "info": 1}
    assert set(document["findings"][0]) == {"check", "severity", "subject", "what", "mend"}
    assert set(document["not_looked_at"][0]) == {"unseen", "needs", "reason"}
    assert {frozenset(check) for check in document["checks"]} == {frozenset({"check", "severity", "result"})}
    assert {check["result"] for check in document["checks"]} == {"clean", "found", "not looked at"}
    assert len(document["checks"]) == len(CHECKS)


def test_junit_has_a_case_for_each_check_and_a_failure_for_what_is_bad_enough(report: Report) -> None:
    low, high, critical = (_suite(report, fail_on) for fail_on in ("low", "high", "critical"))
    assert [_failed(suite) for suite in (low, high, critical)] == [set(FOUND[:number]) for number in (3, 2, 1)]
    cases = {case.attrib["name"]: case for case in low.findall("testcase")}
    assert list(cases) == [check.id for check in CHECKS]
    skipped = [name for name, case in cases.items() if case.find("skipped") is not None]
    assert "driver-test" in skipped
    counted = {key: int(low.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": len(CHECKS), "failures": 3, "errors": 0, "skipped": len(skipped)}
    failure = cases["role-wildcard"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "critical"
    assert "Policy extra allows s3:* on *" in failure.attrib["message"]
    assert failure.text
    assert "delete-role-policy" in failure.text
    outside = low.findtext("system-out")
    assert outside
    assert "Needed: the stack's state." in outside
    told = cases["role-sessions-revoked"].find("system-out")
    assert told is not None
    assert told.text
    assert told.text.startswith("info: ")


def _suite(report: Report, fail_on: Any) -> ElementTree.Element:
    text = junit(report, fail_on)
    assert text.startswith("<?xml")
    suite = ElementTree.fromstring(text).find("testsuite")  # noqa: S314 - ours
    assert suite is not None
    return suite


def _failed(suite: ElementTree.Element) -> set[str]:
    return {case.attrib["name"] for case in suite.findall("testcase") if case.find("failure") is not None}
