"""Refuses a destroy before anything is touched, where something would be lost, or where it would stop half-way.

Run as ``python -m dataloop_sts.guard`` when the resource that goes first is deleted, with the request as JSON on
standard input.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataloop_sts import obstacles, regions
from dataloop_sts.aws import Aws, require_account
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import GuardRefused, NotFound
from dataloop_sts.losses import confirmed, counted, datasets_lost, how_to_confirm, in_words, objects_lost
from dataloop_sts.spec_parts import DeployRoleSpec, OnDestroy
from dataloop_sts.steps import frame


class GuardDriver(frame.Request):
    """A driver of the connection, as the stack knows it."""

    id: str
    name: str
    project_id: str


class GuardIdentity(frame.Request):
    """The connection's IAM side, as the stack knows it."""

    user: str
    role: str
    policy: str
    path: str
    access_key_ids: tuple[str, ...]
    key_description: str


class GuardRequest(frame.Request):
    """The connection whose destroy is asked for."""

    customer: str
    on_destroy: OnDestroy
    region: str
    account_id: str
    deploy_role: DeployRoleSpec | None = None
    buckets: dict[str, tuple[str, ...]]
    """The managed buckets, each with the folders of its drivers."""
    integration_id: str
    drivers: tuple[GuardDriver, ...]
    identity: GuardIdentity | None = None
    """None in a state that was written before the guard looked at it."""


_MOVE = "(delete, or move to another integration)"


def guard(request: GuardRequest, client: DataloopClient) -> None:
    """Looks at what a destroy would take along.

    Raises:
        GuardRefused: it would lose something, or stop half-way; nothing was touched.
        AwsError: the credentials are missing, wrong, of another account than the connection's, or may not look.
    """
    aws = Aws(request.region, deploy_role=request.deploy_role)
    require_account(aws, request.account_id)
    refused = f"The destroy of {request.customer} is refused, nothing was touched"
    if request.on_destroy == "refuse":
        raise GuardRefused(f"{refused}: its spec says on_destroy: refuse. Change that, run `pulumi up`, then destroy.")
    in_the_way = [*_foreign_drivers(request, client), *_on_identity(request, aws)]
    if in_the_way:
        raise GuardRefused(
            f"{refused}: {'; '.join(in_the_way)}. Remove these first, as the brackets say or in the console, then run "
            "the destroy again."
        )
    losses = [*_objects(request, aws), *_datasets(request, client)]
    if losses and not confirmed(request.customer):
        raise GuardRefused(
            f"{refused}: {'; '.join(losses)}. Move what is to be kept. {how_to_confirm(request.customer)}"
        )


def _objects(request: GuardRequest, aws: Aws) -> Iterator[str]:
    if request.on_destroy == "delete":
        yield from filter(None, (objects_lost(aws, bucket, folders) for bucket, folders in request.buckets.items()))


def _datasets(request: GuardRequest, client: DataloopClient) -> Iterator[str]:
    yield from filter(None, (datasets_lost(client, d.project_id, d.id, d.name) for d in request.drivers))


def _foreign_drivers(request: GuardRequest, client: DataloopClient) -> Iterator[str]:
    try:
        users = client.drivers(integration_id=request.integration_id)
        count = client.driver_count(request.integration_id)
    except NotFound:
        return
    ours = {driver.id for driver in request.drivers}
    foreign = [driver.name or driver.id for driver in users if driver.id not in ours]
    if foreign:
        yield f"integration {request.integration_id} is used by {in_words(foreign, 'other driver')} {_MOVE}"
    elif count > len(users):
        yield (
            f"integration {request.integration_id} is used by {counted(count - len(users), 'more driver')} than the "
            f"token's user may see {_MOVE}"
        )


def _on_identity(request: GuardRequest, aws: Aws) -> Iterator[str]:
    identity = request.identity
    if identity is None:
        return
    policy_arn = regions.policy_arn(
        regions.partition_of(request.region), request.account_id, identity.policy, identity.path
    )
    own = obstacles.OwnKeys(identity.access_key_ids, identity.key_description)
    iam = aws.iam()
    yield from obstacles.on_user(iam, identity.user, own)
    yield from obstacles.on_role(iam, identity.role, policy_arn)
    yield from obstacles.on_policy(iam, policy_arn, identity.role)


def _step(request: GuardRequest) -> None:
    guard(request, DataloopClient.from_environment())


def main(_arguments: list[str]) -> int:
    """Runs the step; returns its exit code."""
    return frame.run(GuardRequest, _step)
