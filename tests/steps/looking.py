"""How the tests run a preflight, and what they say that the stack knew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.preflight import ConnectionNames, DriverPlace, Findings, Known, PreflightRequest, preflight
from tests.steps.aws_world import REGION, World


def look(request: PreflightRequest) -> Findings:
    """Runs the preflight with the environment's client."""
    return preflight(request, DataloopClient.shared)


def problems(request: PreflightRequest) -> dict[str, str]:
    """The problems' messages by their paths."""
    found = look(request).problems
    assert len({problem.path for problem in found}) == len(found)
    return {problem.path: problem.message for problem in found}


def place(world: World, **changes: Any) -> DriverPlace:
    """The driver of a connection in the world, and where it reads."""
    whole = {
        "project_id": world.dataloop.project_id,
        "name": f"driver-{world.tag}",
        "bucket": f"bucket-{world.tag}",
        "path": "",
    }
    return DriverPlace.model_validate({**whole, **changes})


def known(world: World, request: PreflightRequest, /, **changes: Any) -> PreflightRequest:
    """The same request of a stack that asked for it the last time too; changes are of what it knew then."""
    of_names = {key: changes.pop(key) for key in list(changes) if key in ConnectionNames.model_fields}
    of_then = {"region": REGION, "account_id": world.aws.account_id, "on_destroy": "delete", **changes}
    of_then.setdefault("world", world.client.organization(world.dataloop.org_id).created_at)
    return replace(request, known=Known(names=request.names.model_copy(update=of_names), **of_then))
