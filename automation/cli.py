"""The command ``dataloop-sts``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from automation import stacks
from dataloop_sts import naming, policies, regions
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DataloopStsError, DriverTestFailed, Problem, SpecError
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.verify import Check, Report, verify
from dataloop_sts.waiting import settle_seconds

FAILED, BAD_INPUT = 1, 2
_CONFIG_KEY = "dataloop-sts:connection"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Connects customers' S3 buckets to Dataloop over AWS STS.",
    epilog="Exit codes: 0 done, 1 failed, 2 bad input.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


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
    context.obj = {"environment": environment, "json": as_json}


@app.command("policies")
def show_policies(
    context: typer.Context,
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="A connection spec, or a Pulumi.STACK.yaml.")],
    as_json: Json = False,
) -> None:
    """Print the policy documents of a connection spec: the role's permission and trust, each bucket's policy.

    Nothing is looked up or changed. Where the spec names no account the trust policy shows ACCOUNT_ID.
    """
    environment = context.obj["environment"]
    spec = ConnectionSpec.parse(_read_spec(spec_file), environment=environment)
    partition = spec.aws.partition
    user_arn = regions.user_arn(
        partition, spec.aws.account_id or "ACCOUNT_ID", spec.names(environment).user, spec.aws.iam_path
    )
    documents = {
        "permission": policies.permission_document(spec),
        "trust": policies.trust_document(user_arn, source_ips=spec.aws.trust_source_ips),
        "bucket": {bucket: policies.bucket_document(partition, bucket) for bucket in spec.managed_buckets},
    }
    if as_json or context.obj["json"]:
        typer.echo(json.dumps(documents, indent=2))
        return
    named = {
        f"Permission policy of role {spec.names(environment).role}": documents["permission"],
        f"Trust policy of role {spec.names(environment).role}": documents["trust"],
        **{f"Policy of bucket {bucket}": document for bucket, document in documents["bucket"].items()},
    }
    for title, document in named.items():
        typer.echo(f"{title}:\n{json.dumps(document, indent=2)}\n")


@app.command("verify")
def verify_live(
    context: typer.Context,
    customer: Annotated[
        str | None, typer.Argument(help="The customer; without it the environment's own stack, such as dev.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove a live connection by real calls: AssumeRole, what must work, what must be refused, and Dataloop's TEST.

    Reads the stack that `pulumi up` made, in the project's folder. Changes nothing but its own probe objects.
    """
    stack = naming.stack_name(context.obj["environment"], customer)
    deployed = stacks.deployment(stack, Path.cwd())
    report = verify(stacks.verification_request(deployed, stack), seconds=settle_seconds())
    tests = [_test(name, id_) for name, id_ in stacks.driver_ids(deployed).items()]
    checks = (*report.checks, *tests)
    report = Report(ok=all(check.ok for check in checks), checks=checks)
    if as_json or context.obj["json"]:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print_report(stack, report)
    if not report.ok:
        raise typer.Exit(FAILED)


def _test(name: str, driver_id: str) -> Check:
    try:
        DataloopClient.shared().test_driver(driver_id)
        actual = "passes"
    except DriverTestFailed as error:
        actual = error.message or "fails"
    return Check(name=f"{name}: Dataloop's TEST", expected="passes", actual=actual, ok=actual == "passes")


def _print_report(stack: str, report: Report) -> None:
    table = Table("check", "expected", "actual", "", title=f"Connection of stack {stack}", title_justify="left")
    for check in report.checks:
        table.add_row(check.name, check.expected, check.actual, "ok" if check.ok else "[bold red]FAILED[/]")
    Console().print(table)
    holding = sum(check.ok for check in report.checks)
    typer.echo(f"{holding} of {len(report.checks)} checks hold.")


def _read_spec(path: Path) -> Any:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError([Problem("", f"{path} cannot be read: {error.strerror}")]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError([Problem("", f"{path} is not YAML: {where}{getattr(error, 'problem', error)}")]) from None
    config = data.get("config") if isinstance(data, dict) else None
    return config[_CONFIG_KEY] if isinstance(config, dict) and _CONFIG_KEY in config else data


def main() -> None:
    """Runs the command; a user's mistake is a message of its own and an exit code, never a traceback."""
    try:
        app()
    except SpecError as error:
        typer.echo("The connection spec is not valid:", err=True)
        for problem in error.problems:
            typer.echo(f"  {problem}", err=True)
        sys.exit(BAD_INPUT)
    except DataloopStsError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
