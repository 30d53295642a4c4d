"""Proves a connection by real calls: what the role must be able to do, and what must be refused.

Run as ``python -m dataloop_sts.verify`` with the request as JSON on standard input; prints a report
``{"ok", "checks": [{"name", "expected", "actual", "ok"}]}``. Unless every check holds, that is on standard error,
followed by the first check that does not, and the exit code is 1.

No call can touch an object of the customer, however wide the role's policy is. Every write is conditional on there
being no such object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), and every delete
is of a random key. Where the role may delete, the probe object has a random key too and is removed again; where it may
not, the probe is ``test-file``, the name that Dataloop's own TEST uses, so that it stays as one object and no more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, SecretStr

from dataloop_sts.aws import Aws, failure
from dataloop_sts.probes import PROBE_NAME, Probe, taken_as_allowed
from dataloop_sts.steps import frame
from dataloop_sts.waiting import attempts, settle_seconds

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SESSION_NAME = "dataloop-sts-verification"
_SESSION_SECONDS = 900  # the least that AWS allows
OUTSIDE_SECONDS = 30.0
"""How long a refused AssumeRole is tried again where the role may be assumed from some addresses only."""
_OUTSIDE = (
    "refused here, where the address may be outside of aws.trust_source_ips: the rest was not tried, Dataloop's TEST "
    "has to prove it"
)
ALLOWED, REFUSED_TEXT = "allowed", "refused"


class Target(frame.Request):
    """What one driver reaches."""

    driver: str
    bucket: str
    prefix: str = ""
    allow_delete: bool
    alone: bool = True
    """Whether no other driver reaches the bucket outside the prefix, so that a refusal is expected there."""


class VerificationRequest(frame.Request):
    """The credentials to try and what to expect; ``documents`` is a hash that makes a new request of a new policy."""

    region: str
    access_key_id: str
    secret_access_key: SecretStr
    role_arn: str
    targets: tuple[Target, ...]
    source_ips: tuple[str, ...] = ()
    """The address ranges from which alone the role may be assumed; none for all."""
    documents: str = ""


class Check(BaseModel):
    """One call: what should have come of it, and what did.

    Attributes:
        name: the bucket or driver and the call, such as ``acme-images: put``.
        expected: ``allowed``, ``refused``, or ``passes`` for Dataloop's TEST.
        actual: the same, or in words what came instead.
        ok: whether it is as it should be.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    expected: str
    actual: str
    ok: bool


class Report(BaseModel):
    """All checks; it holds no secret.

    Attributes:
        ok: whether every check holds.
        checks: each call that was made.
    """

    model_config = ConfigDict(frozen=True)

    ok: bool
    checks: tuple[Check, ...]

    @property
    def failed(self) -> Check | None:
        """The first check that does not hold."""
        return next((check for check in self.checks if not check.ok), None)


@dataclass(frozen=True)
class _Expectation:
    name: str
    expected: str
    calls: tuple[Callable[[], object], ...]
    """Each has to answer as expected."""
    leaves: Probe | None = None
    """What has to be named if it is still there after the calls."""
    writes: bool = False
    """Whether the calls write an object where they are allowed, or need one that was written."""


def verify(request: VerificationRequest, *, seconds: float, writing: bool = True) -> Report:
    """Tries everything, each call again until it answers as expected or the time is up, since IAM settles late.

    Where the role may be assumed from some addresses only and AWS refuses it to this machine, that is no failure: AWS
    does not say whether the address is the reason. The check tells so, what the role may do is not tried, and
    Dataloop's TEST, whose calls come from inside, is what proves the connection.

    Args:
        request: what to try.
        seconds: how long all of it may wait in total for IAM to settle.
        writing: False leaves out what writes a probe, or needs one, and so asks for listings and refusals alone.
    """
    checks: list[Check] = []
    clock = iter(attempts(seconds))
    next(clock)
    user = Aws(request.region, access_key_id=request.access_key_id, secret_access_key=request.secret_access_key)
    role = _assumed(user, request, clock, checks)
    if role:
        checks += [
            _settled(expectation, clock)
            for expectation in _role_expectations(role, request.targets)
            if writing or not expectation.writes
        ]
    if checks[0].ok:
        checks += [_settled(expectation, clock) for expectation in _user_expectations(user, request.targets)]
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

    expectation = _Expectation("user assumes the role", ALLOWED, (assume,))
    if not request.source_ips:
        checks.append(_settled(expectation, clock))
    else:
        inside_until = time.monotonic() + OUTSIDE_SECONDS
        check = _settled(expectation, clock, lambda actual: _is_refused(actual) and time.monotonic() > inside_until)
        outside = Check(
            name=check.name, expected=f"allowed from {', '.join(request.source_ips)}", actual=_OUTSIDE, ok=True
        )
        checks.append(outside if _is_refused(check.actual) else check)
    return sessions[0] if sessions else None


def _role_expectations(role: Aws, targets: tuple[Target, ...]) -> Iterator[_Expectation]:
    connections = _two_connections(role)
    for target in targets:
        yield from _inside(target, connections)
        if target.prefix and target.alone:
            yield from _outside(target, connections)


def _inside(t: Target, connections: tuple[S3Client, S3Client]) -> Iterator[_Expectation]:
    s3 = connections[0]
    probe = Probe(t.bucket, t.prefix, None if t.allow_delete else PROBE_NAME)
    yield _allowed(t.driver, "list", lambda: s3.list_objects_v2(Bucket=t.bucket, Prefix=t.prefix, MaxKeys=1))
    yield _allowed(t.driver, "put", partial(probe.put, s3), writes=True)
    yield _allowed(t.driver, "get", partial(probe.get, s3), writes=True)
    if t.allow_delete:
        yield _allowed(t.driver, "delete", partial(probe.delete, s3), leaves=probe, writes=True)
    else:
        # a key that is not there: AWS refuses before it looks, and a delete that is not refused deletes nothing
        yield _refused(t.driver, "delete", connections, Probe(t.bucket, t.prefix).delete)
    yield _refused(t.driver, "read the bucket's policy", connections, partial(_get_bucket_policy, t.bucket))


def _outside(t: Target, connections: tuple[S3Client, S3Client]) -> Iterator[_Expectation]:
    probe = Probe(t.bucket, "")

    def refused(what: str, call: Callable[[S3Client], object], leaves: Probe | None = None) -> _Expectation:
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
    with taken_as_allowed("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)


def _two_connections(caller: Aws) -> tuple[S3Client, S3Client]:
    # A client keeps its connection, and behind one connection is one of AWS's hosts.
    return caller.s3(), caller.s3()


def _allowed(
    who: str, what: str, call: Callable[[], object], leaves: Probe | None = None, writes: bool = False
) -> _Expectation:
    return _Expectation(f"{who}: {what}", ALLOWED, (call,), leaves, writes)


def _refused(
    who: str,
    what: str,
    connections: tuple[S3Client, S3Client],
    call: Callable[[S3Client], object],
    leaves: Probe | None = None,
) -> _Expectation:
    # Where a policy was narrowed just now, one host may refuse what another still allows, so a refusal counts when both
    # connections give it, one after the other. That it is not from before the policy was granted at all is shown by
    # the driver's allowed calls, which come first.
    calls = tuple(partial(call, s3) for s3 in connections)
    return _Expectation(f"{who}: {what}", REFUSED_TEXT, calls, leaves, writes=leaves is not None)


def _settled(
    expectation: _Expectation, clock: Iterator[int], gives_up: Callable[[str], bool] = lambda actual: False
) -> Check:
    actual = _outcome(expectation)
    while actual != expectation.expected and not gives_up(actual) and next(clock, None) is not None:
        actual = _outcome(expectation)
    ok = actual == expectation.expected
    probe = expectation.leaves
    if probe and probe.there:
        actual += f" (remove s3://{probe.bucket}/{probe.key}, which the verification could not)"
    return Check(name=expectation.name, expected=expectation.expected, actual=actual, ok=ok)


def _outcome(expectation: _Expectation) -> str:
    """What the first call that does not answer as expected answered: allowed, refused, or AWS's code for all else."""
    for call in expectation.calls:
        failed = failure(call)
        actual = ALLOWED if failed is None else REFUSED_TEXT if failed.refused else failed.code
        if actual != expectation.expected:
            return f"{actual}: {failed.reason}" if failed and failed.reason else actual
    return expectation.expected


def _is_refused(actual: str) -> bool:
    return actual.partition(":")[0] == REFUSED_TEXT


def _step(request: VerificationRequest) -> int:
    report = verify(request, seconds=settle_seconds())
    check = report.failed
    # of what is written to two pipes, nobody knows the order: a failure is told on one, its reason last
    (sys.stderr if check else sys.stdout).write(report.model_dump_json() + "\n")
    if check is None:
        return 0
    sys.stderr.write(
        f"The verification failed at '{check.name}': expected {check.expected}, got {check.actual}. "
        f"{sum(c.ok for c in report.checks)} of {len(report.checks)} checks hold. "
        "If IAM is slow to settle, run again.\n"
    )
    return 1


def main(_arguments: list[str]) -> int:
    """Runs the step; returns its exit code."""
    return frame.run(VerificationRequest, _step)
