"""Proves a connection by real calls: what the role must be able to do, and what must be refused.

Run as ``python -m dataloop_sts.verify`` with the request as JSON on standard input; prints a report
``{"ok", "checks": [{"name", "expected", "actual", "ok"}]}`` and exits with 1 unless every check holds.

No call can touch an object of the customer, however wide the role's policy is. Every write is conditional on there
being no such object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), and every delete
is of a random key. Where the role may delete, the probe object has a random key too and is removed again; where it may
not, the probe is ``test-file``, the name that Dataloop's own TEST uses, so that it stays as one object and no more.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr

from dataloop_sts import steps
from dataloop_sts.aws import REFUSED, Aws, outcome
from dataloop_sts.waiting import attempts, settle_seconds

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROBE_NAME = "test-file"
RANDOM_PROBE_PREFIX = "dataloop-sts-probe-"
"""What the name of every other object begins with that the verification writes."""
_SESSION_NAME = "dataloop-sts-verification"
_SESSION_SECONDS = 900  # the least that AWS allows
ALLOWED, REFUSED_TEXT = "allowed", "refused"
# The answer to who may read a key that is not there but may not list the bucket: it refuses the listing, by name.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html,
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
_LISTING_REFUSED = "to perform: s3:ListBucket "


class Target(steps.Request):
    """What one driver reaches."""

    driver: str
    bucket: str
    prefix: str = ""
    allow_delete: bool
    alone: bool = True
    """Whether no other driver reaches the bucket outside the prefix, so that a refusal is expected there."""


class VerificationRequest(steps.Request):
    """The credentials to try and what to expect; ``documents`` is a hash that makes a new request of a new policy."""

    region: str
    access_key_id: str
    secret_access_key: SecretStr
    role_arn: str
    targets: tuple[Target, ...]
    documents: str = ""


class Check(BaseModel):
    """One call: what should have come of it, and what did."""

    model_config = ConfigDict(frozen=True)

    name: str
    expected: str
    actual: str
    ok: bool


class Report(BaseModel):
    """All checks; it holds no secret."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    checks: tuple[Check, ...]

    @property
    def failed(self) -> Check | None:
        """The first check that does not hold."""
        return next((check for check in self.checks if not check.ok), None)


class _Probe:
    """An object of the verification's own, and whether it may be there."""

    def __init__(self, bucket: str, prefix: str, name: str | None = None) -> None:
        self.bucket = bucket
        self.key = prefix + (name or f"{RANDOM_PROBE_PREFIX}{secrets.token_hex(8)}")
        self.there = False

    def put(self, s3: S3Client) -> None:
        # AWS looks at the condition only after it has authorised the write
        with _taken_as_allowed("PreconditionFailed"):
            s3.put_object(Bucket=self.bucket, Key=self.key, Body=b"", IfNoneMatch="*")
        self.there = True

    def get(self, s3: S3Client) -> None:
        s3.get_object(Bucket=self.bucket, Key=self.key)

    def delete(self, s3: S3Client) -> None:
        s3.delete_object(Bucket=self.bucket, Key=self.key)
        self.there = False

    def put_and_remove(self, s3: S3Client) -> None:
        self.put(s3)
        outcome(partial(self.delete, s3))

    def get_missing(self, s3: S3Client) -> None:
        with _taken_as_allowed("NoSuchKey", naming=_LISTING_REFUSED):
            self.get(s3)


@dataclass(frozen=True)
class _Expectation:
    name: str
    expected: str
    calls: tuple[Callable[[], object], ...]
    """Each has to answer as expected."""
    leaves: _Probe | None = None
    """What has to be named if it is still there after the calls."""


def verify(request: VerificationRequest, *, seconds: float) -> Report:
    """Tries everything, each call again until it answers as expected or the time is up, since IAM settles late.

    Args:
        request: what to try.
        seconds: how long all of it may wait in total for IAM to settle.
    """
    checks: list[Check] = []
    clock = iter(attempts(seconds))
    next(clock)
    user = Aws(request.region, access_key_id=request.access_key_id, secret_access_key=request.secret_access_key)
    role = _assumed(user, request, clock, checks)
    if role:
        for expectation in [*_role_expectations(role, request.targets), *_user_expectations(user, request.targets)]:
            checks.append(_settled(expectation, clock))
    return Report(ok=all(check.ok for check in checks), checks=tuple(checks))


def _assumed(user: Aws, request: VerificationRequest, clock: Iterator[int], checks: list[Check]) -> Aws | None:
    sts = user.sts()
    sessions: list[Aws] = []

    def assume() -> None:
        answer = sts.assume_role(
            RoleArn=request.role_arn, RoleSessionName=_SESSION_NAME, DurationSeconds=_SESSION_SECONDS
        )
        credentials = answer["Credentials"]
        sessions[:] = [
            Aws(
                request.region,
                access_key_id=credentials["AccessKeyId"],
                secret_access_key=SecretStr(credentials["SecretAccessKey"]),
                session_token=SecretStr(credentials["SessionToken"]),
            )
        ]

    checks.append(_settled(_Expectation("user assumes the role", ALLOWED, (assume,)), clock))
    return sessions[0] if sessions else None


def _role_expectations(role: Aws, targets: tuple[Target, ...]) -> Iterator[_Expectation]:
    connections = _two_connections(role)
    for target in targets:
        yield from _inside(target, connections)
        if target.prefix and target.alone:
            yield from _outside(target, connections)


def _inside(t: Target, connections: tuple[S3Client, S3Client]) -> Iterator[_Expectation]:
    s3 = connections[0]
    probe = _Probe(t.bucket, t.prefix, None if t.allow_delete else PROBE_NAME)
    yield _allowed(t.driver, "list", lambda: s3.list_objects_v2(Bucket=t.bucket, Prefix=t.prefix, MaxKeys=1))
    yield _allowed(t.driver, "put", partial(probe.put, s3))
    yield _allowed(t.driver, "get", partial(probe.get, s3))
    if t.allow_delete:
        yield _allowed(t.driver, "delete", partial(probe.delete, s3), leaves=probe)
    else:
        # a key that is not there: AWS refuses before it looks, and a delete that is not refused deletes nothing
        yield _refused(t.driver, "delete", connections, _Probe(t.bucket, t.prefix).delete)
    yield _refused(t.driver, "read the bucket's policy", connections, partial(_get_bucket_policy, t.bucket))


def _outside(t: Target, connections: tuple[S3Client, S3Client]) -> Iterator[_Expectation]:
    probe = _Probe(t.bucket, "")

    def refused(what: str, call: Callable[[S3Client], object], leaves: _Probe | None = None) -> _Expectation:
        return _refused(t.driver, f"{what} outside the folder", connections, call, leaves)

    yield refused("list", lambda s3: s3.list_objects_v2(Bucket=t.bucket, MaxKeys=1))
    yield refused("get", probe.get_missing)
    yield refused("delete", probe.delete)
    # last: what is written in vain is written after the other refusals are in force
    yield refused("put", probe.put_and_remove, probe)


def _user_expectations(user: Aws, targets: tuple[Target, ...]) -> Iterator[_Expectation]:
    connections = _two_connections(user)
    for bucket in dict.fromkeys(target.bucket for target in targets):
        yield _refused("user without the role", f"list {bucket}", connections, partial(_list, bucket))


def _list(bucket: str, s3: S3Client) -> None:
    s3.list_objects_v2(Bucket=bucket, MaxKeys=1)


def _get_bucket_policy(bucket: str, s3: S3Client) -> None:
    with _taken_as_allowed("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)


def _two_connections(caller: Aws) -> tuple[S3Client, S3Client]:
    # A client keeps its connection, and behind one connection is one of AWS's hosts.
    return caller.s3(), caller.s3()


def _allowed(who: str, what: str, call: Callable[[], object], leaves: _Probe | None = None) -> _Expectation:
    return _Expectation(f"{who}: {what}", ALLOWED, (call,), leaves)


def _refused(
    who: str,
    what: str,
    connections: tuple[S3Client, S3Client],
    call: Callable[[S3Client], object],
    leaves: _Probe | None = None,
) -> _Expectation:
    # Where a policy was narrowed just now, one host may refuse what another still allows, so a refusal counts when both
    # connections give it, one after the other. That it is not from before the policy was granted at all is shown by
    # the driver's allowed calls, which come first.
    return _Expectation(f"{who}: {what}", REFUSED_TEXT, tuple(partial(call, s3) for s3 in connections), leaves)


def _settled(expectation: _Expectation, clock: Iterator[int]) -> Check:
    actual = _outcome(expectation)
    while actual != expectation.expected and next(clock, None) is not None:
        actual = _outcome(expectation)
    ok = actual == expectation.expected
    probe = expectation.leaves
    if probe and probe.there:
        actual += f" (remove s3://{probe.bucket}/{probe.key}, which the verification could not)"
    return Check(name=expectation.name, expected=expectation.expected, actual=actual, ok=ok)


def _outcome(expectation: _Expectation) -> str:
    """What the first call that does not answer as expected answered: allowed, refused, or AWS's code for all else."""
    for call in expectation.calls:
        code = outcome(call)
        actual = ALLOWED if code is None else REFUSED_TEXT if code in REFUSED else code
        if actual != expectation.expected:
            return actual
    return expectation.expected


@contextmanager
def _taken_as_allowed(code: str, naming: str = "") -> Iterator[None]:
    """Lets an error pass that AWS gives only to a caller who may make the call: by its code, or by what it names."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        if answer.get("Code") != code and not (naming and naming in answer.get("Message", "")):
            raise


def _step(request: VerificationRequest) -> int:
    report = verify(request, seconds=settle_seconds())
    sys.stdout.write(report.model_dump_json() + "\n")
    if report.failed:
        check = report.failed
        sys.stderr.write(
            f"The verification failed at '{check.name}': expected {check.expected}, got {check.actual}. "
            f"{sum(c.ok for c in report.checks)} of {len(report.checks)} checks hold. "
            "If IAM is slow to settle, run again.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(steps.run(VerificationRequest, _step))
