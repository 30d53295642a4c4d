"""AWS's policy evaluation logic, as pure functions.

Explicit deny first; then identity policies, permissions boundary, session policy and resource policy (a bucket's, a
KMS key's, or a role's trust policy), within one account and across two. What cannot be evaluated is refused.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from sandbox.aws.conditions import Context, PolicyError, check, holds, matches
from sandbox.aws.principals import Document, Principal, account_of

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


@dataclass(frozen=True)
class Access:
    """One action on one resource by one principal.

    action: "service:Name". resource: an ARN, or "*" for an action without a resource. resource_account: its owner.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Policies:
    """The documents that bear on an access; None where there is no such policy.

    resource: a bucket policy, trust policy or key policy, its principals bound to unique ids (see principals.bind).
    is_trust: the resource policy is a role's trust policy: it has no Resource element, and no access exists without it.
    is_key: it is a KMS key's policy: no access exists without it, and it hands the decision to the identity policies
    only where it names the account.
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam
    """

    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    session: Document | None = None
    resource: Document | None = None
    is_trust: bool = False
    is_key: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether the access is allowed, and the reason in AWS's words where it is not."""

    allowed: bool
    reason: str = ""


class _Grant(Enum):
    """How a resource policy names the caller; it decides what else has to allow."""

    DIRECT = "the user, or the session, itself"
    ROLE = "the role behind the session"
    PUBLIC = "everyone"
    ACCOUNT = "the caller's account, which hands the decision to the caller's own policies"


def evaluate(access: Access, policies: Policies) -> Decision:
    """Decide an access. A policy that cannot be evaluated refuses it, with the problem as the reason."""
    try:
        return _evaluate(access, policies)
    except PolicyError as problem:
        return Decision(False, f"because a policy that applies cannot be evaluated: {problem}")


def validate(document: object, *, is_trust: bool) -> None:
    """Raise PolicyError for a resource policy that AWS would not save, or that could not be evaluated later."""
    if not isinstance(document, dict) or not document.get("Statement"):
        raise PolicyError("Syntax errors in policy.")
    anyone = Principal("anonymous")
    for effect in ("Allow", "Deny"):
        for statement in _statements(document, effect):
            if "Principal" not in statement:
                raise PolicyError("Missing required field Principal")
            _named(statement["Principal"], anyone)
            for element in ("Action",) if is_trust else ("Action", "Resource"):
                _element_matches(statement, element, "", {}, variables=False)
            check(statement.get("Condition", {}))


def _evaluate(access: Access, policies: Policies) -> Decision:
    kinds: list[tuple[str, list[Document]]] = [
        ("an identity-based policy", list(policies.identity)),
        ("a permissions boundary", _present(policies.boundary)),
        ("a session policy", _present(policies.session)),
    ]
    for kind, documents in kinds:
        if any(_identity_statements(document, access, "Deny") for document in documents):
            return Decision(False, f"with an explicit deny in {kind}")
    resource_kind = "a resource-based policy"
    if policies.resource is not None and _grants(policies.resource, access, "Deny", policies.is_trust):
        return Decision(False, f"with an explicit deny in {resource_kind}")

    grants: set[_Grant] = set()
    if policies.resource is not None:
        grants = _grants(policies.resource, access, "Allow", policies.is_trust)
    nothing = (
        f"because no {'resource' if policies.is_trust else 'identity'}-based policy allows the {access.action} action"
    )
    if access.principal.kind == "anonymous":
        return Decision(True) if _Grant.PUBLIC in grants else Decision(False, nothing)

    same_account = access.principal.account == access.resource_account
    if same_account and _Grant.DIRECT in grants:
        # What names the user or the session itself is not limited by what a boundary or session policy leaves out.
        return Decision(True)
    if not grants and (policies.is_trust or policies.is_key or not same_account):
        return Decision(False, f"because no resource-based policy allows the {access.action} action")
    granted = same_account and bool(grants & {_Grant.ROLE, _Grant.PUBLIC})
    if not granted and not any(_identity_statements(document, access, "Allow") for document in policies.identity):
        return Decision(False, f"because no identity-based policy allows the {access.action} action")
    for kind, document in (("permissions boundary", policies.boundary), ("session policy", policies.session)):
        if document is not None and not _identity_statements(document, access, "Allow"):
            return Decision(False, f"because no {kind} allows the {access.action} action")
    return Decision(True)


def _present(document: Document | None) -> list[Document]:
    return [] if document is None else [document]


def _identity_statements(document: Document, access: Access, effect: str) -> bool:
    """Tell whether a statement of this effect, in a policy without principals, applies."""
    for statement in _statements(document, effect):
        if "Principal" in statement:
            raise PolicyError("an identity-based policy has no Principal")
        if _applies(statement, document, access, has_resource=True):
            return True
    return False


def _grants(document: Document, access: Access, effect: str, is_trust: bool) -> set[_Grant]:
    """Return the ways in which applying statements of this effect name the caller."""
    grants: set[_Grant] = set()
    for statement in _statements(document, effect):
        if "Principal" not in statement:
            raise PolicyError("a resource-based policy needs a Principal")
        named = _named(statement["Principal"], access.principal)
        if named and _applies(statement, document, access, has_resource=not is_trust):
            grants |= named
    return grants


def _statements(document: Document, effect: str) -> Iterator[Mapping[str, object]]:
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, Mapping):
            raise PolicyError("a statement is not an object")
        if unknown := statement.keys() - _ELEMENTS:
            raise PolicyError(f"the element {sorted(unknown)[0]} is not known")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise PolicyError("Effect is neither Allow nor Deny")
        if statement["Effect"] == effect:
            yield statement


def _applies(statement: Mapping[str, object], document: Document, access: Access, *, has_resource: bool) -> bool:
    variables = document.get("Version") == "2012-10-17"
    return (
        _element_matches(statement, "Action", access.action, {}, variables=False, ignore_case=True)
        and (
            not has_resource
            or _element_matches(statement, "Resource", access.resource, access.context, variables=variables)
        )
        and holds(statement.get("Condition", {}), access.context, variables=variables)
    )


def _element_matches(
    statement: Mapping[str, object],
    element: str,
    value: str,
    context: Context,
    *,
    variables: bool,
    ignore_case: bool = False,
) -> bool:
    negated = f"Not{element}" in statement
    if negated == (element in statement):
        raise PolicyError(f"a statement needs either {element} or Not{element}")
    found = any(
        matches(pattern, value, context, variables=variables, ignore_case=ignore_case)
        for pattern in _as_list(statement[f"Not{element}" if negated else element])
    )
    return found is not negated


def _named(entry: object, principal: Principal) -> set[_Grant]:
    if entry == "*":
        return {_Grant.PUBLIC}
    if not isinstance(entry, Mapping) or entry.keys() - {"AWS", "Service", "Federated"}:
        raise PolicyError("Principal is neither * nor an object of AWS, Service or Federated")
    grants: set[_Grant] = set()
    for name in _as_list(entry.get("AWS", [])):
        if name == "*":
            grants.add(_Grant.PUBLIC)
        elif principal.kind == "anonymous":
            continue
        elif name == (principal.unique_id if principal.kind == "user" else principal.arn):
            grants.add(_Grant.DIRECT)
        elif name == principal.unique_id:
            grants.add(_Grant.ROLE)
        elif name.endswith(":root") and account_of(name) == principal.account:
            grants.add(_Grant.ACCOUNT)
    return grants


def _as_list(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    texts = [item for item in listed if isinstance(item, str)]
    if len(texts) != len(listed):
        raise PolicyError("an element holds something other than text")
    return texts
