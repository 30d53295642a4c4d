"""Proves a connection by real calls: what the role must be able to do, and what must be refused.

Run as ``python -m dataloop_sts.verify`` with the request as JSON on standard input; prints a report
``{"ok", "checks": [{"name", "expected", "actual", "ok"}]}`` and exits with 1 unless every check holds.

The probe object is ``test-file`` in the driver's folder, the name that Dataloop's own TEST uses. It is removed where
the role may delete, and stays, always under that one name, where it may not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, SecretStr

from dataloop_sts import steps
from dataloop_sts.aws import REFUSED, Aws, outcome
from dataloop_sts.waiting import attempts, settle_seconds

PROBE_NAME = "test-file"
RANDOM_PROBE_PREFIX = "dataloop-sts-probe-"
"""What the name of every other object begins with that the verification writes."""
_SESSION_NAME = "dataloop-sts-verification"
_SESSION_SECONDS = 900  # the least that AWS allows
ALLOWED, REFUSED_TEXT = "allowed", "refused"


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


@dataclass(frozen=True)
class _Expectation:
    name: str
    expected: str
    call: Callable[[], object]


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

    checks.append(_settled(_Expectation("user assumes the role", ALLOWED, assume), clock))
    return sessions[0] if sessions else None


def _role_expectations(role: Aws, targets: tuple[Target, ...]) -> Iterator[_Expectation]:
    s3 = role.s3()
    for t in targets:
        place = {"Bucket": t.bucket}
        probe = {"Bucket": t.bucket, "Key": t.prefix + PROBE_NAME}

        def expect(
            what: str, expected: str, call: Callable[..., object], driver: str = t.driver, **arguments: object
        ) -> _Expectation:
            return _Expectation(f"{driver}: {what}", expected, lambda: call(**arguments))

        yield expect("list", ALLOWED, s3.list_objects_v2, **place, Prefix=t.prefix, MaxKeys=1)
        yield expect("put", ALLOWED, s3.put_object, **probe, Body=b"")
        yield expect("get", ALLOWED, s3.get_object, **probe)
        yield expect("delete", ALLOWED if t.allow_delete else REFUSED_TEXT, s3.delete_object, **probe)
        yield expect("read the bucket's policy", REFUSED_TEXT, s3.get_bucket_policy, **place)
        if t.prefix and t.alone:
            yield expect("list outside the folder", REFUSED_TEXT, s3.list_objects_v2, **place, MaxKeys=1)
            yield expect("put outside the folder", REFUSED_TEXT, s3.put_object, **place, Key=PROBE_NAME, Body=b"")


def _user_expectations(user: Aws, targets: tuple[Target, ...]) -> Iterator[_Expectation]:
    s3 = user.s3()
    for bucket in dict.fromkeys(target.bucket for target in targets):
        yield _Expectation(
            f"user without the role: list {bucket}",
            REFUSED_TEXT,
            lambda bucket=bucket: s3.list_objects_v2(Bucket=bucket, MaxKeys=1),  # type: ignore[misc]
        )


def _settled(expectation: _Expectation, clock: Iterator[int]) -> Check:
    actual = _outcome(expectation.call)
    while actual != expectation.expected and next(clock, None) is not None:
        actual = _outcome(expectation.call)
    return Check(name=expectation.name, expected=expectation.expected, actual=actual, ok=actual == expectation.expected)


def _outcome(call: Callable[[], object]) -> str:
    code = outcome(call)
    if code is None:
        return ALLOWED
    return REFUSED_TEXT if code in REFUSED else code


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
