"""Which IAM action a call of the IAM or STS query API needs, on which resource.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
and https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.aws.errors import RefusedError
from sandbox.aws.principals import Principal

VERSIONS: Mapping[str, Literal["iam", "sts"]] = {"2010-05-08": "iam", "2011-06-15": "sts"}

# Of STS, what the sandbox serves: the rest needs an identity provider, or hands out credentials that lead nowhere.
_STS_ACTIONS = {"AssumeRole", "GetAccessKeyInfo", "GetCallerIdentity"}
_STS_UNSERVED = ("PolicyArns.member.", "Tags.member.", "TransitiveTagKeys.member.", "SourceIdentity", "SerialNumber")
# Without UserName these mean the caller.
_OWN_USER = {"CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys", "UpdateAccessKey"}
# Parameter that names the resource -> type of the resource; the first that is there decides.
_NAMED_BY = {"UserName": "user", "RoleName": "role", "GroupName": "group", "InstanceProfileName": "instance-profile"}
_CREATED = {
    "CreateUser": "UserName",
    "CreateRole": "RoleName",
    "CreateGroup": "GroupName",
    "CreateInstanceProfile": "InstanceProfileName",
}


@dataclass(frozen=True)
class QueryCall:
    """One call of the query API, as IAM sees it."""

    service: str
    operation: str
    resource: str
    context: Mapping[str, tuple[str, ...]]

    @property
    def action(self) -> str:
        """The IAM action, "service:Operation"."""
        return f"{self.service}:{self.operation}"


def map_call(
    service: str,
    form: Mapping[str, str],
    caller: Principal,
    partition: str,
    arn_of: Callable[[str, str, str], str | None],
) -> QueryCall:
    """Map the parameters of a call. arn_of(account, type, name): the ARN of a user, role or group.

    Raises RefusedError for a call that is not served.
    """
    operation = form.get("Action", "")
    if not operation.isalnum():
        raise RefusedError(400, "InvalidAction", "Could not find operation")
    if service == "sts":
        _refuse_unserved(operation, form)
        resource = form.get("RoleArn", "*") if operation == "AssumeRole" else "*"
    else:
        resource = _iam_resource(operation, form, caller, f"arn:{partition}:iam::{caller.account}", arn_of)
    return QueryCall(service, operation, resource, _context(form))


def with_own_user(form: Mapping[str, str], caller: Principal) -> dict[str, str]:
    """Return the parameters with the caller's own name where the call means the caller by leaving UserName out.

    Raises RefusedError where the caller is no user.
    """
    if form.get("Action") not in _OWN_USER or form.get("UserName"):
        return dict(form)
    if caller.kind != "user":
        raise RefusedError(400, "ValidationError", "Must specify userName when calling with non-User credentials")
    return {**form, "UserName": caller.name}


def check_session(form: Mapping[str, str], caller: Principal, max_duration_s: int | str) -> None:
    """Raise RefusedError for an AssumeRole whose name, duration or session policy AWS does not accept.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", ""), re.ASCII):
        raise RefusedError(
            400, "ValidationError", "Value at 'roleSessionName' must have 2 to 64 characters of [\\w+=,.@-]"
        )
    duration = form.get("DurationSeconds", "3600")
    if not duration.isdigit() or not 900 <= int(duration) <= 43200:
        raise RefusedError(400, "ValidationError", "Value at 'durationSeconds' must be between 900 and 43200")
    limit_s = 3600 if caller.kind == "session" else int(max_duration_s)
    if int(duration) > limit_s:
        raise RefusedError(
            400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    try:
        is_policy = "Policy" not in form or "Statement" in dict(json.loads(form["Policy"]))
    except (TypeError, ValueError):
        is_policy = False
    if not is_policy:
        raise RefusedError(400, "MalformedPolicyDocument", "The session policy is not a policy document.")


def _refuse_unserved(operation: str, form: Mapping[str, str]) -> None:
    unserved = next((name for name in form if name.startswith(_STS_UNSERVED)), None)
    if operation not in _STS_ACTIONS or unserved:
        what = f"{operation} with {unserved}" if operation in _STS_ACTIONS else operation
        raise RefusedError(501, "NotImplemented", f"The sandbox does not serve sts:{what}")


def _iam_resource(
    operation: str,
    form: Mapping[str, str],
    caller: Principal,
    account: str,
    arn_of: Callable[[str, str, str], str | None],
) -> str:
    path = form.get("Path") or "/"
    if operation in _CREATED:
        parameter = _CREATED[operation]
        return f"{account}:{_NAMED_BY[parameter]}{path}{form.get(parameter, '')}"
    if operation == "CreatePolicy":
        return f"{account}:policy{path}{form.get('PolicyName', '')}"
    for parameter, kind in _NAMED_BY.items():
        if name := form.get(parameter):
            return arn_of(caller.account, kind, name) or f"{account}:{kind}/{name}"
    return form.get("PolicyArn", "*")


def _context(form: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    keys = {
        "ExternalId": "sts:externalid",
        "RoleSessionName": "sts:rolesessionname",
        "PermissionsBoundary": "iam:permissionsboundary",
    }
    context: dict[str, tuple[str, ...]] = {key: (form[name],) for name, key in keys.items() if name in form}
    if "PolicyArn" in form and ("UserName" in form or "RoleName" in form or "GroupName" in form):
        context["iam:policyarn"] = (form["PolicyArn"],)
    return context
