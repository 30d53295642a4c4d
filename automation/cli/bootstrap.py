"""``dataloop-sts bootstrap``: what a customer runs once, so that somebody else may deploy the connection."""

from __future__ import annotations

import json
import re
import secrets
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml

from automation.cli.frame import Customer, Json, app, common
from automation.cli.lifecycle import record_of
from dataloop_sts.spec import ConnectionSpec

_PRINCIPAL = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@/-]+)"
)


class Format(StrEnum):
    """What is printed."""

    cloudformation = "cloudformation"
    policy = "policy"


@app.command(
    epilog="Example: dataloop-sts bootstrap acme --principal arn:aws:iam::123456789012:root. See docs/real-accounts.md"
)
def bootstrap(
    context: typer.Context,
    principal: Annotated[
        str, typer.Option(metavar="ARN", help="Who deploys: the ARN of an IAM role or user, or of an account (root).")
    ],
    customer: Customer = None,
    external_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="What the deployer has to say; default: the record's, or a new one."),
    ] = None,
    how: Annotated[
        Format, typer.Option("--format", help="A CloudFormation template, or the two policies as JSON.")
    ] = Format.cloudformation,
    as_json: Json = False,
) -> None:
    """Print what makes the deploying role in the customer's account, with the least that this connection needs.

    Nothing is looked up, changed or written. What the record has to say of the role goes to standard error.
    """
    from dataloop_sts.deployer import deployer_document, deployer_template, deployer_trust

    environment = common(context).environment
    given = record_of(context, customer).spec
    _check(principal, given.aws.partition)
    recorded = given.aws.deploy_role.external_id if given.aws.deploy_role else None
    spec = _with_role(given, environment, external_id or recorded or secrets.token_hex(16))
    role = spec.aws.deploy_role
    assert role  # noqa: S101 - it was put there
    assert role.external_id  # noqa: S101 - likewise
    documents = {
        "trust": deployer_trust(principal, role.external_id),
        "permission": deployer_document(spec, environment),
    }
    template = deployer_template(spec, environment, principal, role.external_id)
    if as_json or common(context).json:
        typer.echo(json.dumps({"deploy_role": role.model_dump(), **documents, "template": template}, indent=2))
    elif how is Format.policy:
        typer.echo(json.dumps(documents, indent=2))
    else:
        name = role.arn.rpartition("/")[2]
        typer.echo("# Run once in the customer's account, then again whenever the record changes what it names:")
        typer.echo(
            f"# aws cloudformation deploy --stack-name {name} --region {spec.aws.region} "
            "--capabilities CAPABILITY_NAMED_IAM --template-file FILE"
        )
        typer.echo(_as_yaml(template))
    if not (external_id or recorded):
        typer.echo("The external id was made now, and is kept nowhere: write it into the record.", err=True)
    if role != given.aws.deploy_role:
        wanted = {"aws": {"deploy_role": role.model_dump()}}
        typer.echo(f"The record needs:\n{_as_yaml(wanted)}", err=True)


def _as_yaml(data: Any) -> str:
    # by way of JSON, since parts that stand twice would become aliases, which CloudFormation does not read
    return yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, width=120).rstrip("\n")


def _check(principal: str, partition: str) -> None:
    found = _PRINCIPAL.fullmatch(principal)
    if not found:
        raise typer.BadParameter(
            "name who deploys, such as arn:aws:iam::123456789012:role/ci; of a session (assumed-role) its role",
            param_hint="--principal",
        )
    if found["partition"] != partition:
        raise typer.BadParameter(
            f"it is in partition {found['partition']}, the connection in {partition}: roles are assumed within one",
            param_hint="--principal",
        )


def _with_role(spec: ConnectionSpec, environment: str, external_id: str) -> ConnectionSpec:
    from dataloop_sts.deployer import deployer_role_arn

    data = spec.model_dump()
    data["aws"]["deploy_role"] = {"arn": deployer_role_arn(spec, environment), "external_id": external_id}
    return ConnectionSpec.parse(data, environment=environment)
