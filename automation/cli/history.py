"""``dataloop-sts history``: the runs of one connection's stack."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from automation.cli.frame import Customer, Json, app, common
from automation.cli.lifecycle import connection_of


@app.command(epilog="Example: dataloop-sts -e prod history acme")
def history(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Show the runs of the stack, the last one first."""
    runs = connection_of(context, customer, as_json=True).history()
    if as_json or common(context).json:
        told = [{**asdict(run), "started_at": run.started_at.isoformat()} for run in runs]
        typer.echo(json.dumps(told, indent=2))
        return
    for run in runs:
        changes = ", ".join(f"{count} {kind}" for kind, count in run.changes.items())
        took = "" if run.duration_s is None else f" in {run.duration_s:g} s"
        typer.echo(
            f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC  {run.command} {run.result}{took}: {changes or 'no changes'}"
        )
