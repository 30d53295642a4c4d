"""What makes a hand-made set-up less safe than the spec says: found by the audit's rules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from dataloop_sts.adoption.report import Danger
from dataloop_sts.audit import of_buckets, of_keys, of_role, of_trust, of_user, on_dataloop
from dataloop_sts.audit.facts import Facts
from dataloop_sts.audit.finding import Check, Finding, worst_first
from dataloop_sts.live import LiveDriver

_MENDED = "The adoption mends it."
_REPLACED = "The adoption replaces the key."
# By the check: what becomes of it; None where it stays, and people have to mend it
_BECOMES: dict[Check, str | None] = {
    of_trust.EVERYONE: _MENDED,
    of_trust.OTHER_ACCOUNT: _MENDED,
    of_trust.SERVICE: _MENDED,
    of_trust.OTHER: _MENDED,
    of_trust.ORPHANED: _MENDED,
    of_trust.ACTION: _MENDED,
    of_role.WILDCARD: _MENDED,
    of_role.EXTRA: _MENDED,
    of_role.OTHER_POLICY: _MENDED,
    of_role.INSTANCE_PROFILE: None,
    of_role.POLICY_ELSEWHERE: None,
    of_user.PERMISSION: None,
    of_user.GROUP: None,
    of_user.CONSOLE: None,
    of_user.CREDENTIAL: None,
    of_user.MFA: None,
    of_keys.OLD: _REPLACED,
    of_keys.NEVER_USED: _REPLACED,
    of_keys.INACTIVE: _REPLACED,
    of_buckets.PUBLIC: _MENDED,
    of_buckets.BLOCK: _MENDED,
    on_dataloop.DELETES: _MENDED,
}
_RULES = (
    *of_buckets.RULES,
    *of_trust.RULES,
    *of_role.RULES,
    *of_user.RULES,
    *of_keys.RULES,
    *on_dataloop.RULES,
)


def dangers(facts: Facts) -> Iterator[Danger]:
    """The dangers, the worst first."""
    becomes = {check.id: what for check, what in _BECOMES.items()}
    said = chain.from_iterable(rule.run(facts) for rule in _RULES)
    for finding in worst_first([each for each in said if isinstance(each, Finding)]):
        if finding.check not in becomes or _is_no_danger(facts, finding):
            continue
        mend = finding.mend
        yield Danger(
            check=finding.check,
            severity=finding.severity,
            subject=finding.subject,
            what=finding.what,
            becomes=becomes[finding.check] or f"It stays. {mend[0].upper()}{mend[1:]}",
        )


def _is_no_danger(facts: Facts, finding: Finding) -> bool:
    """A driver that may not delete although the spec says so is a difference, and safe."""
    if finding.check != on_dataloop.DELETES.id:
        return False
    live = facts.live.drivers.get(finding.subject.removeprefix("driver "))
    return isinstance(live, LiveDriver) and live.driver.allow_delete is False
