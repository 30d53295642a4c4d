"""What forbids the adoption of a user, a role or a policy: that something else uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataloop_sts import policies
from dataloop_sts.adopted import FORMER_KEY
from dataloop_sts.adoption.groups import GroupPolicies
from dataloop_sts.adoption.known import Known
from dataloop_sts.adoption.report import Refusal
from dataloop_sts.adoption.rows import in_words
from dataloop_sts.audit.facts import Facts, listed
from dataloop_sts.audit.grants import grants, principals, statements
from dataloop_sts.live import Bucket, Policy, Role, Unseen, User
from dataloop_sts.policies import Document

_WIZARD = "ec2.amazonaws.com"
"""Whom the console's wizard for roles trusts."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html
_PATHS_OF_SERVICES = ("/aws-service-role/", "/service-role/")
_TOOL_TAGS = ("managed-by", "managedby", "managed_by")
_CLOUDFORMATION = "aws:cloudformation:stack-name"


def identity_refusals(facts: Facts, known: Known, groups: GroupPolicies) -> Iterator[Refusal]:
    """Every reason."""
    live = facts.live
    yield from _tools(facts)
    if isinstance(live.user, User):
        yield from _path(facts, "user", live.user.name, live.user.path)
        yield from _keys(facts, live.user, known)
        yield from _permissions(facts, live.user, groups)
    if isinstance(live.role, Role):
        yield from _path(facts, "role", live.role.name, live.role.path)
        yield from _role(facts, live.role)
    if isinstance(live.policy, Policy):
        yield from _attachments(facts, live.policy)


def _tools(facts: Facts) -> Iterator[Refusal]:
    live = facts.live
    things: dict[str, Mapping[str, str]] = {
        f"{type(each).__name__.lower()} {each.name}": each.tags
        for each in (live.user, live.role, live.policy, *live.buckets.values())
        if isinstance(each, User | Role | Policy | Bucket)
        and not isinstance(each.tags, Unseen)
        and (not isinstance(each, Bucket) or each.name in facts.spec.managed_buckets)
    }
    own = facts.spec.tags(facts.environment)
    for thing, tags in things.items():
        managers = [f"{key}={value}" for key, value in tags.items() if _is_a_managers(key, value, own)]
        if managers:
            message = (
                f"{thing[0].upper()}{thing[1:]} belongs to something else, as its tag {managers[0]} says: two tools "
                "would undo each other's changes. Let the other one give it up (and take the tag off), or give "
                "another name."
            )
            yield Refusal(
                path="aws.names" if not thing.startswith("bucket") else "drivers[].bucket.name", message=message
            )


def _is_a_managers(key: str, value: str, own: Mapping[str, str]) -> bool:
    if key.startswith("dataloop-sts:") or key.lower() in _TOOL_TAGS:
        return own.get(key) != value
    return key == _CLOUDFORMATION


def _path(facts: Facts, kind: str, name: str, path: str) -> Iterator[Refusal]:
    if path.startswith(_PATHS_OF_SERVICES):
        message = f"{kind.capitalize()} {name} is under {path}, so a service of AWS uses it: give another name."
        yield Refusal(path=f"aws.names.{kind}", message=message)
    elif path != facts.spec.aws.iam_path:
        message = f"{kind.capitalize()} {name} is under {path}, the spec says {facts.spec.aws.iam_path}: correct it."
        yield Refusal(path="aws.iam_path", message=message)


def _keys(facts: Facts, user: User, known: Known) -> Iterator[Refusal]:
    keys = () if isinstance(user.keys, Unseen) else user.keys
    others = [key for key in keys if key.id not in known.access_keys]
    room = 1 if FORMER_KEY not in known.access_keys.values() else 0
    if len(others) <= room:
        return
    described = "; ".join(f"{key.id} ({in_words(facts, key)})" for key in others)
    left = " One that an interrupted run left: `dataloop-sts repair`." if known.access_keys else ""
    message = (
        f"User {user.name} has {len(keys)} access keys, and IAM has no room for the new one: {described}. Find out "
        f"which one Dataloop does not hold, and delete it: aws iam delete-access-key --user-name {user.name} "
        f"--access-key-id ID.{left}"
    )
    yield Refusal(path="aws.names.user", message=message)


def _permissions(facts: Facts, user: User, groups: GroupPolicies) -> Iterator[Refusal]:
    """A user who reaches the buckets without the role would fail the verification, in the middle of the adoption."""
    wanted = grants(policies.permission_document(facts.spec))
    found: dict[str, tuple[Document | Unseen, str]] = {}
    for group, documents in groups.items():
        way = f"aws iam remove-user-from-group --user-name {user.name} --group-name {group}"
        found |= {f"{number} of group {group}": (each, way) for number, each in enumerate(documents, 1)}
    if not isinstance(user.inline_policies, Unseen):
        for name, document in user.inline_policies.items():
            found[name] = document, f"aws iam delete-user-policy --user-name {user.name} --policy-name {name}"
    if not isinstance(user.attached_policies, Unseen):
        for policy in user.attached_policies:
            way = f"aws iam detach-user-policy --user-name {user.name} --policy-arn {policy.arn}"
            found[policy.arn] = policy.document, way
    for name, (document, way) in found.items():
        if isinstance(document, Unseen):
            continue
        if any(grant.touches(each) for grant in grants(document) for each in wanted):
            message = (
                f"User {user.name} reaches the buckets without the role, by policy {name}, and the verification would "
                f"refuse that: {way}"
            )
            yield Refusal(path="aws.names.user", message=message)


def _role(facts: Facts, role: Role) -> Iterator[Refusal]:
    path = "aws.names.role"
    profiles = () if isinstance(role.instance_profiles, Unseen) else role.instance_profiles
    others = [name for name in profiles if name != role.name]  # the wizard's has the role's name
    if others:
        message = f"Role {role.name} is in instance profile {listed(others)}, so machines use it: give another role."
        yield Refusal(path=path, message=message)
    users = sorted({name for name in _trusted(role) if _uses(facts, *name)})
    if users:
        named = listed(name for _, name in users)
        message = f"Role {role.name} trusts {named} as well, so something else uses it: give another role."
        if not facts.live.user and len(users) == 1 and ":user/" in named:
            name = named.rpartition("/")[2]
            message = f"There is no user {facts.names.user}, and role {role.name} trusts {named}: is that {name!r}?"
            path = "aws.names.user"
        yield Refusal(path=path, message=message)
    attached = () if isinstance(role.attached_policies, Unseen) else role.attached_policies
    mine = [each.arn for each in attached if facts.live.account_id in each.arn]
    if not facts.live.policy and mine:
        message = f"There is no policy {facts.policy_arn}, and role {role.name} has {listed(mine)}: write its name."
        yield Refusal(path="aws.names.policy", message=message)


def _trusted(role: Role) -> Iterator[tuple[str, str]]:
    for statement in statements(role.trust):
        if statement.get("Effect") == "Allow":
            yield from principals(statement)


def _uses(facts: Facts, kind: str, name: str) -> bool:
    """Whether a principal is somebody of this account, or a service: one who would stop working without a word.

    Another account, everyone, and what the wizard leaves are dangers, and go.
    """
    if kind == "Service":
        return name != _WIZARD
    if kind != "AWS":
        return True
    of_this_account = f":iam::{facts.live.account_id}:" in name
    return of_this_account and name != facts.user_arn and not name.endswith(":root")


def _attachments(facts: Facts, policy: Policy) -> Iterator[Refusal]:
    bearers = () if isinstance(policy.attached_to, Unseen) else policy.attached_to
    others = [bearer for bearer in bearers if bearer != f"role {facts.names.role}"]
    if others:
        message = (
            f"Policy {policy.name} is on {listed(others)} too, and a change of it would change what they may do: take "
            "it off them, or give another name."
        )
        yield Refusal(path="aws.names.policy", message=message)
