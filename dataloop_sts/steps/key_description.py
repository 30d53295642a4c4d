"""Writes and removes an access key's description where the AWS console keeps it: a tag on the user, named by the key.

Run as ``python -m dataloop_sts.key_description write`` or ``... remove`` with the request as JSON on standard input;
prints the key's id. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html
"""

from __future__ import annotations

import os
import sys

from dataloop_sts.aws import MISSING, Aws, aws_errors
from dataloop_sts.errors import AwsError
from dataloop_sts.spec_parts import DeployRoleSpec
from dataloop_sts.steps import frame
from dataloop_sts.waiting import attempts, settle_seconds

# What the previous run printed, given by pulumi-command: https://www.pulumi.com/registry/packages/command/api-docs/local/command/
PREVIOUS_VARIABLE = "PULUMI_COMMAND_STDOUT"


class DescriptionRequest(frame.Request):
    """Which key of which user, and what to say about it."""

    region: str
    user: str
    access_key_id: str
    description: str
    deploy_role: DeployRoleSpec | None = None


def write(request: DescriptionRequest) -> None:
    """Sets the tag; where an earlier run described another key, that key's tag goes."""
    iam = Aws(request.region, deploy_role=request.deploy_role).iam()
    for _ in attempts(settle_seconds()):
        try:
            with aws_errors(f"describe the access key {request.access_key_id} on user {request.user}"):
                iam.tag_user(UserName=request.user, Tags=[{"Key": request.access_key_id, "Value": request.description}])
            break
        except AwsError as error:  # a user that was just made is not seen everywhere at once
            if error.code not in MISSING:
                raise
            last = error
    else:
        raise last
    previous = os.environ.get(PREVIOUS_VARIABLE, "").strip()
    if previous and previous != request.access_key_id:
        _untag(request, previous)
    sys.stdout.write(request.access_key_id + "\n")


def remove(request: DescriptionRequest) -> None:
    """Removes the tag; a user that is gone took it along."""
    _untag(request, request.access_key_id)


def _untag(request: DescriptionRequest, access_key_id: str) -> None:
    try:
        with aws_errors(f"remove the description of access key {access_key_id} from user {request.user}"):
            Aws(request.region, deploy_role=request.deploy_role).iam().untag_user(
                UserName=request.user, TagKeys=[access_key_id]
            )
    except AwsError as error:
        if error.code not in MISSING:
            raise


def main(arguments: list[str]) -> int:
    """Runs the step, of which the argument is what to do; returns its exit code."""
    return frame.run(DescriptionRequest, {"write": write, "remove": remove}[arguments[0]])
