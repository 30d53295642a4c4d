"""A connection that is as its spec says has no finding, however it is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from dataloop_sts.audit import CHECKS
from tests.audit.audited import Audited, clean
from tests.steps.aws_world import World


@pytest.mark.parametrize(
    "driver", [{}, {"prefix": "raw/"}, {"allow_delete": True}, {"prefix": "raw/", "allow_delete": True}]
)
def test_a_clean_connection_has_no_finding(driver: dict[str, Any], world: World) -> None:
    audited = clean(world, **driver)
    audited.calling = True
    report = audited.report()
    assert report.findings == ()
    assert report.not_looked_at == ()
    assert {result.check for result in report.checks} == {check.id for check in CHECKS}
    assert {result.result for result in report.checks} == {"clean"}


def test_without_a_state_what_needs_it_is_not_looked_at_and_the_rest_is_clean(audited: Audited) -> None:
    audited.without_state()
    report = audited.report()
    assert report.findings == ()
    assert report.hidden == ()
    (unseen,) = report.not_looked_at
    assert unseen.needs == "the stack's state"
    assert {result.check for result in report.checks if result.result == "not looked at"} == {
        "state-other-id",
        "state-key-gone",
        "key-held-gone",
        "integration-changed",
        "call-assume-role",
        "call-refused",
        "call-list",
        "driver-test",
    }
