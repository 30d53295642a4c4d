"""``dataloop-sts repair``: after a run that was killed."""

from __future__ import annotations

import json

import typer

from automation.cli.frame import FINDING, Customer, Json, app, common
from automation.cli.lifecycle import record_of
from automation.connection import Connection


@app.command(epilog="Example: dataloop-sts -e prod repair acme. See docs/rotation.md")
def repair(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Mend a stack after a run that was killed: its lock, what it had begun to make, a key that it left.

    Touches nothing else; where nothing is broken it says so. Exit code 4: something is left for you to judge.
    """
    as_json = as_json or common(context).json
    record = record_of(context, customer)
    findings = Connection.of(record).repair(None if as_json else lambda finding: typer.echo(finding.text))
    command, rest = ("adopt", " --apply") if any(finding.adoption for finding in findings) else ("up", "")
    name = f" {customer}" if customer else ""
    following = f"dataloop-sts -e {record.environment.name} {command}{name}{rest}"
    left = [finding.text for finding in findings if finding.left]
    if as_json:
        done = [finding.text for finding in findings if not finding.left]
        typer.echo(json.dumps({"done": done, "left": left, "next": following}, indent=2))
    else:
        typer.echo(f"Next: {following}" if findings else f"Nothing is broken in stack {record.stack}.")
    if left:
        raise typer.Exit(FINDING)
