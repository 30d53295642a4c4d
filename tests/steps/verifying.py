"""What the tests of the verification ask for, and what they read of its report."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from dataloop_sts.steps.verify import Report, Target, VerificationRequest
from tests.steps.aws_world import REGION, Connected


def request_of(connected: Connected, **changes: Any) -> VerificationRequest:
    """What the component asks for, with changes to the target."""
    driver = connected.spec.drivers[0]
    target = Target(
        driver=driver.name,
        bucket=driver.bucket_name,
        prefix=driver.prefix or "",
        allow_delete=driver.allow_delete,
        alone=driver.prefix is not None,
    )
    return VerificationRequest(
        region=REGION,
        access_key_id=connected.access_key_id,
        secret_access_key=SecretStr(connected.secret),
        role_arn=connected.role_arn,
        targets=(target.model_copy(update=changes),),
    )


def failed(report: Report) -> dict[str, str]:
    """What came of the checks that do not hold, by their names without the driver's."""
    return {check.name.partition(": ")[2] or check.name: check.actual for check in report.checks if not check.ok}
