"""Connection specs as the tests write them: the smallest one, and changes to it."""

from __future__ import annotations

from typing import Any

from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec

ORG, PROJECT = "org-1", "project-1"


def driver(name: str = "images", bucket: str = "dataloop-acme-images", **more: Any) -> dict[str, Any]:
    """One driver of a spec."""
    return {"name": name, "project_id": PROJECT, "bucket": {"name": bucket}, **more}


def data(**changes: Any) -> dict[str, Any]:
    """The smallest spec as it stands in a config, with changes at its top level."""
    smallest = {"customer": "acme", "organization_id": ORG, "aws": {"region": "eu-west-1"}, "drivers": [driver()]}
    return {**smallest, **changes}


def spec(**changes: Any) -> ConnectionSpec:
    """The smallest spec, parsed, with changes at its top level."""
    return ConnectionSpec.parse(data(**changes), environment="dev")


def problems(source: object, environment: str = "dev") -> dict[str, str]:
    """The messages of a spec's mistakes by their paths; no mistakes, no entries."""
    try:
        ConnectionSpec.parse(source, environment=environment)
    except SpecError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}
