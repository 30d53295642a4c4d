"""Looks, before anything is made, whether the world is as the connection needs it; read-only.

Every problem found is reported, each with the place in the spec or the environment where it is mended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dataloop_sts.aws import BAD_CREDENTIALS, NO_CREDENTIALS, Aws, account_of
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import AwsError, DataloopError, InvalidSetting, NotAuthenticated, Problem, Unreachable
from dataloop_sts.preflight.in_aws import aws_problems
from dataloop_sts.preflight.on_dataloop import dataloop_problems, find_organization
from dataloop_sts.preflight.request import ConnectionNames, DriverPlace, KeyPlan, Known, Needs, PreflightRequest
from dataloop_sts.waiting import settle_seconds

__all__ = ["ConnectionNames", "DriverPlace", "Findings", "KeyPlan", "Known", "Needs", "PreflightRequest", "preflight"]

_OF_CREDENTIALS = frozenset({*BAD_CREDENTIALS, NO_CREDENTIALS})
_SANDBOX_SETTINGS = (
    'On a sandbox stack: take the running sandbox\'s settings into this shell with: eval "$(python -m sandbox env)"'
)
_NOT_RUNNING = (
    "The sandbox does not answer: start it with `python -m sandbox up` and take its settings into this shell with: "
    'eval "$(python -m sandbox env)"'
)
_RESTARTED = (
    "The sandbox was started anew and is empty, while this stack remembers resources of the one before. "
    "Forget the stack's state with: python -m sandbox reset"
)


@dataclass(frozen=True)
class Findings:
    """What the preflight saw: the problems, the account, and the world's mark (the organization's ``createdAt``)."""

    problems: tuple[Problem, ...]
    account_id: str = ""
    world: str = ""


def preflight(request: PreflightRequest, dataloop: Callable[[], DataloopClient]) -> Findings:
    """Looks at Dataloop and AWS.

    Args:
        request: what to look at.
        dataloop: gives the client; it may raise for missing settings, which is a finding too.
    """
    problems: list[Problem] = []
    client: DataloopClient | None = None
    world = ""
    try:
        client = dataloop()
        client.me()
        organization, found = find_organization(client, request.organization_id)
        problems += found
        if organization:
            world = organization.created_at or ""
            if request.sandbox and request.known and request.known.world != world:
                return Findings((Problem("", _RESTARTED),))
            problems += dataloop_problems(client, request)
    except Unreachable as error:
        if request.sandbox:
            return Findings((Problem("", f"{_NOT_RUNNING} ({error.message})"),))
        problems.append(Problem("Dataloop", str(error)))
    except (NotAuthenticated, InvalidSetting) as error:
        problems.append(Problem("", f"{error} {_SANDBOX_SETTINGS}" if request.sandbox else str(error)))
    except DataloopError as error:
        problems.append(Problem("Dataloop", str(error)))
    account = ""
    try:
        aws = Aws(request.region, deploy_role=request.deploy_role)
        account = account_of(aws)
        problems += aws_problems(aws, account, client, request)
    except AwsError as error:
        problems.append(Problem("AWS credentials" if error.code in _OF_CREDENTIALS else "AWS", str(error)))
    try:
        settle_seconds()
    except InvalidSetting as error:
        problems.append(Problem("", str(error)))
    return Findings(tuple(problems), account, world)
