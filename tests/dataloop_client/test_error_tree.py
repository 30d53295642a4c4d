"""Errors say in one line what happened, to which resource, and what to do next."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataloop_sts import errors
from dataloop_sts.errors import (
    AwsError,
    DataloopError,
    DataloopStsError,
    Forbidden,
    GuardRefused,
    Problem,
    SpecError,
)

DATALOOP_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DataloopError)]


@pytest.mark.parametrize("kind", DATALOOP_ERRORS)
@given(message=st.text(), resource=st.text(), request_id=st.none() | st.text(), path=st.text())
def test_each_is_one_line_whatever_the_platform_says(
    kind: type[DataloopError], message: str, resource: str, request_id: str | None, path: str
) -> None:
    error = kind(message, status=418, request_id=request_id, method="GET", path=path, resource=resource)
    assert len(str(error).splitlines()) == 1
    assert isinstance(error, DataloopStsError)
    assert "status 418" in str(error)


def test_message_request_id_method_and_path_are_shown_and_kept() -> None:
    error = Forbidden(
        "not yours", status=403, request_id="r-1", method="POST", path="/orgs/o/integrations?x=1", resource="x"
    )
    assert (error.status, error.message, error.request_id) == (403, "not yours", "r-1")
    assert (error.method, error.path) == ("POST", "/orgs/o/integrations")
    assert str(error).endswith("(POST /orgs/o/integrations, status 403, request id r-1)")
    assert '"not yours"' in str(error)


def test_a_long_message_is_cut() -> None:
    assert len(str(Forbidden("word " * 5000, status=403))) < 1200


def test_a_secret_is_cut_out_before_a_long_message_is_cut_off() -> None:
    message = "x" * 480 + " password=correct-horse-battery-staple"
    assert "corr" not in str(Forbidden(message, status=403))


def test_an_error_cast_into_another_class_keeps_its_answer() -> None:
    error = Forbidden("m", status=403, request_id="r", method="GET", path="/p", resource="driver d", maybe_applied=True)
    cast = error.recast(errors.DriverTestFailed, what="It failed")
    assert type(cast) is errors.DriverTestFailed
    for name in ("status", "message", "request_id", "method", "path", "resource", "maybe_applied"):
        assert getattr(cast, name) == getattr(error, name)


def test_all_problems_are_listed_each_with_its_path() -> None:
    problems = [Problem(f"drivers[{number}].bucket", "is taken " + "x" * 100) for number in range(30)]
    error = SpecError(problems)
    assert error.problems == problems
    assert "30 problems" in str(error)
    assert all(str(problem) in str(error) for problem in problems)
    assert "1 problem:" in str(SpecError(problems[:1]))


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimited("m", status=429, resource="driver d", request_id="r"),
        errors.Unreachable("m", resource="driver d", maybe_applied=True),
        SpecError([Problem("a", "b")]),
        AwsError("m", code="AccessDenied"),
    ],
)
def test_an_error_stays_the_same_across_processes_and_copies(error: DataloopStsError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))


def test_rights_are_told_by_what_they_are_needed_for() -> None:
    assert "organization's owner" in str(Forbidden(resource="integration i"))
    assert "developer of the project" in str(Forbidden(resource="driver d"))
    assert "member of it" in str(Forbidden(resource="organization o"))


def test_the_others_carry_what_failed() -> None:
    assert AwsError("no", code="AccessDenied").code == "AccessDenied"
    assert str(GuardRefused("two\nlines")) == "two lines"
