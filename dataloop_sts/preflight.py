"""Looks, before anything is made, whether the world is as the connection needs it; read-only.

Every problem found is reported, each with the place in the spec or the environment where it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from dataloop_sts import regions
from dataloop_sts.aws import BAD_CREDENTIALS, MISSING, NO_CREDENTIALS, REFUSED, Aws, aws_errors
from dataloop_sts.dataloop import DataloopClient, Organization
from dataloop_sts.errors import (
    AwsError,
    DataloopError,
    Forbidden,
    InvalidSetting,
    NotAuthenticated,
    NotFound,
    Problem,
    Unreachable,
)
from dataloop_sts.waiting import settle_seconds

_OF_CREDENTIALS = frozenset({*BAD_CREDENTIALS, NO_CREDENTIALS})
# Roles of an organization that may not manage integrations; an owner may, of others the platform decides.
_NOT_OWNERS = frozenset({"member", "worker"})


class ConnectionNames(BaseModel):
    """What the connection will be called, in AWS and on Dataloop."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    user: str
    role: str
    policy: str
    integration: str
    buckets: tuple[str, ...]
    drivers: tuple[tuple[str, str], ...]
    """Each as (project id, driver's name)."""


@dataclass(frozen=True)
class PreflightRequest:
    """What to look at.

    Attributes:
        organization_id: on Dataloop.
        region: of the buckets.
        account_id: the account that the spec allows, or None.
        names: what the connection will be called.
        known: the names of the last time; those are this stack's own, and so are not looked for.
        world: ``createdAt`` of the organization at the first preflight, where it matters; see ``sandbox``.
        sandbox: whether the stack lives in a sandbox, which is empty after a restart.
    """

    organization_id: str
    region: str
    account_id: str | None
    names: ConnectionNames
    known: ConnectionNames | None
    world: str
    sandbox: bool


@dataclass(frozen=True)
class Findings:
    """What the preflight saw: the problems, and the world's mark (the organization's ``createdAt``)."""

    problems: tuple[Problem, ...]
    world: str


def preflight(request: PreflightRequest, dataloop: Callable[[], DataloopClient]) -> Findings:
    """Looks at Dataloop and AWS.

    Args:
        request: what to look at.
        dataloop: gives the client; it may raise for missing settings, which is a finding too.
    """
    problems: list[Problem] = []
    world = ""
    try:
        client = dataloop()
        client.me()
        organization, found = _organization(client, request.organization_id)
        problems += found
        if organization:
            world = organization.created_at or ""
            problems += _dataloop_problems(client, request)
    except Unreachable as error:
        if request.sandbox:
            return Findings((Problem("", f"{_NOT_RUNNING} ({error.message})"),), world)
        problems.append(Problem("Dataloop", str(error)))
    except (NotAuthenticated, InvalidSetting) as error:
        problems.append(Problem("", f"{error} {_SANDBOX_SETTINGS}" if request.sandbox else str(error)))
    except DataloopError as error:
        problems.append(Problem("Dataloop", str(error)))
    if request.sandbox and request.world and world and request.world != world:
        return Findings((Problem("", _RESTARTED),), world)
    problems += _aws_problems(request)
    try:
        settle_seconds()
    except InvalidSetting as error:
        problems.append(Problem("", str(error)))
    return Findings(tuple(problems), world)


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


def _organization(client: DataloopClient, organization_id: str) -> tuple[Organization | None, list[Problem]]:
    try:
        organization = client.organization(organization_id)
    except (NotFound, Forbidden) as error:
        return None, [Problem("organization_id", str(error))]
    if (organization.role or "").lower() in _NOT_OWNERS:
        return organization, [
            Problem(
                "organization_id",
                f"The token's user is a {organization.role} of organization {organization_id}, not an owner, and only "
                "an owner may create integrations: use an owner's token, or have the rights granted.",
            )
        ]
    return organization, []


def _dataloop_problems(client: DataloopClient, request: PreflightRequest) -> Iterator[Problem]:
    known = request.known
    new_drivers = [d for d in request.names.drivers if not known or d not in known.drivers]
    for project_id in dict.fromkeys(project for project, _ in request.names.drivers):
        taken: set[str] = set()
        try:
            project = client.project(project_id)
            if any(project_id == wanted for wanted, _ in new_drivers):
                taken = {driver.name for driver in client.drivers(project_id=project_id)}
        except (NotFound, Forbidden) as error:
            yield Problem("drivers[].project_id", str(error))
            continue
        if project.org and project.org != request.organization_id:
            message = (
                f"Project {project_id} belongs to organization {project.org}, not to {request.organization_id}: "
                "correct one of the two ids."
            )
            yield Problem("drivers[].project_id", message)
        for wanted, name in new_drivers:
            if wanted == project_id and name in taken:
                message = f"Project {project_id} has a driver named {name!r} already: choose another name."
                yield Problem("drivers[].name", message)
    name = request.names.integration
    if known and name == known.integration:
        return
    if any(integration.name == name for integration in client.integrations(request.organization_id)):
        message = f"The organization has an integration named {name!r} already: choose another name."
        yield Problem("integration.name", message)


def _aws_problems(request: PreflightRequest) -> Iterator[Problem]:
    try:
        aws = Aws(request.region)
        with aws_errors("find out whose AWS credentials these are"):
            account = aws.sts().get_caller_identity()["Account"]
    except AwsError as error:
        yield Problem("AWS credentials" if error.code in _OF_CREDENTIALS else "AWS", str(error))
        return
    if request.account_id and account != request.account_id:
        yield Problem(
            "aws.account_id",
            f"The AWS credentials are of account {account}, the spec allows {request.account_id} only: "
            "use credentials of that account, or correct the spec.",
        )
        return
    try:
        yield from _taken_iam_names(aws, account, request)
        for bucket in request.names.buckets:
            if not request.known or bucket not in request.known.buckets:
                yield from _taken_bucket(aws, bucket)
    except AwsError as error:
        yield Problem("AWS", str(error))


def _taken_iam_names(aws: Aws, account: str, request: PreflightRequest) -> Iterator[Problem]:
    iam = aws.iam()
    policy_arn = f"arn:{regions.partition_of(request.region)}:iam::{account}:policy/"
    lookups: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("user", lambda name: iam.get_user(UserName=name)),
        ("role", lambda name: iam.get_role(RoleName=name)),
        ("policy", lambda name: iam.get_policy(PolicyArn=policy_arn + name)),
    )
    for kind, look_up in lookups:
        name = getattr(request.names, kind)
        if request.known and name == getattr(request.known, kind):
            continue
        if _exists(look_up, name, f"look for an IAM {kind} named {name}"):
            message = f"The account has an IAM {kind} named {name!r} already: give another name."
            yield Problem(f"aws.names.{kind}", message)


def _taken_bucket(aws: Aws, bucket: str) -> Iterator[Problem]:
    s3 = aws.s3()
    try:
        exists = _exists(lambda name: s3.head_bucket(Bucket=name), bucket, f"look for a bucket named {bucket}")
    except AwsError as error:
        if error.code not in REFUSED:
            raise
        message = (
            f"The bucket name {bucket!r} is taken, by another AWS account or by a bucket that these credentials may "
            "not see: choose another name."
        )
        yield Problem("drivers[].bucket.name", message)
        return
    if exists:
        message = (
            f"The account has a bucket {bucket!r} already, which this stack does not manage: choose another name, or "
            "remove the bucket where it is left over and empty."
        )
        yield Problem("drivers[].bucket.name", message)


def _exists(look_up: Callable[[str], Any], name: str, what: str) -> bool:
    try:
        with aws_errors(what):
            look_up(name)
    except AwsError as error:
        if error.code in MISSING:
            return False
        raise
    return True
