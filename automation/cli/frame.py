"""The frame of the command ``dataloop-sts``: options that every command has, exit codes, and how mistakes are told."""

from __future__ import annotations

import io
import signal
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from automation.errors import RecordError
from dataloop_sts import naming
from dataloop_sts.errors import DataloopStsError, Problem, SpecError

DONE, FAILED, BAD_INPUT, CHANGES, FINDING = 0, 1, 2, 3, 4
"""Exit codes: done, failed, bad input, there are changes (of a preview), risky or a finding."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Connects customers' S3 buckets to Dataloop over AWS STS.",
    epilog="Exit codes: 0 done or clean, 1 failed, 2 bad input, 3 there are changes (preview), 4 a finding (audit).",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Customer = Annotated[
    str | None, typer.Argument(help="The customer; without it the environment's own stack, such as dev.")
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
        str, typer.Option("--environment", "-e", help="The environment, from which default names derive.")
    ] = "dev",
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


def run() -> None:
    """Runs the command; a user's mistake is a message of its own and an exit code, never a traceback."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:  # else somebody wants it to live on, such as nohup
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: the engine ends cleanly
    forgive_output()
    try:
        app()
    except RecordError as error:
        _tell(error.heading, error.problems)
    except SpecError as error:
        _tell("The connection spec is not valid:", error.problems)
    except DataloopStsError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)


def _tell(heading: str, problems: list[Problem]) -> None:
    typer.echo(heading, err=True)
    for problem in problems:
        typer.echo(f"  {problem}", err=True)
    sys.exit(BAD_INPUT)
