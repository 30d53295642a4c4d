"""``dataloop-sts adopt``: takes over what people made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.frame import FAILED, FINDING, Customer, Json, app, common
from automation.cli.lifecycle import connection_of

if TYPE_CHECKING:
    from dataloop_sts.adoption import Report

_COLUMNS = 120
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}


@app.command(epilog="Example: dataloop-sts -e prod adopt acme; then with --apply. See docs/adoption.md")
def adopt(
    context: typer.Context,
    customer: Customer = None,
    apply: Annotated[bool, typer.Option("--apply", help="Adopt it; without this, only report.")] = False,
    as_json: Json = False,
) -> None:
    """Report what people made by hand under the spec's names, and with --apply take it over into the stack.

    Buckets, objects, drivers and datasets stay what they are; the access key is replaced. Exit code of the report:
    4: there are dangers, 1: it cannot be applied.
    """
    from automation.adoption import Adoption

    as_json = as_json or common(context).json
    adoption = Adoption.of(connection_of(context, customer, as_json))
    report = adoption.report
    if not as_json:
        _print(report)
    elif report.refusals or not apply:
        typer.echo(_document(report, applied=False))
    if apply:
        adoption.apply()
        typer.echo(_document(report, applied=True) if as_json else _done(report))
    elif report.refusals:
        raise typer.Exit(FAILED)
    elif report.dangers:
        raise typer.Exit(FINDING)


def _document(report: Report, *, applied: bool) -> str:
    return json.dumps({**report.document(), "applied": applied}, indent=2)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.width = min(console.width, _COLUMNS) if console.is_terminal else _COLUMNS
    title = f"Connection of {report.customer} in {report.environment}, AWS account {report.account_id}"
    table = Table(title=title, title_justify="left")
    for heading in ("", "name", "found", "as the spec says", "what becomes of it"):
        table.add_column(heading, overflow="fold")  # an ARN that is cut off is no evidence
    for row in report.rows:
        found, equal = "yes" if row.found else "no", "yes" if row.equal else "\n".join(row.differences)
        table.add_row(*map(Text, (row.kind, row.name, found, equal, row.becomes)))
    console.print(table)
    for danger in report.dangers:
        line = (danger.severity.upper(), _STYLES[danger.severity])
        console.print(Text.assemble(line, f" {danger.subject}: {danger.what} {danger.becomes}"), soft_wrap=True)
    for refusal in report.refusals:
        console.print(Text.assemble(("REFUSED", "bold red"), f" {refusal}"), soft_wrap=True)
    console.print(_verdict(report))


def _verdict(report: Report) -> str:
    if report.refusals:
        return "It cannot be adopted like this."
    return "It can be adopted: --apply does it." if report.takes_over else "Everything is the stack's already."


def _done(report: Report) -> str:
    staying = [danger.subject for danger in report.dangers if danger.becomes.startswith("It stays.")]
    more = f" What stays is yours to mend: {', '.join(staying)}." if staying else ""
    return f"The connection of {report.customer} is adopted.{more}"
