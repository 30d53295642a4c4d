"""``dataloop-sts preview|up|refresh|destroy|outputs|config``: one connection's stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from automation.cli.completion import customers
from automation.cli.frame import CHANGES, Customer, Json, app, common, confirm
from automation.connection import Connection
from automation.environment import Environment
from automation.records import Record, find
from automation.results import Outcome
from dataloop_sts.errors import GuardRefused

Refresh = Annotated[bool, typer.Option("--refresh", help="Look at what is live first.")]


def record_of(context: typer.Context, customer: str | None) -> Record:
    """The record that a command is about, in the folder where it is run."""
    return find(Environment.of(common(context).environment, Path.cwd()), customer)


def connection_of(context: typer.Context, customer: str | None, as_json: bool) -> Connection:
    """The connection that a command is about; what the engine prints is shown unless JSON is asked for."""
    return Connection.of(record_of(context, customer), None if as_json or common(context).json else typer.echo)


@app.command(epilog="Example: dataloop-sts -e prod preview acme")
def preview(context: typer.Context, customer: Customer = None, refresh: Refresh = False, as_json: Json = False) -> None:
    """Show what `up` would do. Exit code 3: there are changes."""
    outcome = connection_of(context, customer, as_json).preview(refresh=refresh)
    _print(context, outcome, as_json)
    if outcome.changed:
        raise typer.Exit(CHANGES)


@app.command(epilog="Example: dataloop-sts -e prod up acme; mends what others changed with --refresh")
def up(context: typer.Context, customer: Customer = None, refresh: Refresh = False, as_json: Json = False) -> None:
    """Make the connection what its record says."""
    _print(context, connection_of(context, customer, as_json).up(refresh=refresh), as_json)


@app.command(epilog="Example: dataloop-sts -e prod refresh acme; then dataloop-sts -e prod preview acme")
def refresh(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Take what is live into the state, so that a preview shows what others changed."""
    _print(context, connection_of(context, customer, as_json).refresh(), as_json)


@app.command(epilog="Example: dataloop-sts -e prod destroy acme. See docs/destroy.md")
def destroy(
    context: typer.Context,
    customer: Customer = None,
    confirm_delete: Annotated[
        str | None,
        typer.Option(
            metavar="CUSTOMER",
            help="Lose the customer's objects and datasets' storage, in this one run; its name, as a confirmation.",
            autocompletion=customers,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take the connection away. What becomes of its buckets says on_destroy; the guard refuses what would be a loss."""
    connection = connection_of(context, customer, as_json)
    name = connection.spec.customer
    if confirm_delete not in (None, name):
        raise GuardRefused(f"--confirm-delete names {confirm_delete!r}, this is the connection of {name!r}: name it.")
    if not yes and not confirm_delete:
        confirm(f"Destroy the connection of {name} in {connection.environment.name}?")
    _print(context, connection.destroy(confirm_delete=confirm_delete is not None), as_json)


@app.command(epilog="Example: dataloop-sts -e prod outputs acme")
def outputs(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Print the stack's outputs; always as JSON."""
    typer.echo(json.dumps(connection_of(context, customer, True).outputs(), indent=2))


@app.command(epilog="Example: dataloop-sts -e prod config acme; then pulumi preview --stack prod.acme")
def config(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Write the stack's Pulumi.STACK.yaml into this folder, so that the plain Pulumi CLI can take over."""
    connection = connection_of(context, customer, True)
    file = connection.write_config(Path.cwd())
    if as_json or common(context).json:
        typer.echo(json.dumps({"stack": connection.stack, "path": str(file)}, indent=2))
        return
    typer.echo(f"{file.name} is written. Go on with: pulumi preview --stack {connection.stack}")


def _print(context: typer.Context, outcome: Outcome, as_json: bool) -> None:
    if as_json or common(context).json:
        typer.echo(json.dumps({"changes": dict(outcome.changes), "duration_s": outcome.duration_s}, indent=2))
