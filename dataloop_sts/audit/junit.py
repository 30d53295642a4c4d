"""An audit's report as JUnit XML, for CI: each check is a test case, its findings are the failure.

The format as CI systems read it: https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

from xml.etree import ElementTree

from dataloop_sts.audit.finding import CheckResult, Finding, Report, Severity


def junit(report: Report, fail_on: Severity) -> str:
    """The report as a document.

    Args:
        report: what was found.
        fail_on: findings of this severity or worse are failures; the others are output of their test case.
    """
    failing = set(report.at_or_above(fail_on))
    cases = [_case(report, result, failing) for result in report.checks]
    suite = ElementTree.Element(
        "testsuite",
        name=f"audit of {report.environment}.{report.customer}",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        timestamp=report.at.isoformat(timespec="seconds"),
    )
    suite.extend(cases)
    if report.not_looked_at:
        lines = (f"Not looked at: {each.unseen}. Needed: {each.needs}. {each.reason}" for each in report.not_looked_at)
        ElementTree.SubElement(suite, "system-out").text = "\n".join(lines)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _case(report: Report, result: CheckResult, failing: set[Finding]) -> ElementTree.Element:
    classname = f"dataloop-sts.audit.{report.environment}.{report.customer}"
    case = ElementTree.Element("testcase", classname=classname, name=result.check)
    found = [finding for finding in report.findings if finding.check == result.check]
    bad = [finding for finding in found if finding in failing]
    if bad:
        first, more = bad[0], f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        message = f"{first.subject}: {first.what}{more}"
        ElementTree.SubElement(case, "failure", type=result.severity, message=message).text = _text(bad)
    elif result.result == "not looked at":
        ElementTree.SubElement(case, "skipped", message="not looked at")
    if rest := [finding for finding in found if finding not in failing]:
        ElementTree.SubElement(case, "system-out").text = _text(rest)
    return case


def _text(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.severity}: {finding.subject}: {finding.what} {finding.mend}" for finding in findings)
