"""The role and its policy: what it may do is exactly what the spec says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataloop_sts import policies
from dataloop_sts.audit.facts import Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.audit.grants import Grant, as_list, grants, statements, uncovered
from dataloop_sts.live import Policy, Role, Unseen
from dataloop_sts.policies import Document
from dataloop_sts.revocation import REVOCATION_POLICY

MISSING = Check("role-missing", "critical", "The role is not there.", "Run `{up}`.")
WILDCARD = Check(
    "role-wildcard",
    "critical",
    "The role may do more than the spec says, by a wildcard: of actions, or beyond one bucket.",
    "Take it away: {way}.",
)
EXTRA = Check(
    "role-permission-extra", "high", "The role's own policy allows more than the spec says.", "Restore it: {way}."
)
LACKING = Check(
    "role-permission-missing",
    "high",
    "Something that the spec says is not allowed, or is denied.",
    "Run `{up}`; a policy that denies has to be taken off the role.",
)
OTHER_POLICY = Check(
    "role-policy-extra", "high", "Another policy than the spec's is on the role.", "Take it off the role: {way}."
)
REVOKED = Check(
    "role-sessions-revoked",
    "info",
    "Sessions from before a moment are refused, by the console's AWSRevokeOlderSessions or `dataloop-sts revoke`.",
    "Nothing needs to be done; once no old session can be alive, the policy can go: {way}.",
)
INSTANCE_PROFILE = Check(
    "role-instance-profile",
    "high",
    "The role is in an instance profile, so that machines can take it.",
    "`aws iam remove-role-from-instance-profile --role-name {role} --instance-profile-name {profile}`",
)
POLICY_MISSING = Check("policy-missing", "high", "The spec's policy is not there.", "Run `{up}`.")
POLICY_ELSEWHERE = Check(
    "policy-attached-elsewhere",
    "high",
    "The spec's policy is on somebody else too.",
    "`aws iam detach-{kind}-policy --{kind}-name {name} --policy-arn {policy}`",
)


@dataclass(frozen=True)
class _Source:
    """A policy on the role, and how it is mended."""

    name: str
    document: Document
    own: bool
    way: str


def _permissions(facts: Facts, role: Role) -> Said:
    subject = f"role {role.name}"
    wanted = grants(policies.permission_document(facts.spec))
    allowed: list[Grant] = []
    denied: list[Grant] = []
    complete = True
    sources = list(_sources(facts, role))
    for source in sources:
        if isinstance(source, Unseen):
            complete = False
            yield source
            continue
        revoked = _revoked_before(source)
        if revoked:
            what = f"Sessions from before {revoked} are refused."
            yield facts.found(REVOKED, subject, what, way=source.way)
            continue
        says = grants(source.document)
        allowed += says
        denied += grants(source.document, "Deny")
        yield from _beyond(facts, subject, source, uncovered(says, wanted))
    attached = any(isinstance(source, _Source) and source.own for source in sources)
    lacking = [*uncovered(wanted, allowed), *(w for w in wanted if any(d.touches(w) for d in denied))]
    if lacking and complete:
        why = "" if attached else f"Policy {facts.policy_arn} is not on the role. "
        yield facts.found(LACKING, subject, f"{why}Not allowed, or denied: {listed(dict.fromkeys(lacking))}.")


def _sources(facts: Facts, role: Role) -> Iterator[_Source | Unseen]:
    if isinstance(role.attached_policies, Unseen):
        yield role.attached_policies
    else:
        for policy in role.attached_policies:
            own = policy.arn == facts.policy_arn
            way = f"`aws iam detach-role-policy --role-name {role.name} --policy-arn {policy.arn}`"
            if isinstance(policy.document, Unseen):
                yield policy.document
            else:
                yield _Source(policy.arn, policy.document, own, f"`{facts.command('up --refresh')}`" if own else way)
    if isinstance(role.inline_policies, Unseen):
        yield role.inline_policies
    else:
        for name, document in role.inline_policies.items():
            way = f"`aws iam delete-role-policy --role-name {role.name} --policy-name {name}`"
            yield document if isinstance(document, Unseen) else _Source(name, document, False, way)


def _beyond(facts: Facts, subject: str, source: _Source, beyond: list[Grant]) -> Said:
    wild = [grant for grant in beyond if grant.wild]
    tame = [grant for grant in beyond if not grant.wild]
    if wild:
        what = f"Policy {source.name} allows {listed(wild)}."
        yield facts.found(WILDCARD, subject, what, way=source.way)
    if tame and source.own:
        what = f"Policy {source.name} allows {listed(tame)}."
        yield facts.found(EXTRA, subject, what, way=source.way)
    if not source.own and not wild:
        allows = f"; beyond the spec it allows {listed(tame)}" if tame else ""
        denies = grants(source.document, "Deny")
        refuses = f"; it denies {listed(denies)}" if denies else ""
        what = f"Policy {source.name} is on the role{allows}{refuses}."
        yield facts.found(OTHER_POLICY, subject, what, way=source.way)


def _revoked_before(source: _Source) -> str | None:
    """The moment of a revocation, where the policy is one, as the console writes it and nothing else.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
    """
    found = statements(source.document)
    if source.name != REVOCATION_POLICY or len(found) != 1:
        return None
    statement: Any = found[0]
    condition = statement.get("Condition", {})
    shape = (statement.get("Effect"), as_list(statement.get("Action")), as_list(statement.get("Resource")))
    if shape != ("Deny", ["*"], ["*"]) or list(condition) != ["DateLessThan"]:
        return None
    return str(condition["DateLessThan"].get("aws:TokenIssueTime", "")) or None


def _instance_profiles(facts: Facts, role: Role) -> Said:
    if isinstance(role.instance_profiles, Unseen):
        yield role.instance_profiles
        return
    for profile in role.instance_profiles:
        what = f"It is in instance profile {profile}."
        yield facts.found(INSTANCE_PROFILE, f"role {role.name}", what, role=role.name, profile=profile)


def _attachments(facts: Facts, policy: Policy) -> Said:
    if isinstance(policy.attached_to, Unseen):
        yield policy.attached_to
        return
    for bearer in policy.attached_to:
        kind, _, name = bearer.partition(" ")
        if (kind, name) != ("role", facts.names.role):
            what = f"It is attached to {bearer} as well."
            yield facts.found(POLICY_ELSEWHERE, f"policy {policy.name}", what, kind=kind, name=name, policy=policy.arn)


def _presence(facts: Facts, _: Facts) -> Said:
    if isinstance(facts.live.role, Unseen):
        yield facts.live.role
    elif facts.live.role is None:
        yield facts.found(MISSING, f"role {facts.names.role}", "There is no role of that name.")


def _policy_presence(facts: Facts, _: Facts) -> Said:
    if isinstance(facts.live.policy, Unseen):
        yield facts.live.policy
    elif facts.live.policy is None:
        yield facts.found(POLICY_MISSING, f"policy {facts.names.policy}", f"There is no {facts.policy_arn}.")


RULES = (
    Rule((MISSING,), lambda facts: [facts], _presence),
    Rule((POLICY_MISSING,), lambda facts: [facts], _policy_presence),
    Rule((WILDCARD, EXTRA, LACKING, OTHER_POLICY, REVOKED), lambda facts: [facts.live.role], _permissions),
    Rule((INSTANCE_PROFILE,), lambda facts: [facts.live.role], _instance_profiles),
    Rule((POLICY_ELSEWHERE,), lambda facts: [facts.live.policy], _attachments),
)
