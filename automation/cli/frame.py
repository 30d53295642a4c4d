"""The frame of the command ``dataloop-sts``: options that every command has, exit codes, and how mistakes are told."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import typer

from automation.cli.completion import DEFAULT_ENVIRONMENT, customers, environments
from automation.errors import RecordError
from dataloop_sts import naming
from dataloop_sts.errors import DataloopStsError, SpecError

DONE, FAILED, BAD_INPUT, CHANGES, FINDING = 0, 1, 2, 3, 4
"""Exit codes: done, failed, bad input, there are changes (of a preview), risky or a finding."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Connects customers' S3 buckets to Dataloop over AWS STS. Run it in the project's folder.",
    epilog="Exit codes: 0 done or clean, 1 failed, 2 bad input, 3 there are changes (preview), 4 a finding (audit). "
    "Ctrl-C ends a run cleanly; after a run that was killed: dataloop-sts repair. More in docs/cli.md.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Customer = Annotated[
    str | None,
    typer.Argument(help="The customer; without it the environment's own stack, such as dev.", autocompletion=customers),
]


@dataclass(frozen=True)
class Common:
    """The options that stand before a command."""

    environment: str
    json: bool


@app.callback()
def options(
    context: typer.Context,
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            help="The environment: its records are in customers/ENVIRONMENT, and default names derive from it.",
            autocompletion=environments,
        ),
    ] = DEFAULT_ENVIRONMENT,
    as_json: Json = False,
) -> None:
    """Options that every command has."""
    if not naming.SLUG.fullmatch(environment):
        raise typer.BadParameter("use lower-case letters, digits and inner hyphens", param_hint="--environment")
    context.obj = Common(environment, as_json)


def common(context: typer.Context) -> Common:
    """The options that stood before this command."""
    found: Any = context.obj
    assert isinstance(found, Common)  # noqa: S101 - the callback above has run
    return found


def forgive_output() -> None:
    """Lets a character that the terminal's encoding lacks be written as its code, not fail a run that is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def confirm(question: str) -> None:
    """Asks before what destroys. Where nobody answers, as in CI, nothing is done: ``--yes`` has to be said.

    Raises:
        BadParameter: there is nobody to answer.
        Abort: the answer is no.
    """
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise typer.BadParameter(
            "nobody is there to be asked; nothing was done. Give it.", param_hint="--yes"
        ) from None
    if not agreed:
        raise typer.Abort


def run() -> None:
    """Runs the command; a user's mistake is a message of its own and an exit code, never a traceback.

    Where JSON is asked for, standard output is one JSON document also then: ``{"error": {"class", "message",
    "problems"}}``.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:  # else somebody wants it to live on, such as nohup
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: the engine ends cleanly
    forgive_output()
    as_json = _asks_for_json(sys.argv[1:])
    try:
        if as_json:
            code = app(standalone_mode=False) or DONE
        else:
            app()
    except DataloopStsError as error:
        code = _tell(error)
        if as_json:
            _print_error(type(error).__name__, str(error), getattr(error, "problems", ()))
    except _USAGE_ERROR as error:
        typer.echo(f"Error: {error.format_message()}", err=True)
        _print_error("UsageError", error.format_message())
        code = BAD_INPUT
    except typer.Abort:
        _print_error("Aborted", "Nothing was done.")
        code = FAILED
    except SystemExit as ending:
        code = ending.code
    if code == _INTERRUPTED:
        typer.echo(_ON_INTERRUPT, err=True)
        if as_json:
            _print_error("Interrupted", _ON_INTERRUPT)
    sys.exit(code)


_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]  # of which typer exports this kind alone
_INTERRUPTED = 130  # what shells and typer give to a program that Ctrl-C has ended
_ON_INTERRUPT = "Interrupted. The same command goes on with it; where it finds the stack locked: `dataloop-sts repair`."


def _asks_for_json(arguments: Sequence[str]) -> bool:
    after = pairwise(arguments)
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in after


def _tell(error: DataloopStsError) -> int:
    match error:
        case RecordError():
            heading, problems = error.heading, error.problems
        case SpecError():
            heading, problems = "The connection spec is not valid:", error.problems
        case _:
            typer.echo(f"Error: {error}", err=True)
            return BAD_INPUT if error.bad_input else FAILED
    typer.echo(heading, err=True)
    for problem in problems:
        typer.echo(f"  {problem}", err=True)
    return BAD_INPUT


def _print_error(kind: str, message: str, problems: Sequence[object] = ()) -> None:
    error = {"class": kind, "message": message, "problems": [str(problem) for problem in problems]}
    typer.echo(json.dumps({"error": error}, indent=2))
