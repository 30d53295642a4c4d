"""The role's trust policy: the one user may assume the role, and nobody else.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dataloop_sts import policies
from dataloop_sts.audit.facts import Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.audit.grants import as_list, conditions, principals, statements
from dataloop_sts.live import Role, User

_SAVE = "Run `{up}`, which saves the spec's trust policy (`dataloop-sts policies` prints it)."
EVERYONE = Check("trust-everyone", "critical", "Everyone may assume the role.", _SAVE)
OTHER_ACCOUNT = Check("trust-other-account", "critical", "Another account may assume the role.", _SAVE)
SERVICE = Check(
    "trust-service",
    "high",
    "A service of AWS may assume the role, such as EC2, which the console's wizard leaves there.",
    _SAVE,
)
OTHER = Check("trust-other-principal", "high", "Another user or role, the account, or a provider may assume it.", _SAVE)
ORPHANED = Check(
    "trust-orphaned",
    "high",
    "The trust names somebody who was deleted: AWS shows the unique id (AIDA..., AROA...) in place of the ARN. A user "
    "made anew under the same name is locked out.",
    _SAVE,
)
USER_MISSING = Check("trust-user-missing", "high", "The user may not assume the role.", _SAVE)
CONDITION = Check("trust-condition", "medium", "The user's trust has other conditions than the spec says.", _SAVE)
ACTION = Check("trust-action", "medium", "The trust allows more than sts:AssumeRole.", _SAVE)
DENY = Check("trust-deny", "medium", "The trust has a statement that denies.", _SAVE)

_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")


def _judge(facts: Facts, role: Role) -> Said:
    subject = f"role {role.name}"
    trusted = orphaned = False
    for statement in statements(role.trust):
        if statement.get("Effect") == "Deny":
            whom = listed(f"{kind} {name}" for kind, name in principals(statement))
            yield facts.found(DENY, subject, f"The trust policy denies {listed(_actions(statement))} to {whom}.")
            continue
        for kind, name in principals(statement):
            if (kind, name) == ("AWS", facts.user_arn):
                trusted = trusted or any(
                    re.fullmatch(r"(?i)sts:(assumerole|\*)|\*", each) for each in _actions(statement)
                )
                yield from _conditions(facts, subject, statement)
                continue
            check = _check_of(kind, name, facts.live.account_id)
            orphaned = orphaned or check is ORPHANED
            yield facts.found(
                check, subject, f"The trust policy names {kind} {name}{_if(statement)}{_instead(facts, check)}."
            )
        more = [action for action in _actions(statement) if action.lower() != "sts:assumerole"]
        if more:
            yield facts.found(ACTION, subject, f"The trust policy allows {listed(more)}.")
    if not trusted and not orphaned:
        yield facts.found(USER_MISSING, subject, f"The trust policy does not name {facts.user_arn}.")


def _if(statement: Mapping[str, Any]) -> str:
    limits = conditions(statement)
    return f" if {' and '.join(map(str, limits))}" if limits else ""


def _check_of(kind: str, name: str, account: str) -> Check:
    if name == "*":
        return EVERYONE
    if kind == "Service":
        return SERVICE
    if kind != "AWS":
        return OTHER
    if _UNIQUE_ID.fullmatch(name):
        return ORPHANED
    return OTHER if account in name.split(":") else OTHER_ACCOUNT


def _instead(facts: Facts, check: Check) -> str:
    if check is not ORPHANED:
        return ""
    user = facts.live.user
    now = f"; user {user.name} is {user.unique_id} now" if isinstance(user, User) else ""
    return f", who was deleted{now}"


def _conditions(facts: Facts, subject: str, statement: Mapping[str, Any]) -> Said:
    document = policies.trust_document(facts.user_arn, source_ips=facts.spec.aws.trust_source_ips)
    wanted, found = conditions(document["Statement"][0]), conditions(statement)
    if set(wanted) != set(found):
        is_so, should = (" and ".join(map(str, limits)) or "none" for limits in (found, wanted))
        what = f"The condition for {facts.user_arn} is: {is_so}; the spec's: {should}."
        yield facts.found(CONDITION, subject, what)


def _actions(statement: Mapping[str, Any]) -> list[str]:
    return [str(action) for action in as_list(statement.get("Action", "*"))]  # NotAction is everything but some


RULES = (
    Rule(
        (EVERYONE, OTHER_ACCOUNT, SERVICE, OTHER, ORPHANED, USER_MISSING, CONDITION, ACTION, DENY),
        lambda facts: [facts.live.role],
        _judge,
    ),
)
