"""What a shell offers for the name of a customer or an environment: files' names alone, so it is quick."""

from __future__ import annotations

from pathlib import Path

import typer

from automation.environment import Environment
from automation.records import record_files
from dataloop_sts.naming import SLUG

DEFAULT_ENVIRONMENT = "dev"
_STACKS = "Pulumi.*.yaml"


def environments(incomplete: str) -> list[str]:
    """The environments of the project in this folder: those with records, and those with a stack of their own."""
    try:
        folders = {path.name for path in Path("customers").glob("*/")}
        stacks = {path.name.split(".", 1)[1].removesuffix(".yaml") for path in Path().glob(_STACKS)}
    except OSError:
        return []
    return sorted(name for name in folders | stacks if SLUG.fullmatch(name) and name.startswith(incomplete))


def customers(context: typer.Context, incomplete: str) -> list[str]:
    """The customers with a record in the environment that stands before on the line."""
    name = context.find_root().params.get("environment") or DEFAULT_ENVIRONMENT
    try:
        found = record_files(Environment(name, Path()).customers_dir)
    except OSError:
        return []
    return sorted(customer for customer in found if customer.startswith(incomplete))
