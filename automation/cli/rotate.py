"""``dataloop-sts rotate``: a new access key, proved and handed over before the old one goes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from automation.cli.frame import Customer, Json, app, common
from automation.cli.lifecycle import connection_of


@app.command(epilog="Example: dataloop-sts -e prod rotate acme --older-than 90. See docs/rotation.md")
def rotate(
    context: typer.Context,
    customer: Customer = None,
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=0, metavar="DAYS", help="Only if the key is so old.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Delete the former key, once its days of grace are over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Rotate the access key: add one to the record's generation, and bring it up.

    After a failure or an interruption the same command goes on with the same rotation.
    """
    as_json = as_json or common(context).json
    connection = connection_of(context, customer, as_json)
    done = connection.rotate(older_than=older_than, finish=finish)
    key = done.key
    if as_json:
        told = {
            "outcome": done.outcome,
            "message": done.message,
            "access_key": {
                "id": key.id,
                "generation": key.generation,
                "created_at": key.created_at.isoformat(),
                "age_days": key.age_days,
            },
        }
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(done.message if done.outcome in ("rotated", "finished") else f"{done.message} Nothing was done.")
    typer.echo(
        f"Access key of {connection.spec.customer} in {connection.environment.name}: {key.id}, "
        f"generation {key.generation}, made on {key.created_at:%Y-%m-%d}, {key.age_days} days old"
    )
