"""An audit of one connection: the record's spec, what is live, and what the stack remembers, brought together."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from automation import deployment
from automation.errors import NoSuchStack
from automation.stack import Stack
from dataloop_sts.audit import Facts, Recorded, Report, audit
from dataloop_sts.aws import Aws
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.live import look
from dataloop_sts.steps.verify import VerificationRequest


def audit_connection(connection: Stack, *, max_key_age_days: int, use_state: bool) -> Report:
    """Audits a connection; changes nothing.

    Args:
        connection: which one.
        max_key_age_days: from when on an access key is old.
        use_state: whether the stack's state is asked. Without it nothing is compared with what the stack remembers, and
            no call is made with its access key.

    Raises:
        AwsError: the credentials are missing or wrong, or AWS gives no answer.
        DataloopError: likewise of Dataloop.
        StackError: the stack is there and cannot be read.
    """
    client = DataloopClient.shared({**os.environ, **connection.variables()})
    recorded, request = _remembered(connection) if use_state else (None, None)
    spec, environment = connection.spec, connection.environment.name
    aws = Aws(spec.aws.region, deploy_role=spec.aws.deploy_role)
    facts = Facts(
        spec=spec,
        environment=environment,
        live=look(spec, environment, aws, client),
        now=datetime.now(UTC),
        max_key_age_days=max_key_age_days,
        recorded=recorded,
        customer=None if connection.own_stack else spec.customer,
    )
    return audit(facts, client, request)


def _remembered(connection: Stack) -> tuple[Recorded | None, VerificationRequest | None]:
    try:
        deployed = connection.state(show_secrets=True)
    except NoSuchStack:
        return None, None
    try:
        request = deployment.verification_request(deployed, connection.stack)
    except NoSuchStack:
        request = None
    return deployment.recorded(deployed), request
