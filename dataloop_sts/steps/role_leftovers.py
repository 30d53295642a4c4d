"""Takes policies off an adopted role that are not the connection's.

Run as ``python -m dataloop_sts.role_leftovers`` once the connection's own policy is attached, with the request as JSON
on standard input: whoever uses the role at the time keeps what the connection needs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.errors import AwsError
from dataloop_sts.spec_parts import DeployRoleSpec
from dataloop_sts.steps import frame


class LeftoversRequest(frame.Request):
    """The role, and what is to go."""

    region: str
    role: str
    attached: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    deploy_role: DeployRoleSpec | None = None


def remove(request: LeftoversRequest) -> None:
    """Detaches managed policies and deletes inline ones; what is gone already is fine.

    Raises:
        AwsError: AWS did not let it be done.
    """
    iam, role = Aws(request.region, deploy_role=request.deploy_role).iam(), request.role
    for arn in request.attached:
        detach = partial(iam.detach_role_policy, RoleName=role, PolicyArn=arn)
        _unless_gone(f"detach policy {arn} from role {role}", detach)
    for name in request.inline:
        delete = partial(iam.delete_role_policy, RoleName=role, PolicyName=name)
        _unless_gone(f"delete inline policy {name} of role {role}", delete)


def _unless_gone(what: str, call: Callable[[], object]) -> None:
    try:
        with aws_errors(what):
            call()
    except AwsError as error:
        if error.code not in MISSING:
            raise


def main(_arguments: list[str]) -> int:
    """Runs the step; returns its exit code."""
    return frame.run(LeftoversRequest, remove)
