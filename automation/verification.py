"""Verifies a live connection: the calls of its user and role, and Dataloop's TEST of each driver."""

from __future__ import annotations

import os

from automation import deployment
from automation.stack import Stack
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DriverTestFailed
from dataloop_sts.steps.verify import Check, Report, verify
from dataloop_sts.waiting import settle_seconds


def verify_connection(stack: Stack) -> Report:
    """Proves a live connection by real calls; changes nothing but its own probe objects.

    Args:
        stack: the connection's.

    Raises:
        NoSuchStack: there is no connection.
        StackError: the state cannot be read.
        DataloopError: the token is wrong, or there was no answer.
    """
    client = DataloopClient.shared({**os.environ, **stack.variables()})
    deployed = stack.state(show_secrets=True)
    report = verify(deployment.verification_request(deployed, stack.stack), seconds=settle_seconds())
    tests = [_test(client, name, id_) for name, id_ in deployment.driver_ids(deployed).items()]
    checks = (*report.checks, *tests)
    return Report(ok=all(check.ok for check in checks), checks=checks)


def _test(client: DataloopClient, name: str, driver_id: str) -> Check:
    try:
        client.test_driver(driver_id)
        actual = "passes"
    except DriverTestFailed as error:
        actual = error.message or "fails"
    return Check(name=f"{name}: Dataloop's TEST", expected="passes", actual=actual, ok=actual == "passes")
