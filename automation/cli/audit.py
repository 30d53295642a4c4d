"""``dataloop-sts audit``: what is live of a connection, against its spec and its stack; changes nothing."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.frame import FAILED, FINDING, Customer, Json, app, common
from automation.cli.lifecycle import connection_of
from automation.connection import MAX_KEY_AGE_DAYS

if TYPE_CHECKING:
    from dataloop_sts.audit import Report

_COLUMNS = 120
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}


class Format(StrEnum):
    """How the report is printed."""

    table = "table"
    json = "json"
    junit = "junit"


class FailOn(StrEnum):
    """The least severity that is a reason to fail."""

    critical = "critical"
    high = "high"
    medium = "medium"
    low = "low"


@app.command(
    epilog="Example: dataloop-sts -e prod audit acme --fail-on high --format junit > audit.xml. See docs/audit.md"
)
def audit(
    context: typer.Context,
    customer: Customer = None,
    how: Annotated[Format, typer.Option("--format", help="How to print the report.")] = Format.table,
    max_key_age: Annotated[
        int, typer.Option(metavar="DAYS", min=1, help="From when on an access key is old.")
    ] = MAX_KEY_AGE_DAYS,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit code 4 where a finding is as bad as this, or worse.")
    ] = FailOn.low,
    no_state: Annotated[
        bool, typer.Option("--no-state", help="Do not ask the stack, and make no call with its access key.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare what is live in AWS and on Dataloop with the record, and with what the stack remembers.

    Changes nothing. Exit codes: 0 clean, 1 it could not be done or not all could be looked at, 4 a finding.
    """
    connection = connection_of(context, customer, as_json=True)
    report = connection.audit(max_key_age_days=max_key_age, use_state=not no_state)
    if as_json or common(context).json or how is Format.json:
        typer.echo(json.dumps(report.document(), indent=2))
    elif how is Format.junit:
        from dataloop_sts.audit.junit import junit

        typer.echo(junit(report, fail_on.value))
    else:
        _print(report)
    if report.at_or_above(fail_on.value):
        raise typer.Exit(FINDING)
    if report.hidden:
        typer.echo(f"The audit is not complete: {len(report.hidden)} things could not be looked at.", err=True)
        raise typer.Exit(FAILED)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.width = min(console.width, _COLUMNS) if console.is_terminal else _COLUMNS
    title = f"Audit of {report.customer} in {report.environment}, AWS account {report.account_id}"
    if report.findings:
        table = Table("severity", "finding", "mend", title=title, title_justify="left", show_lines=True)
        for finding in report.findings:
            what = Text.assemble((finding.subject, "bold"), f": {finding.what} ", (f"[{finding.check}]", "dim"))
            table.add_row(Text(finding.severity, style=_STYLES[finding.severity]), what, Text(finding.mend))
        console.print(table)
    else:
        console.print(Text(title))
    for each in report.not_looked_at:
        console.print(Text(f"Not looked at: {each.unseen}. Needed: {each.needs}. {each.reason}"))
    console.print(Text(_summary(report)))


def _summary(report: Report) -> str:
    from dataloop_sts.audit import SEVERITIES

    clean = sum(result.result == "clean" for result in report.checks)
    counts = [(sum(f.severity == severity for f in report.findings), severity) for severity in SEVERITIES]
    found = ", ".join(f"{count} {severity}" for count, severity in counts if count) or "nothing found"
    return f"{clean} of {len(report.checks)} checks are clean; {found}."
