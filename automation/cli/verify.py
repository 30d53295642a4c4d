"""``dataloop-sts verify``: proves a live connection by real calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from automation.cli.frame import FAILED, Customer, Json, app, common
from automation.cli.lifecycle import connection_of

if TYPE_CHECKING:
    from dataloop_sts.steps.verify import Report


@app.command("verify", epilog="Example: dataloop-sts -e prod verify acme")
def verify_live(
    context: typer.Context,
    customer: Customer = None,
    as_json: Json = False,
) -> None:
    """Prove a live connection by real calls: AssumeRole, what must work, what must be refused, and Dataloop's TEST.

    Reads the stack that `pulumi up` made, in the project's folder. Changes nothing but its own probe objects.
    """
    connection = connection_of(context, customer, as_json=True)
    report = connection.verify()
    if as_json or common(context).json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print_report(connection.stack, report)
    if not report.ok:
        raise typer.Exit(FAILED)


def _print_report(stack: str, report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "expected", "actual", "", title=f"Connection of stack {stack}", title_justify="left")
    for check in report.checks:
        table.add_row(check.name, check.expected, check.actual, "ok" if check.ok else "[bold red]FAILED[/]")
    Console().print(table)
    holding = sum(check.ok for check in report.checks)
    typer.echo(f"{holding} of {len(report.checks)} checks hold.")
