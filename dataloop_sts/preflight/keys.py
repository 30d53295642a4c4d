"""The preflight's look at the user's access keys: room for a new one, a key in its grace, a connection revoked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import AwsError, Problem
from dataloop_sts.live import AccessKey, LastUse
from dataloop_sts.live.identity import look_at_keys
from dataloop_sts.live.seeing import Unseen
from dataloop_sts.preflight.request import PreflightRequest
from dataloop_sts.revocation import revoked_at

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_KEYS_OF_A_USER = 2
_CLOCKS_DIFFER = timedelta(minutes=10)
_CALLS_END = timedelta(minutes=1)
"""How long after the hand-over a call of Dataloop's that began before it may still use the old key."""


def key_problems(aws: Aws, dataloop: DataloopClient | None, request: PreflightRequest) -> Iterator[Problem]:
    """What keeps the access key from being rotated, kept or used.

    Args:
        aws: credentials of the connection's account.
        dataloop: None where Dataloop cannot be asked.
        request: what is wanted, and what the stack knew.

    Raises:
        AwsError: AWS did not let it be looked at.
    """
    known, wanted = request.known, request.key
    then = known.key if known else None
    renamed = known is not None and known.names.user != request.names.user
    if known is not None and then is None:
        return  # a stack from before the generations were kept
    iam = aws.iam()
    if wanted.retiring and (renamed or then is None or wanted.retiring not in (then.generation, then.retiring)):
        yield Problem(
            "access_key.retiring",
            f"User {request.names.user} has no key of generation {wanted.retiring} that could be kept: leave it out, "
            "`dataloop-sts rotate` writes and removes it.",
        )
    if then is None or renamed or wanted.generation > then.generation:
        yield from _no_room(iam, request)
        return
    if then.retiring and not wanted.retiring and wanted.generation == then.generation:
        yield from _used_in_its_grace(iam, dataloop, request)
    yield from _revoked(iam, request)


def _no_room(iam: IAMClient, request: PreflightRequest) -> Iterator[Problem]:
    """A rotation makes the new key before the old one goes: it needs room for one."""
    user = request.names.user
    if len(_made(iam, user)) < _KEYS_OF_A_USER:
        return
    listed = "; ".join(_in_words(key) for key in _keys(iam, user))
    yield Problem(
        "access_key.generation",
        f"User {user} has two access keys already, and IAM allows no third: {listed}. Dataloop's is the stack's output "
        "access_key_id. One that an interrupted run left: `dataloop-sts repair`, and `up` with the generation of "
        "before. One of somebody else's: delete it, or move its user to an IAM user of its own. Then run again.",
    )


def _used_in_its_grace(iam: IAMClient, dataloop: DataloopClient | None, request: PreflightRequest) -> Iterator[Problem]:
    if len(_made(iam, request.names.user)) < _KEYS_OF_A_USER:
        return
    old, new = _keys(iam, request.names.user)
    handed_over = max(new.created, _written_at(dataloop, request) or new.created)
    if isinstance(old.last_used, LastUse) and old.last_used.at > handed_over + _CALLS_END:
        yield Problem(
            "access_key.retiring",
            f"Access key {old.id}, which is to go, was used after Dataloop had got the new one: {_use(old)}. Find out "
            "who holds it. To let it go all the same, delete it by hand (aws iam delete-access-key --user-name "
            f"{request.names.user} --access-key-id {old.id}), then run again.",
        )


def _written_at(dataloop: DataloopClient | None, request: PreflightRequest) -> datetime | None:
    """When the integration was last written to, which was with the new key or after it."""
    integrations = dataloop.integrations(request.organization_id) if dataloop else []
    written = next((each.updated_at for each in integrations if each.name == request.names.integration), None)
    return datetime.fromtimestamp(int(written) / 1000, UTC) if written and written.isdigit() else None


def _revoked(iam: IAMClient, request: PreflightRequest) -> Iterator[Problem]:
    """A refresh would take revoked keys as switched off by mistake, and the update switch them on again."""
    revoked = revoked_at(iam, request.names.role)
    since = datetime.fromtimestamp(request.key.since / 1000, UTC)
    if revoked is None or revoked < since:
        return  # this generation was asked for afterwards
    made = _made(iam, request.names.user)
    not_made_yet = all(at < since - _CLOCKS_DIFFER for at in made.values())
    if not_made_yet or any(at > revoked for at in made.values()):
        return
    unfinished = (
        f" Where a rotation was under way (the output access_key_generation is lower already): delete {list(made)[-1]} "
        "by hand instead, and run `up --refresh`."
        if len(made) == _KEYS_OF_A_USER
        else ""
    )
    yield Problem(
        "access_key.generation",
        f"The connection was revoked on {revoked:%Y-%m-%d %H:%M} UTC, and every key of user {request.names.user} is "
        f"from before: add one to access_key.generation, so that a new key is made.{unfinished}",
    )


def _made(iam: IAMClient, user: str) -> dict[str, datetime]:
    """When the user's keys were made, the oldest first; a user that is gone has none."""
    try:
        with aws_errors(f"list the access keys of user {user}"):
            keys = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    except AwsError as error:
        if error.code in MISSING:
            return {}
        raise
    return {key["AccessKeyId"]: key["CreateDate"] for key in sorted(keys, key=lambda key: key["CreateDate"])}


def _keys(iam: IAMClient, user: str) -> list[AccessKey]:
    """The user's keys with their last use and description, the oldest first."""
    with aws_errors(f"look at the descriptions of the access keys of user {user}"):
        tags = {tag["Key"]: tag["Value"] for tag in iam.get_user(UserName=user)["User"].get("Tags", [])}
    found = look_at_keys(iam, user, tags)
    if isinstance(found, Unseen):
        raise AwsError(found.reason)
    return sorted(found, key=lambda key: key.created)


def _in_words(key: AccessKey) -> str:
    age = (datetime.now(UTC) - key.created).days
    state = "" if key.active else "switched off, "
    description = f"described as {key.description!r}" if key.description else "without a description"
    return f"{key.id} ({state}made on {key.created:%Y-%m-%d}, {age} days ago, {_use(key)}, {description})"


def _use(key: AccessKey) -> str:
    used = key.last_used
    if isinstance(used, LastUse):
        return f"last used on {used.at:%Y-%m-%d %H:%M} UTC for {used.service} in {used.region}"
    return "never used" if used is None else "of unknown use"
