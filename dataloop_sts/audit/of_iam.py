"""What user, role and policy share: path, permissions boundary, tags; and the buckets' tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataloop_sts.audit.facts import Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.live import Bucket, Policy, Role, Unseen, User

NO_BOUNDARY = Check(
    "boundary-missing",
    "high",
    "The user or the role is without the permissions boundary that the spec says.",
    "Run `{up}`.",
)
BOUNDARY = Check(
    "boundary-other",
    "medium",
    "The user or the role has another permissions boundary than the spec says.",
    "Run `{up}`; or write that boundary into aws.permissions_boundary.",
)
PATH = Check(
    "iam-path",
    "low",
    "The user or the role is under another IAM path than the spec says.",
    "Correct aws.iam_path: AWS cannot move what is there.",
)
TAGS = Check("tags", "low", "A tag of the spec is missing, or has another value.", "Run `{up}`.")


def _boundary(facts: Facts, one: User | Role) -> Said:
    wanted, found = facts.spec.aws.permissions_boundary, one.boundary
    if wanted == found:
        return
    what = f"Its permissions boundary is {found or 'missing'}; the spec says {wanted or 'none'}."
    yield facts.found(BOUNDARY if found else NO_BOUNDARY, _name(one), what)


def _path(facts: Facts, one: User | Role) -> Said:
    if one.path != facts.spec.aws.iam_path:
        what = f"Its path is {one.path}; the spec says {facts.spec.aws.iam_path}."
        yield facts.found(PATH, _name(one), what)


def _tags(facts: Facts, one: User | Role | Policy | Bucket) -> Said:
    if isinstance(one.tags, Unseen):
        yield one.tags
        return
    found = one.tags
    wrong = [
        f"{key}={value} ({f'it is {found[key]}' if key in found else 'missing'})"
        for key, value in facts.spec.tags(facts.environment).items()
        if found.get(key) != value
    ]
    if wrong:
        yield facts.found(TAGS, _name(one), f"Not as the spec says: {listed(wrong)}.")


def _name(one: User | Role | Policy | Bucket) -> str:
    return f"{type(one).__name__.lower()} {one.name}"


def _user_and_role(facts: Facts) -> Iterable[User | Role | Unseen | None]:
    return [facts.live.user, facts.live.role]


def _tagged(facts: Facts) -> Iterable[User | Role | Policy | Bucket | Unseen | None]:
    managed = (facts.live.buckets.get(name) for name in facts.spec.managed_buckets)
    buckets = [bucket for bucket in managed if isinstance(bucket, Bucket | Unseen)]
    return [facts.live.user, facts.live.role, facts.live.policy, *buckets]


RULES: tuple[Rule[Any], ...] = (
    Rule[User | Role]((NO_BOUNDARY, BOUNDARY), _user_and_role, _boundary),
    Rule[User | Role]((PATH,), _user_and_role, _path),
    Rule[User | Role | Policy | Bucket]((TAGS,), _tagged, _tags),
)
