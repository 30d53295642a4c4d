"""A second evaluator of policies, written for these tests from AWS's documentation, and from nothing of the sandbox's.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html. It knows what the
generated documents use; for anything else it fails, so that nothing is passed over.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.least_privilege.requests import Request, Requests

Document = Mapping[str, Any]


def allowed(
    requests: Requests,
    identity: Document,
    *,
    boundary: Document | None = None,
    bucket_policy: Document | None = None,
) -> set[Request]:
    """The requests that a role's session of the resource's own account may make.

    Args:
        requests: what is asked, by action.
        identity: the role's policy.
        boundary: of the role, if it has one.
        bucket_policy: of the bucket that is asked about; it must grant nothing.
    """
    may = {
        request
        for action, of_action in requests.items()
        if _names(identity, action)
        for request in of_action
        if _any(identity, "Allow", request)
    }
    if boundary is not None:
        may = {request for request in may if _any(boundary, "Allow", request)}
    for document in filter(None, (identity, boundary, bucket_policy)):
        may = {request for request in may if not _any(document, "Deny", request)}
    if bucket_policy is not None and any(statement["Effect"] == "Allow" for statement in bucket_policy["Statement"]):
        raise NotImplementedError("a bucket policy that grants something")
    return may


def may_assume(trust: Document, principal: str, context: Mapping[str, str]) -> bool:
    """Whether a principal, as AWS has bound it in the document, may assume the role of that trust policy."""
    return any(
        set(statement) <= {"Sid", "Effect", "Principal", "Action", "Condition"}
        and statement["Effect"] == "Allow"
        and statement["Principal"] == {"AWS": principal}
        and statement["Action"] == "sts:AssumeRole"
        and _holds(statement.get("Condition", {}), context)
        for statement in trust["Statement"]
    )


def _names(document: Document, action: str) -> bool:
    """Whether a statement allows the action on anything: most are named nowhere, and need no second look."""
    statements = (statement for statement in document["Statement"] if statement["Effect"] == "Allow")
    return any(_matches(pattern, action, True) for statement in statements for pattern in _list(statement["Action"]))


def _any(document: Document, effect: str, request: Request) -> bool:
    return any(_applies(statement, request) for statement in document["Statement"] if statement["Effect"] == effect)


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    if unknown := set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}:
        raise NotImplementedError(f"the element {unknown}")
    if statement.get("Principal", "*") != "*":
        raise NotImplementedError("a principal that is not everyone")
    return (
        any(_matches(pattern, request.action, True) for pattern in _list(statement["Action"]))
        and any(_matches(pattern, request.resource, False) for pattern in _list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), dict(request.context))
    )


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """All operators and keys have to hold; of a key's values one is enough; a key that is absent holds for none."""
    return all(
        any(_compare(operator, wanted, context.get(key.lower())) for wanted in _list(values))
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _compare(operator: str, wanted: str, actual: str | None) -> bool:
    if operator not in ("StringEquals", "StringLike", "IpAddress", "Bool"):
        raise NotImplementedError(f"the operator {operator}")
    if actual is None:
        return False
    if operator == "StringLike":
        return _matches(wanted, actual, False)
    if operator == "IpAddress":
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted)
    return wanted == actual


@cache
def _matches(pattern: str, text: str, ignore_case: bool) -> bool:
    """``*`` stands for any number of characters, also slashes, ``?`` for one."""
    if "${" in pattern:
        raise NotImplementedError("a policy variable")
    parts = [
        "[^\n]*" if part == "*" else "[^\n]" if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern)
    ]
    return re.fullmatch("".join(parts), text, re.IGNORECASE if ignore_case else 0) is not None


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
