"""``dataloop-sts policies``: the documents of a spec, before anyone signs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from automation.cli.frame import Json, app, common
from automation.files import read_yaml
from automation.records import CONFIG_KEY
from dataloop_sts import policies, regions
from dataloop_sts.spec import ConnectionSpec


@app.command("policies", epilog="Example: dataloop-sts policies Pulumi.dev.yaml. See docs/least-privilege.md")
def show_policies(
    context: typer.Context,
    spec_file: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="A connection spec, or a Pulumi.STACK.yaml.")],
    as_json: Json = False,
) -> None:
    """Print the policy documents of a connection spec: the role's permission and trust, each bucket's policy.

    Nothing is looked up or changed. Where the spec names no account the trust policy shows ACCOUNT_ID.
    """
    environment = common(context).environment
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
    if as_json or common(context).json:
        typer.echo(json.dumps(documents, indent=2))
        return
    named = {
        f"Permission policy of role {spec.names(environment).role}": documents["permission"],
        f"Trust policy of role {spec.names(environment).role}": documents["trust"],
        **{f"Policy of bucket {bucket}": document for bucket, document in documents["bucket"].items()},
    }
    for title, document in named.items():
        typer.echo(f"{title}:\n{json.dumps(document, indent=2)}\n")


def _read_spec(path: Path) -> Any:
    data = read_yaml(path).data
    config = data.get("config") if isinstance(data, dict) else None
    return config[CONFIG_KEY] if isinstance(config, dict) and CONFIG_KEY in config else data
