"""What is live against what the stack remembers: the account, and the ids behind the names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dataloop_sts.audit.facts import NO_STATE, Facts, Recorded, Rule, Said
from dataloop_sts.audit.finding import Check
from dataloop_sts.live import LiveDriver, LiveIntegration, Role, Unseen, User

ACCOUNT = Check(
    "account-other",
    "critical",
    "The AWS credentials are of another account than the spec's, so that nothing of AWS was looked at.",
    "Use credentials of account {account}, or correct aws.account_id.",
)
OTHER_ID = Check(
    "state-other-id",
    "high",
    "Something was deleted and made anew by somebody else: the stack knows it under another id.",
    "Run `{up}`, which takes what is live into the state and mends what depends on it.",
)
KEY_GONE = Check(
    "state-key-gone",
    "medium",
    "An access key of the stack, other than the one that Dataloop holds, is not there any more.",
    "Run `{up}`.",
)


def _account(facts: Facts, _: Facts) -> Said:
    wanted, found = facts.spec.aws.account_id, facts.live.account_id
    if wanted and wanted != found:
        what = f"They are of account {found}; the spec says {wanted}."
        yield facts.found(ACCOUNT, "AWS credentials", what, account=wanted)


def _ids(facts: Facts, recorded: Recorded) -> Said:
    for subject, known, live in _known_and_live(facts, recorded):
        if known and live and known != live:
            yield facts.found(OTHER_ID, subject, f"The stack knows it as {known}; it is {live} now.")


def _known_and_live(facts: Facts, recorded: Recorded) -> Iterator[tuple[str, str | None, str | None]]:
    live = facts.live
    if isinstance(live.user, User):
        yield f"user {live.user.name}", recorded.user_unique_id, live.user.unique_id
    if isinstance(live.role, Role):
        yield f"role {live.role.name}", recorded.role_unique_id, live.role.unique_id
    if isinstance(live.integration, LiveIntegration):
        integration = live.integration.integration
        yield f"integration {integration.name}", recorded.integration_id, integration.id
    for name, driver in live.drivers.items():
        if isinstance(driver, LiveDriver):
            yield f"driver {name}", recorded.driver_ids.get(name), driver.driver.id


def _keys(facts: Facts, recorded: Recorded) -> Said:
    user = facts.live.user
    if not isinstance(user, User) or isinstance(user.keys, Unseen):
        return
    there = {key.id for key in user.keys}
    for key in recorded.access_key_ids:
        if key not in there and key != recorded.held_key_id:
            what = f"Access key {key} is in the state, and not on the user."
            yield facts.found(KEY_GONE, f"user {user.name}", what)


def _state(facts: Facts) -> Iterable[Recorded | Unseen]:
    return [facts.recorded or NO_STATE]


RULES = (
    Rule((ACCOUNT,), lambda facts: [facts], _account),
    Rule((OTHER_ID,), _state, _ids),
    Rule((KEY_GONE,), _state, _keys),
)
