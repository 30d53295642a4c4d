"""The managed policies that AWS itself keeps, each known to an account from the first call that names it.

There are some 1,500; moto can load them all, or none.
"""

import json
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends

from sandbox.aws.directory import PARTITION

_PREFIX = f"arn:{PARTITION}:iam::aws:policy/"


def know(account: str, arn: str) -> None:
    """Make the policy of an ARN known to an account; an ARN that is not one of AWS's policies is left alone."""
    backend = iam_backends[account][PARTITION]
    if not arn.startswith(_PREFIX) or arn in backend.managed_policies:
        return
    name = arn.rsplit("/", 1)[-1]
    if found := _all().get(name):
        policy = AWSManagedPolicy.from_data(name, account, backend.region_name, found)
        backend.managed_policies[policy.arn] = policy


@cache
def _all() -> dict[str, Any]:
    policies: dict[str, Any] = json.loads(aws_managed_policies_data)
    return policies
