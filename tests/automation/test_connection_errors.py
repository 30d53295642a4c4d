"""A failed command is an error that says whose matter it is; the messages are the engine's and the providers' own."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from automation import errors
from automation.diagnosis import Diagnostic, error_of

_URN = "urn:pulumi:dev.acme::dataloop-sts::dataloop-sts:connection:Connection$"
_PREFLIGHT = f"{_URN}pulumi-python:dynamic/dataloop:Preflight::preflight"
_PROBLEM = "pulumi-python:dynamic/dataloop:Preflight resource 'preflight' has a problem: "
_STEP = 'exit status 1: running "python -m dataloop_sts.'


def _problem(*texts: str) -> list[tuple[str, str]]:
    return [(_PREFLIGHT, _PROBLEM + text) for text in texts]


def _step(step: str, said: str) -> list[tuple[str, str]]:
    return [(f"{_URN}command:local:Command::{step}", f'{_STEP}{step}":\n{said}\n\n'), ("", "update failed\n")]


@pytest.mark.parametrize(
    ("said", "kind", "attributes"),
    [
        (
            [
                (
                    f"{_URN}pulumi-python:dynamic/dataloop:Integration::integration",
                    'dataloop_sts.errors.Forbidden: Dataloop does not allow this call about integration "a"',
                ),
                ("", "update failed\n"),
            ],
            errors.DataloopFailed,
            {"kind": "Forbidden"},
        ),
        (
            _problem('Dataloop does not accept the API token: it expired on 2026-11-24: "x"'),
            errors.DataloopFailed,
            {"kind": "NotAuthenticated"},
        ),
        (
            _problem("Dataloop: The Dataloop API gave no answer about the token's user: the connection was refused."),
            errors.DataloopFailed,
            {"kind": "Unreachable"},
        ),
        (
            _problem(
                "AWS credentials: Cannot find out whose AWS credentials these are: InvalidClientTokenId: The security "
                "token included in the request is invalid. Correct or renew the AWS credentials of this shell."
            ),
            errors.AwsFailed,
            {"code": "InvalidClientTokenId"},
        ),
        (
            [
                (
                    f"{_URN}dataloop-sts:storage:ManagedBucket$aws:s3/bucket:Bucket::dataloop-acme",
                    "creating S3 Bucket (dataloop-acme): operation error S3: CreateBucket, https response error "
                    "StatusCode: 403, RequestID: X, api error AccessDenied: Access Denied",
                )
            ],
            errors.AwsFailed,
            {"code": "AccessDenied"},
        ),
        (
            _problem("AWS credentials: The AWS credentials are of account 1, the spec allows 2 only: use those"),
            errors.Refused,
            {"problems": ("AWS credentials: The AWS credentials are of account 1, the spec allows 2 only: use those",)},
        ),
        (
            _problem("drivers[].bucket.name: The account has a bucket 'b' already", "Dataloop: gave no answer"),
            errors.Refused,
            {"problems": ("drivers[].bucket.name: The account has a bucket 'b' already", "Dataloop: gave no answer")},
        ),
        (
            _step("guard", "The destroy of acme is refused, nothing was touched: bucket b would be deleted."),
            errors.Refused,
            {"problems": ("The destroy of acme is refused, nothing was touched: bucket b would be deleted.",)},
        ),
        (
            _step("empty_bucket", "Bucket b stays: the spec says on_destroy: refuse. Nothing was removed."),
            errors.Refused,
            {},
        ),
        (
            _step("verify", "{\"ok\":false}\nThe verification failed at 'acme-images: put': expected allowed, got x."),
            errors.VerificationFailed,
            {"check": "acme-images: put"},
        ),
        (
            _step("guard", "Cannot list bucket b: AccessDenied: no. Grant it."),
            errors.AwsFailed,
            {"code": "AccessDenied"},
        ),
        (
            _step("guard", "Dataloop limits the rate of calls, driver 1 was not reached. Try again later."),
            errors.DataloopFailed,
            {"kind": "RateLimited"},
        ),
        (
            [(f"{_URN}aws:iam/user:User::user", "a tool failed"), ("", "update failed")],
            errors.AwsFailed,
            {"code": None},
        ),
        ([("", "The connection spec in Pulumi.dev.acme.yaml is not valid:\n  x")], errors.SpecRefused, {}),
        ([("", "update canceled")], errors.Interrupted, {}),
        (
            [
                (f"{_URN}aws:iam/role:Role::role", "One user only.\nit trusts two", "trust-one-user"),
                (f"{_URN}aws:iam/role:Role::role", "One user only.\nit trusts two", "trust-one-user"),
                ("", "update failed"),
            ],
            errors.PolicyViolated,
            {"policies": ("trust-one-user",), "problems": ("trust-one-user: role: it trusts two",)},
        ),
        (
            [("", "The program would break a rule of its own: trust-one-user: it trusts two. See docs/policies.md.")],
            errors.PolicyViolated,
            {"policies": ()},
        ),
        ([("", "getting stack configuration: incorrect passphrase")], errors.EngineFailed, {}),
    ],
)
def test_the_kind_tells_whose_matter_it_is(
    said: list[tuple[str, ...]], kind: type[errors.StackError], attributes: dict[str, Any]
) -> None:
    diagnostics = [Diagnostic(*each) for each in said]
    reason = " ".join(each.message for each in diagnostics)
    error = error_of("dev.acme", reason, reason, diagnostics)
    assert type(error) is kind
    assert isinstance(error, errors.StackError)
    assert {name: getattr(error, name) for name in attributes} == attributes
    assert str(error).startswith("Stack dev.acme: ")
    assert "\n" not in str(error)
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copied), str(copied), vars(copied)) == (kind, str(error), vars(error))


def test_a_lock_says_who_holds_it_and_since_when() -> None:
    output = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        "lock file with `pulumi cancel`.\n  file:///state/.pulumi/locks/a.json: created by ann@host1 (pid 4711) at "
        "2026-11-24T20:58:41Z"
    )
    error = error_of("dev.acme", "the stack is currently locked by 1 lock(s)", output)
    assert isinstance(error, errors.StackLocked)
    assert (error.who, error.pid, error.since) == ("ann@host1", 4711, datetime(2026, 11, 24, 20, 58, 41, tzinfo=UTC))
    cloud = error_of("dev.acme", "[409] Conflict: Another update is currently in progress.", "[409] Conflict: Another")
    assert isinstance(cloud, errors.StackLocked)
    assert cloud.who is None


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("getting stack configuration: incorrect passphrase", "Set PULUMI_CONFIG_PASSPHRASE, or"),
        ("passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "Set PULUMI_CONFIG_PASSPHRASE, or"),
        ('unable to open state directory "file:///x": stat /x', "The backend is out of reach: mount it"),
        ('read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown)', "The backend is out of reach"),
        ("failed to save snapshot: write /x.tmp: no space left on device", "Make room there, then run"),
        ("failed to load checkpoint: place 1: unexpected end of JSON input", "The state was cut short: see docs"),
        ("unexpected end of JSON input", "A lock was cut short by a kill or a full disk: `dataloop-sts repair`, then"),
        ("failed to load checkpoint: EOF", "A kill came while the state was written"),
        ("failed to load checkpoint: blob (code=Unknown): unexpected EOF", "A kill came while the state was written"),
    ],
)
def test_what_the_engine_says_of_passphrase_backend_and_disk_is_told_with_its_mend(said: str, mend: str) -> None:
    error = error_of("dev.acme", said, f"error: {said}")
    assert type(error) is errors.EngineFailed
    assert str(error).startswith(f"Stack dev.acme: {said}. {mend}")


def test_a_stack_that_was_never_made_is_told() -> None:
    assert isinstance(error_of("dev.acme", "no stack named 'dev.acme' found", ""), errors.NoSuchStack)
