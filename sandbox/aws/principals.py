"""Who makes a request, and how a policy names them.

AWS binds a user or role to its unique id when a policy is saved, shows the ARN while that very user or role exists,
and the id once it is gone. `bind` and `show` do that, for trust policies and bucket policies alike.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.aws.conditions import PolicyError

Document = dict[str, Any]

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:[a-z-]+:iam::\d{12}:root")
_IDENTITY = re.compile(r"arn:[a-z-]+:iam::\d{12}:(user|role)/[^*?]+")
_SESSION = re.compile(r"arn:[a-z-]+:sts::\d{12}:assumed-role/[^/*?]+/[^/*?]+")
_UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]+")


class InvalidPrincipalError(PolicyError):
    """A policy that is being saved names a principal that does not exist, or that AWS does not accept."""


@dataclass(frozen=True)
class Principal:
    """A caller. `arn` is what GetCallerIdentity says; `identity_arn` the user's, or the role's behind a session."""

    kind: Literal["user", "session", "anonymous"]
    account: str = ""
    arn: str = ""
    identity_arn: str = ""
    unique_id: str = ""
    user_id: str = ""

    @property
    def name(self) -> str:
        """The name of the user, or of the role behind the session."""
        return self.identity_arn.rsplit("/", 1)[-1]


ANONYMOUS = Principal("anonymous")


def account_of(arn: str) -> str:
    """Return the account id in an ARN ("" where it has none)."""
    return arn.split(":", 5)[4] if arn.count(":") >= 5 else ""


def bind(document: Document, partition: str, unique_id_of: Callable[[str], str | None]) -> Document:
    """Return the document as AWS stores it: users and roles by unique id, accounts by the ARN of their root.

    unique_id_of: the unique id for the ARN, or for the unique id, of a user or role that exists; else None.
    Raises InvalidPrincipalError.
    """

    def bound(name: str) -> str:
        if _ACCOUNT.fullmatch(name):
            return f"arn:{partition}:iam::{name}:root"
        if name == "*" or _ROOT.fullmatch(name) or _SESSION.fullmatch(name):
            return name
        unique_id = unique_id_of(name) if _IDENTITY.fullmatch(name) or _UNIQUE_ID.fullmatch(name) else None
        if unique_id is None:
            raise InvalidPrincipalError(f'Invalid principal in policy: "AWS":"{name}"')
        return unique_id

    return _with_principals(document, bound)


def show(bound: Document, arn_of: Callable[[str], str | None]) -> Document:
    """Return a bound document as AWS shows it. arn_of: the ARN for a unique id, or None once its bearer is gone."""
    return _with_principals(bound, lambda name: (_UNIQUE_ID.fullmatch(name) and arn_of(name)) or name)


def _with_principals(document: Document, change: Callable[[str], str]) -> Document:
    changed = deepcopy(document)
    statements = changed.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") if isinstance(statement, dict) else None
        if isinstance(principal, dict) and "AWS" in principal:
            names = principal["AWS"]
            principal["AWS"] = [change(str(name)) for name in names] if isinstance(names, list) else change(str(names))
    return changed
