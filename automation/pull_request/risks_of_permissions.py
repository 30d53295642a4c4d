"""What a change lets the role do, and whom it lets be the role; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automation.pull_request.changes import Change
from automation.pull_request.permissions import permission_difference, trust_difference
from automation.pull_request.risk import Risk, note, risky
from dataloop_sts.audit.grants import Grant
from dataloop_sts.errors import SpecError
from dataloop_sts.spec import ConnectionSpec


def risks(change: Change, environment: str) -> Iterator[Risk]:
    """Permissions widened or narrowed, and trust changed."""
    before, after = change.before, change.after
    if before is None or after is None:
        return
    yield from _of_permissions(before, after)
    if change.kind != "renamed":  # which makes another role
        yield from _of_trust(before, after, environment)
    yield from _of_deploy_role(before, after)
    yield from _of_boundary(before.aws.permissions_boundary, after.aws.permissions_boundary)


def newly_allowed(change: Change) -> tuple[Grant, ...]:
    """What the role may do by the spec after the change and not by that before it; empty where that is not known."""
    if change.before is None or change.after is None:
        return ()
    try:
        return permission_difference(change.before, change.after).added
    except SpecError:
        return ()


def _of_permissions(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    try:
        difference = permission_difference(before, after)
    except SpecError as error:
        yield note(f"What the role may do cannot be compared: {error.problems[0].message}.")
        return
    for where, actions in _by_resource(difference.added):
        yield risky(f"The role may do more: {actions} on {where}.")
    for where, actions in _by_resource(difference.removed):
        yield note(f"The role may do less: {actions} on {where} no more.")


def _of_trust(before: ConnectionSpec, after: ConnectionSpec, environment: str) -> Iterator[Risk]:
    difference = trust_difference(before, after, environment)
    if difference.users:
        yield risky(f"The role trusts another user: {difference.users[1]} instead of {difference.users[0]}.")
    if difference.added:
        yield risky(f"The role can be assumed from more addresses: {_addresses(difference.added)}.")
    if difference.removed:
        ranges = _addresses(difference.removed)
        yield risky(f"The role can no longer be assumed from {ranges}: Dataloop is shut out if it calls from there.")


def _of_deploy_role(before: ConnectionSpec, after: ConnectionSpec) -> Iterator[Risk]:
    was, now = before.aws.deploy_role, after.aws.deploy_role
    if was and now and was.arn == now.arn and was.external_id != now.external_id:
        ids = [role.external_id or "none" for role in (was, now)]
        yield risky(f"The deploying role {now.arn} is assumed with external id {ids[1]} instead of {ids[0]}.")
    elif was != now:
        names = [role.arn if role else "the shell's own credentials" for role in (was, now)]
        yield risky(f"What deploys it is {names[1]} instead of {names[0]} (aws.deploy_role).")


def _of_boundary(was: str | None, now: str | None) -> Iterator[Risk]:
    if was and was != now:
        instead = f"{now} does" if now else "nothing does"
        yield risky(f"The permissions boundary {was} bounds user and role no more: {instead}.")
    elif was != now:
        yield note(f"The permissions boundary {now} bounds user and role.")


def _by_resource(found: Iterable[Grant]) -> Iterator[tuple[str, str]]:
    """Where, and which actions there; what is allowed alike stands together."""
    actions: dict[str, list[str]] = {}
    for grant in found:
        conditions = " and ".join(f"{limit.key} is {' or '.join(limit.values)}" for limit in grant.condition)
        where = f"{grant.resource} where {conditions}" if conditions else grant.resource
        actions.setdefault(where, []).append(grant.action)
    for where, those in actions.items():
        yield where, ", ".join(those)


def _addresses(ranges: tuple[str, ...]) -> str:
    return "everywhere" if {"0.0.0.0/0", "::/0"} & set(ranges) else ", ".join(ranges)
