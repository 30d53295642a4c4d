"""Which IAM action a call of the IAM or STS query API needs, on which resource.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
and https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.aws import directory
from sandbox.aws.directory import PARTITION
from sandbox.aws.errors import RefusedError
from sandbox.aws.principals import Principal

VERSIONS: Mapping[str, Literal["iam", "sts"]] = {"2010-05-08": "iam", "2011-06-15": "sts"}

# Of STS, what the sandbox serves: the rest needs an identity provider, or hands out credentials that lead nowhere.
_STS_ACTIONS = {"AssumeRole", "GetAccessKeyInfo", "GetCallerIdentity"}
_STS_UNSERVED = ("PolicyArns.member.", "Tags.member.", "TransitiveTagKeys.member.", "SourceIdentity", "SerialNumber")
# Without UserName these mean the caller.
_OWN_USER = {
    "CreateAccessKey",
    "CreateLoginProfile",
    "DeleteAccessKey",
    "DeleteLoginProfile",
    "GetLoginProfile",
    "GetUser",
    "ListAccessKeys",
    "ListMFADevices",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListSSHPublicKeys",
    "UpdateAccessKey",
}
# Parameter that names the resource -> type of the resource. The first that is there decides: who joins a group or an
# instance profile is not the resource, the group or profile is.
_NAMED_BY = {"InstanceProfileName": "instance-profile", "GroupName": "group", "UserName": "user", "RoleName": "role"}
_CREATED = {
    "CreateUser": "UserName",
    "CreateRole": "RoleName",
    "CreateGroup": "GroupName",
    "CreateInstanceProfile": "InstanceProfileName",
    "CreatePolicy": "PolicyName",
}
_TAG_ACTIONS = {
    "CreateUser": "iam:TagUser",
    "CreateRole": "iam:TagRole",
    "CreateInstanceProfile": "iam:TagInstanceProfile",
    "CreatePolicy": "iam:TagPolicy",
}
# Where iam:PermissionsBoundary is the boundary that the user or role has, not one that the call sets.
_BOUNDED = re.compile(r"(Attach|Detach|Put|Delete)(User|Role)Policy|Delete(User|Role)PermissionsBoundary")


@dataclass(frozen=True)
class QueryCall:
    """One call of the query API, as IAM sees it. also: other actions that it needs, each with its resource."""

    service: str
    operation: str
    resource: str
    context: Mapping[str, tuple[str, ...]]
    also: tuple[tuple[str, str], ...] = ()

    @property
    def action(self) -> str:
        """The IAM action, "service:Operation"."""
        return f"{self.service}:{self.operation}"


def map_call(service: str, form: Mapping[str, str], caller: Principal) -> QueryCall:
    """Map the parameters of a call. Raises RefusedError for a call that is not served."""
    operation = form.get("Action", "")
    if not operation.isalnum():
        raise RefusedError(400, "InvalidAction", "Could not find operation")
    if service == "sts":
        _refuse_unserved(operation, form)
        resource = form.get("RoleArn", "*") if operation == "AssumeRole" else "*"
        return QueryCall(service, operation, resource, _context(form))
    kind, bearer = _bearer(operation, form, caller.account)
    resource = str(bearer.arn) if bearer else _iam_resource(operation, form, kind, caller.account)
    context = _context(form)
    if bearer and _BOUNDED.fullmatch(operation) and getattr(bearer, "permissions_boundary_arn", None):
        context["iam:permissionsboundary"] = (bearer.permissions_boundary_arn,)
    return QueryCall(service, operation, resource, context, _also(operation, form, resource, caller.account))


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


def _bearer(operation: str, form: Mapping[str, str], account: str) -> tuple[str, Any | None]:
    """Return the type of what the call is about ("" where no parameter says it) and, where it exists, moto's object."""
    if operation == "GetAccessKeyLastUsed":
        return "user", directory.user_of_key(account, form.get("AccessKeyId", ""))
    for parameter, kind in _NAMED_BY.items():
        if name := form.get(parameter):
            return kind, None if operation in _CREATED else directory.bearer_by_name(account, kind, name)
    return "", None


def _iam_resource(operation: str, form: Mapping[str, str], kind: str, account: str) -> str:
    prefix = f"arn:{PARTITION}:iam::{account}"
    if operation in _CREATED:
        return f"{prefix}:{kind or 'policy'}{form.get('Path') or '/'}{form.get(_CREATED[operation], '')}"
    name = next((form[parameter] for parameter in _NAMED_BY if form.get(parameter)), None)
    return f"{prefix}:{kind}/{name}" if name else form.get("PolicyArn", "*")


def _also(operation: str, form: Mapping[str, str], resource: str, account: str) -> tuple[tuple[str, str], ...]:
    if operation in _TAG_ACTIONS and any(name.startswith("Tags.") for name in form):
        return ((_TAG_ACTIONS[operation], resource),)
    if operation == "AddRoleToInstanceProfile":
        role = directory.bearer_by_name(account, "role", form.get("RoleName", ""))
        return (("iam:PassRole", str(role.arn)),) if role else ()
    return ()


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
