"""The user's access keys: the stack's alone, young, in use, and described."""

from __future__ import annotations

from datetime import datetime, timedelta

from dataloop_sts.audit.facts import NO_STATE, Facts, Rule, Said, listed
from dataloop_sts.audit.finding import Check
from dataloop_sts.live import AccessKey, LastUse, Unseen, User

NONE = Check("key-none", "critical", "The user has no access key.", "Run `{up}`.")
HELD_GONE = Check(
    "key-held-gone",
    "critical",
    "The access key that Dataloop holds is not one of the user's.",
    "Run `{rotate}`, which hands a new key over.",
)
OTHER = Check(
    "key-other",
    "high",
    "The user has an access key that is not the stack's, or without a state more keys than the spec says.",
    "Find out who uses it, then: `aws iam delete-access-key --user-name {user} --access-key-id {key}`",
)
INACTIVE = Check(
    "key-inactive",
    "high",
    "The access key that Dataloop holds is switched off.",
    "`aws iam update-access-key --user-name {user} --access-key-id {key} --status Active`, or `{rotate}`.",
)
OLD = Check("key-old", "medium", "An active access key is older than --max-key-age.", "Run `{rotate}`.")
NEVER_USED = Check(
    "key-never-used",
    "low",
    "An active access key, made more than a day ago, was never used.",
    "See whether the connection is still needed; `{rotate}` replaces the key.",
)
IDLE = Check(
    "key-idle",
    "info",
    "An active access key has not been used for 30 days.",
    "See whether the connection is still needed.",
)
DESCRIPTION = Check(
    "key-description",
    "low",
    "An access key is not described as the spec says, so that nobody sees in the console what it is for.",
    "`aws iam tag-user --user-name {user} --tags Key={key},Value='{description}'`, or `{rotate}`.",
)

_NEW = timedelta(days=1)
_IDLE = timedelta(days=30)


def _judge(facts: Facts, user: User) -> Said:
    if isinstance(user.keys, Unseen):
        yield user.keys
        return
    recorded = facts.recorded
    known = recorded.access_key_ids if recorded else ()
    others = [key for key in user.keys if known and key.id not in known]
    yield from _number(facts, user, user.keys, others)
    for key in user.keys:
        if key not in others:
            yield from _one(facts, user, key)


def _number(facts: Facts, user: User, keys: tuple[AccessKey, ...], others: list[AccessKey]) -> Said:
    subject, recorded = f"user {user.name}", facts.recorded
    held = recorded.held_key_id if recorded else None
    for key in others:
        what = f"Access key {_described(facts, key)} is not the stack's."
        yield facts.found(OTHER, subject, what, user=user.name, key=key.id)
    expected = 2 if facts.spec.access_key.retiring else 1
    if not (recorded and recorded.access_key_ids) and len(keys) > expected:
        what = (
            f"It has {len(keys)} access keys, the spec says {expected}: {listed(_described(facts, k) for k in keys)}."
        )
        yield facts.found(OTHER, subject, what, user=user.name, key="ID")
    if not keys and not held:
        yield facts.found(NONE, subject, "It has no access key.")
    in_use = [key for key in keys if key.id == held] if held else list(keys)
    if in_use and not any(key.active for key in in_use):
        key = in_use[0]
        what = f"Access key {_described(facts, key)} is inactive."
        yield facts.found(INACTIVE, subject, what, user=user.name, key=key.id)


def _held(facts: Facts, user: User) -> Said:
    if isinstance(user.keys, Unseen):
        yield user.keys
        return
    if facts.recorded is None:
        yield NO_STATE
        return
    held, there = facts.recorded.held_key_id, [key.id for key in user.keys]
    if held and held not in there:
        what = f"Dataloop holds access key {held}; the user has {listed(there) or 'none'}."
        yield facts.found(HELD_GONE, f"user {user.name}", what)


def _one(facts: Facts, user: User, key: AccessKey) -> Said:
    subject = f"access key {key.id} of user {user.name}"
    age = _age(facts, key)
    if key.active and age > timedelta(days=facts.max_key_age_days):
        what = f"It is {age.days} days old; {facts.max_key_age_days} are allowed."
        yield facts.found(OLD, subject, what)
    if isinstance(key.last_used, Unseen):
        yield key.last_used
    elif key.active and key.last_used is None and age > _NEW:
        yield facts.found(NEVER_USED, subject, f"It was made on {_day(key.created)} and never used.")
    elif key.active and key.last_used and facts.now - key.last_used.at > _IDLE:
        yield facts.found(IDLE, subject, f"It was {_last_use(key.last_used)}.")
    wanted = facts.spec.access_key.description
    if key.description != wanted:
        what = f"Its description is {key.description or 'missing'}; the spec's: {wanted}."
        yield facts.found(DESCRIPTION, subject, what, user=user.name, key=key.id, description=wanted)


def _age(facts: Facts, key: AccessKey) -> timedelta:
    """Never negative: AWS's clock and this machine's may differ."""
    return max(facts.now - key.created, timedelta(0))


def _described(facts: Facts, key: AccessKey) -> str:
    used = "its last use could not be looked at"
    if key.last_used is None:
        used = "never used"
    elif isinstance(key.last_used, LastUse):
        used = _last_use(key.last_used)
    return f"{key.id} ({'active' if key.active else 'inactive'}, {_age(facts, key).days} days old, {used})"


def _last_use(use: LastUse) -> str:
    return f"last used on {_day(use.at)} for {use.service} in {use.region}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


RULES = (
    Rule((NONE, OTHER, INACTIVE, OLD, NEVER_USED, IDLE, DESCRIPTION), lambda facts: [facts.live.user], _judge),
    Rule((HELD_GONE,), lambda facts: [facts.live.user], _held),
)
