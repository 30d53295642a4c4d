"""``dataloop-sts fleet preview|up|refresh|destroy|rotate|audit|verify``: one operation on many customers."""

from __future__ import annotations

import inspect
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from automation.cli.frame import CHANGES, FAILED, FINDING, Json, app, common, confirm
from automation.cli.records import NamesFile, Select
from automation.environment import Environment
from automation.errors import RecordError
from automation.fleet import Fleet, Limits, Operation, Report, not_done
from automation.fleet.dask import dask_workers
from automation.fleet.operation import Name
from automation.records import Record, all_of
from automation.selection import Selection


class Format(StrEnum):
    """How the report is printed."""

    text = "text"
    json = "json"
    junit = "junit"


_Label = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="Who has this label; may be repeated.")
]
_Parallel = Annotated[int, typer.Option(metavar="N", min=1, help="How many customers at once.")]
_PerAccount = Annotated[int | None, typer.Option(metavar="N", min=1, help="At once of one AWS account.")]
_PerOrganization = Annotated[int | None, typer.Option(metavar="N", min=1, help="At once of one Dataloop organization.")]
_Canary = Annotated[int, typer.Option(metavar="N", min=0, help="So many have to succeed before the rest begins.")]
_MaxFailures = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="With more failures than that, begin nobody further.")
]
_FailFast = Annotated[bool, typer.Option("--fail-fast", help="Begin nobody further after the first failure.")]
_OnlyFailed = Annotated[
    bool, typer.Option("--only-failed", help="Only who is not done by the last report: failed, interrupted, skipped.")
]
_ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Where the report is kept, and read by --only-failed.")
]
_Format = Annotated[Format, typer.Option("--format", help="How to print the report.")]
_Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", min=1, help="What one customer's run may take.")]
_All = Annotated[bool, typer.Option("--all", help="Run unchanged customers too.")]
_OlderThan = Annotated[int | None, typer.Option(metavar="DAYS", min=0, help="Leave younger keys alone.")]
_Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Run on the workers of this Dask scheduler, tls://HOST:8786."),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "select": (Select, None),
    "names": (NamesFile, None),
    "label": (_Label, None),
    "parallel": (_Parallel, 2),
    "per_account": (_PerAccount, None),
    "per_organization": (_PerOrganization, None),
    "canary": (_Canary, 0),
    "max_failures": (_MaxFailures, None),
    "fail_fast": (_FailFast, False),
    "only_failed": (_OnlyFailed, False),
    "report_file": (_ReportFile, None),
    "timeout": (_Timeout, None),
    "dask": (_Dask, None),
    "how": (_Format, Format.text),
    "yes": (_Yes, False),
    "as_json": (Json, False),
}
commands = typer.Typer(
    no_args_is_help=True,
    help="One operation on many customers: all of the environment's, or a selection.",
    epilog="Exit codes: 0 all done, 1 somebody is not, 2 bad input, 3 changes (preview), 4 a finding (audit).",
)
app.add_typer(commands, name="fleet")


def _add(name: Name, *, help: str, example: str, **more: tuple[Any, Any]) -> None:  # noqa: A002 - as typer names it
    """Adds the command of an operation: all have the same options, and some one of their own."""

    def command(context: typer.Context, **given: Any) -> None:
        _run(context, name, given)

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    options = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for option, (kind, default) in (_OPTIONS | more).items()
    ]
    command.__signature__ = inspect.Signature([context, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (context, *options)}
    commands.command(name, help=help, epilog=f"Example: dataloop-sts -e prod fleet {example}. See docs/fleet.md")(
        command
    )


_add(
    "preview",
    help="Show what `up` would do. Exit code 3: there are changes.",
    example="preview --select 'acme-*'",
    everyone=(_All, False),
)
_add(
    "up",
    help="Make the connections what their records say; leave out who is unchanged.",
    example="up --canary 2 --max-failures 5",
    everyone=(_All, False),
)
_add("refresh", help="Take what is live into the states.", example="refresh --parallel 4")
_add(
    "destroy",
    help="Take the connections away; each one's guard refuses what would be a loss.",
    example="destroy --select 'trial-*'",
)
_add("rotate", help="Make new access keys.", example="rotate --older-than 90", older_than=(_OlderThan, None))
_add(
    "audit",
    help="Compare what is live with the records. Exit code 4: a finding.",
    example="audit --format junit > audit.xml",
)
_add("verify", help="Prove by real calls that the connections work.", example="verify --label tier=gold")


def _run(context: typer.Context, name: Name, given: dict[str, Any]) -> None:
    from automation.cli.fleet_progress import shown, summary

    environment = Environment.of(common(context).environment, Path.cwd())
    how = Format.json if given["as_json"] or common(context).json else given["how"]
    operation = Operation(name, given.get("everyone", False), given.get("older_than"), given["timeout"])
    limits = Limits(
        parallel=given["parallel"],
        per_account=given["per_account"],
        per_organization=given["per_organization"],
        canary=given["canary"],
        max_failures=0 if given["fail_fast"] else given["max_failures"],
    )
    fleet = Fleet(environment, limits)
    file = given["report_file"] or fleet.report_file(operation)
    records = _selected(environment, given)
    if given["only_failed"]:
        left = not_done(file, environment.name)
        records = {customer: record for customer, record in records.items() if customer in left}
    if name == "destroy" and records and not given["yes"]:
        confirm(f"Destroy the connections of {_listed(list(records))} in {environment.name}?")
    quiet = how is not Format.text
    with _executor(given["dask"], environment) as where, shown(name, len(records), quiet=quiet) as on_progress:
        fleet = Fleet(environment, limits, on_progress=on_progress, **where)
        with _stopped_by_signals(fleet):
            report = fleet.run(operation, records, file)
    if how is Format.json:
        typer.echo(json.dumps(report.document(), indent=2))
    elif how is Format.junit:
        typer.echo(report.junit())
    else:
        summary(report, file)
    raise typer.Exit(_code(report))


def _selected(environment: Environment, given: dict[str, Any]) -> dict[str, Record | RecordError]:
    labels = given["label"] or []
    if wrong := next((label for label in labels if "=" not in label), None):
        raise typer.BadParameter(f"{wrong!r} is not KEY=VALUE", param_hint="--label")
    selection = Selection.of([*(given["select"] or ()), *labels], given["names"])
    return selection.among(all_of(environment))


def _listed(customers: list[str]) -> str:
    left = len(customers) - 10
    return ", ".join(customers[:10]) + (f" and {left} more" if left > 0 else "")


def _code(report: Report) -> int:
    if not report.ok:
        classes = {row.error[0] if row.error else "" for row in report.bad}
        return FINDING if classes == {"AuditFinding"} else FAILED
    changed = report.operation == "preview" and report.counts["succeeded"]
    return CHANGES if changed else 0


@contextmanager
def _executor(dask: str | None, environment: Environment) -> Iterator[dict[str, Any]]:
    """What runs the jobs, as arguments of the fleet: by default threads of this process."""
    if dask is None:
        yield {}
        return
    _hush_dask()
    with dask_workers(dask, environment) as workers:
        yield {"executor": workers, "on_stop": workers.stop}


def _hush_dask() -> None:
    """Keeps off the terminal what Dask logs and warns of: what matters to the run is told in its rows."""
    try:
        import distributed  # noqa: F401 - it sets its loggers up
    except ImportError:
        return
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")


_STOPPING = b"\nInterrupted: nobody further is begun, and who is running is ended cleanly.\n"


@contextmanager
def _stopped_by_signals(fleet: Fleet) -> Iterator[None]:
    """While it runs, an interrupt ends the engines cleanly, and the report is written all the same."""

    def stop(*_: object) -> None:
        fleet.stop()
        os.write(sys.stderr.fileno(), _STOPPING)  # what was interrupted may be in the middle of writing

    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
