"""Shuts a connection off at once, on the AWS side alone: its user's keys, and the role's running sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.errors import AwsError, DataloopStsError
from dataloop_sts.policies import Document, canonical

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

REVOCATION_POLICY = "AWSRevokeOlderSessions"
"""The inline policy by which a role's sessions are revoked, in the console and by this program: it goes with the role.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
"""


@dataclass(frozen=True)
class Step:
    """One thing that was tried.

    Attributes:
        what: in words, as it stands now where it was done: ``access key AKIA...: switched off``.
        error: why it was not done, or None.
    """

    what: str
    error: DataloopStsError | None = None


def revoke(aws: Aws, user: str, role: str, moment: datetime | None = None) -> Iterator[Step]:
    """Switches every key of the user off, then refuses the role's sessions that began before now.

    In this order, since a key that still works would begin new sessions. What fails does not keep the rest from being
    done; to do it again changes nothing but the moment up to which sessions are refused.

    Args:
        aws: credentials of the connection's account.
        user: the IAM user's name.
        role: the role's name.
        moment: up to when sessions are refused; now where it is None.
    """
    iam = aws.iam()
    try:
        with aws_errors(f"list the access keys of user {user}"):
            keys = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    except AwsError as error:
        gone = error.code in MISSING
        yield Step(f"user {user}: is gone, and its keys with it" if gone else "access keys", None if gone else error)
        keys = []
    for key in keys:
        name = f"access key {key['AccessKeyId']}"
        if key["Status"] != "Active":
            yield Step(f"{name}: was off already")
            continue
        off = partial(iam.update_access_key, UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        yield _tried(f"{name}: switched off", off, f"switch {name} off")
    moment = moment or datetime.now(UTC)
    document = canonical(revocation_document(moment))
    put = partial(iam.put_role_policy, RoleName=role, PolicyName=REVOCATION_POLICY, PolicyDocument=document)
    what = f"role {role}: every session that began before {_text(moment)} is refused"
    yield _tried(what, put, f"refuse the sessions of role {role}", gone=f"role {role}: is gone, and its sessions end")


def revocation_document(moment: datetime) -> Document:
    """The policy that the AWS console writes to revoke a role's sessions, of :data:`REVOCATION_POLICY`'s page."""
    before: Document = {"DateLessThan": {"aws:TokenIssueTime": _text(moment)}}
    statement = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": before}
    return {"Version": "2012-10-17", "Statement": [statement]}


def revoked_at(iam: IAMClient, role: str) -> datetime | None:
    """Up to when a role's sessions are revoked; None where they never were.

    Raises:
        AwsError: it could not be looked at.
    """
    try:
        with aws_errors(f"look for the inline policy {REVOCATION_POLICY} of role {role}"):
            document: Any = iam.get_role_policy(RoleName=role, PolicyName=REVOCATION_POLICY)["PolicyDocument"]
    except AwsError as error:
        if error.code in MISSING:
            return None
        raise
    try:
        text = document["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]
        return datetime.fromisoformat(text).astimezone(UTC)
    except (KeyError, IndexError, TypeError, ValueError):  # somebody else's, of another form
        return None


def _tried(what: str, call: Callable[[], object], trying: str, gone: str | None = None) -> Step:
    try:
        with aws_errors(trying):
            call()
    except AwsError as error:
        return Step(gone) if gone and error.code in MISSING else Step(what, error)
    return Step(what)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
