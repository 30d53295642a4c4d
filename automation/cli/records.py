"""``dataloop-sts records new|validate|list|show``: the files that describe the customers' connections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from automation import new_record
from automation.cli.completion import customers
from automation.cli.frame import BAD_INPUT, Customer, Json, app, common
from automation.cli.lifecycle import record_of
from automation.environment import Environment
from automation.errors import NoCredentials, RecordError
from automation.new_record import NewRecord
from automation.origins import annotated, origins, resolved
from automation.records import INVALID, Record, all_of, unused_organizations
from automation.selection import Selection
from dataloop_sts.errors import Problem

Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        "-s",
        metavar="WHO",
        help="A name, a glob such as 'acme-*', or a label as KEY=VALUE; may be repeated. Default: all.",
        autocompletion=customers,
    ),
]
NamesFile = Annotated[
    str | None, typer.Option("--select-from", metavar="FILE", help="A file of names, one a line; - is standard input.")
]
_PIPED_COLUMNS = 200

commands = typer.Typer(no_args_is_help=True, help="Write, check and show the customers' records.")
app.add_typer(commands, name="records")


def selected(context: typer.Context, select: list[str] | None, names: str | None) -> dict[str, Record | RecordError]:
    """The records that a command is about, in the folder where it is run."""
    selection = Selection.of(select or (), names)
    return selection.among(all_of(Environment.of(common(context).environment, Path.cwd())))


@commands.command(
    epilog="Example: dataloop-sts records new acme --project 7b1e9d3c --bucket dataloop-acme. See docs/records.md"
)
def new(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help="The customer's short name; it becomes the file's.")],
    project: Annotated[str, typer.Option(help="The Dataloop project's id.")],
    bucket: Annotated[str, typer.Option(help="The bucket's name.")],
    existing: Annotated[
        bool, typer.Option("--existing", help="The bucket is there, and stays somebody else's.")
    ] = False,
    driver: Annotated[str | None, typer.Option(help="The storage driver's name. Default: the customer's.")] = None,
    prefix: Annotated[str | None, typer.Option(help="The folder to which the connection is limited.")] = None,
    allow_delete: Annotated[bool, typer.Option("--allow-delete", help="Let Dataloop delete objects.")] = False,
    organization: Annotated[str | None, typer.Option(help="The Dataloop organization's id, if not a default.")] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region, if not a default.")] = None,
    account: Annotated[str | None, typer.Option(help="The AWS account's id, if not a default.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Write the record of a new customer, if it will be valid. A record that is there is never written over."""
    described = NewRecord(
        driver=driver or customer,
        project_id=project,
        bucket=bucket,
        existing=existing,
        prefix=prefix,
        allow_delete=allow_delete,
        organization_id=organization,
        region=region,
        account_id=account,
        labels={key: value for key, _, value in (word.partition("=") for word in label or ())},
    )
    environment = Environment.of(common(context).environment, Path.cwd())
    record = new_record.write(environment, customer, described)
    if as_json or common(context).json:
        typer.echo(json.dumps({"customer": customer, "stack": record.stack, "path": str(record.path)}, indent=2))
    else:
        typer.echo(f"{record.path} is written. Go on with: dataloop-sts -e {environment.name} preview {customer}")


@commands.command(epilog="Example: dataloop-sts -e prod records validate --select 'acme-*'")
def validate(context: typer.Context, select: Select = None, names: NamesFile = None, as_json: Json = False) -> None:
    """Check records, all of them by default, and tell every mistake at once. Exit code 2: there are some."""
    found = selected(context, select, names)
    environment = Environment.of(common(context).environment, Path.cwd())
    of_settings = [] if select or names else unused_organizations(environment, found.values())
    mistakes = {customer: error for customer, error in found.items() if isinstance(error, RecordError)}
    if as_json or common(context).json:
        invalid = [{"customer": customer, "problems": _told(error)} for customer, error in mistakes.items()]
        told = {"valid": len(found) - len(mistakes), "invalid": invalid, "settings": list(map(str, of_settings))}
        typer.echo(json.dumps(told, indent=2))
        raise typer.Exit(BAD_INPUT if mistakes or of_settings else 0)
    if of_settings:
        raise RecordError(f"The settings of {environment.name} do not fit the records:", of_settings)
    if mistakes:
        # a mistake of the defaults is that of every record: it is told once
        texts = dict.fromkeys(text for error in mistakes.values() for text in _told(error))
        heading = f"{len(mistakes):,} of {_counted(found)} not valid:"
        raise RecordError(heading, [Problem("", text) for text in texts])
    typer.echo(f"{_counted(found)} valid.")


@commands.command("list", epilog="Example: dataloop-sts -e prod records list --select tier=gold")
def list_records(context: typer.Context, select: Select = None, names: NamesFile = None, as_json: Json = False) -> None:
    """List records: whose, where, which buckets, which labels, and whether they are valid."""
    rows = [_row(customer, record) for customer, record in selected(context, select, names).items()]
    if as_json or common(context).json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("customer", "region", "account", "buckets", "labels", "")
    for row in rows:
        labels = " ".join(f"{key}={value}" for key, value in row["labels"].items())
        mistakes = f"{len(row['problems'])} not valid" if row["problems"] else ""
        shown = (row["customer"], row["region"], row["account_id"], " ".join(row["buckets"]), labels)
        table.add_row(*(Text(each or "") for each in shown), Text(mistakes, "bold red"))
    console = Console()
    console.width = console.width if console.is_terminal else _PIPED_COLUMNS
    console.print(table)


@commands.command(epilog="Example: dataloop-sts -e prod records show acme")
def show(context: typer.Context, customer: Customer = None, as_json: Json = False) -> None:
    """Show a record with its defaults and derived names, and where each value comes from."""
    record = record_of(context, customer)
    if as_json or common(context).json:
        document = {
            "customer": record.spec.customer,
            "stack": record.stack,
            "path": str(record.path),
            "labels": dict(record.labels),
            "credentials": _credentials(record),
            "spec": resolved(record),
            "origins": origins(record),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    labels = "".join(f", {key}={value}" for key, value in record.labels.items())
    typer.echo(f"# {record.path}: stack {record.stack}{labels}")
    typer.echo(f"# Dataloop credentials: {_credentials(record)}")
    typer.echo(annotated(record))


def _credentials(record: Record) -> str:
    """Where those of its organization are, or why they are not there."""
    organization = record.spec.organization_id
    own = record.environment.settings.organizations.get(organization)
    try:
        record.environment.variables_of(organization)
    except NoCredentials as error:
        return error.problems[0].message
    return own.places if own else "those of the shell"


def _told(error: RecordError) -> list[str]:
    # each of a spec's mistakes has its file in its place; others have it in the heading
    plain = error.heading == INVALID
    return [str(problem) if plain else f"{error.heading} {problem}" for problem in error.problems]


def _counted(found: dict[str, Any]) -> str:
    return "1 record is" if len(found) == 1 else f"{len(found):,} records are"


def _row(customer: str, record: Record | RecordError) -> dict[str, Any]:
    row = {"customer": customer, "labels": dict(record.labels or {})}
    if isinstance(record, RecordError):
        return row | {"region": None, "account_id": None, "buckets": [], "problems": _told(record)}
    aws = record.spec.aws
    where = {"stack": record.stack, "path": str(record.path), "region": aws.region, "account_id": aws.account_id}
    return row | where | {"buckets": list(record.spec.bucket_names), "problems": []}
