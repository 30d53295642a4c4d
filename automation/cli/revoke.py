"""``dataloop-sts revoke``: a leaked key is dead at once, and so are the sessions that it began."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from automation.cli.frame import FAILED, Customer, Json, app, common, confirm
from automation.cli.lifecycle import record_of
from automation.connection import Connection
from automation.errors import NoSuchStack, RecordError, StackError
from automation.records import Record
from automation.rotation import key_in_use
from dataloop_sts.aws import Aws, require_account
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.revocation import Step
from dataloop_sts.revocation import revoke as revoke_in_aws


@app.command(epilog="Example: dataloop-sts -e prod revoke acme; then up --refresh acme. See docs/rotation.md")
def revoke(
    context: typer.Context,
    customer: Customer = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Shut the connection off at once: its user's keys and its role's sessions. `up` then makes a new key.

    Works on AWS directly, without the engine; run it again at any time.
    """
    as_json = as_json or common(context).json
    record = record_of(context, customer)
    name, environment = record.spec.customer, record.environment.name
    if not yes:
        confirm(f"Shut off the connection of {name} in {environment}, until the next `up`?")
    done: list[str] = []
    failed: list[str] = []
    for step in (*_in_aws(record), *_in_record(record)):
        text = f"{step.what}: NOT DONE. {step.error}" if step.error else step.what
        (failed if step.error else done).append(text)
        if not as_json:
            typer.echo(f"  {text}")
    following = f"dataloop-sts -e {environment} up --refresh{f' {customer}' if customer else ''}"
    if as_json:
        typer.echo(json.dumps({"done": done, "failed": failed, "next": following}, indent=2))
    elif failed:
        typer.echo("Not all was done: mend what is said above, then run this again.", err=True)
    else:
        typer.echo(f"The connection of {name} in {environment} is down. A new key, and it works again: {following}")
    if failed:
        raise typer.Exit(FAILED)


def _in_aws(record: Record) -> Iterator[Step]:
    spec, names = record.spec, record.spec.names(record.environment.name)
    aws = Aws(spec.aws.region, deploy_role=spec.aws.deploy_role)
    if spec.aws.account_id:
        require_account(aws, spec.aws.account_id)
    yield from revoke_in_aws(aws, names.user, names.role)


def _in_record(record: Record) -> Iterator[Step]:
    """Asks for a new key in the record: afterwards, since nothing of AWS waits for it."""
    wanted = record.spec.access_key.generation
    what = f"{record.path.name}: access_key.generation is {wanted + 1} now"
    try:
        key = key_in_use(Connection.of(record).state(), record.stack)
        if wanted == key.generation:
            record.with_access_key(generation=wanted + 1, retiring=None)
            yield Step(what)
        else:
            yield Step(f"{record.path.name}: asks for generation {wanted} already, Dataloop holds {key.generation}")
        if not key.settled or key.kept:
            yield Step(
                f"user {record.spec.names(record.environment.name).user}: may have two keys; where `up` says so, "
                f"delete the one that is not {key.id}"
            )
    except NoSuchStack:
        return
    except (StackError, RecordError) as error:
        yield Step(what, DataloopStsError(f"{error} Add one to access_key.generation by hand."))
