"""What an audit asks by real calls: does Dataloop's TEST pass now, and is the role refused what it must be refused?

Nothing is written for it, but for what TEST itself leaves in a driver's folder, as ever (``test-file``).
"""

from __future__ import annotations

from collections.abc import Iterable

from dataloop_sts.audit.facts import NO_STATE, Facts, Rule, Said
from dataloop_sts.audit.finding import ADDRESS, Check
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DriverTestFailed, NotFound
from dataloop_sts.live import LiveDriver, Unseen
from dataloop_sts.steps.verify import ALLOWED, VerificationRequest, verify
from dataloop_sts.steps.verify import Check as Tried

ASSUME = Check(
    "call-assume-role",
    "critical",
    "The stack's access key cannot assume the role.",
    "See the findings about the trust and the access key; `{up}` mends both.",
)
REFUSED = Check(
    "call-refused",
    "critical",
    "A call that must be refused goes through: the role deletes, or reaches outside its folder; or the user does "
    "something without the role.",
    "See the findings about the role, the user and the bucket's policy; `{up}` restores what the stack manages.",
)
LISTING = Check(
    "call-list",
    "high",
    "The role may not list what it must.",
    "See the findings about the role; else look for a service control policy, a boundary or a bucket policy.",
)
TEST = Check(
    "driver-test",
    "critical",
    "Dataloop's TEST of a driver fails.",
    "See the other findings. `{verify}` tries each step; `{up}` writes the credentials again.",
)


def _kind(tried: Tried) -> Check | None:
    """What a call shows that did not end as it must; None where its answer shows nothing of that."""
    if tried.expected != ALLOWED:
        return REFUSED if tried.actual.startswith(ALLOWED) else None
    if tried.actual.endswith("Error"):  # botocore's names for no answer, and AWS's for a failure of its own
        return None
    return LISTING if ": " in tried.name else ASSUME


def rules(
    request: VerificationRequest | None, client: DataloopClient
) -> tuple[Rule[VerificationRequest], Rule[LiveDriver]]:
    """The rules that make calls; without the stack's access key they say that they were not looked at.

    Args:
        request: what the stack's verification tried, with the key.
        client: a client of Dataloop.
    """

    def as_the_role(facts: Facts, asked: VerificationRequest) -> Said:
        checks = verify(asked, seconds=0, writing=False).checks
        if checks[0].ok and checks[0].expected != ALLOWED:
            yield Unseen(unseen="what the role may do, by real calls", needs=ADDRESS, reason=checks[0].actual)
        for check in checks:
            if check.ok:
                continue
            if kind := _kind(check):
                what = f"{check.name}: {check.actual}; it must be {check.expected}."
                yield facts.found(kind, f"role {facts.names.role}", what)
            else:
                yield Unseen(unseen=f"by a call, {check.name}", needs="an answer of AWS", reason=check.actual)

    def test(facts: Facts, live: LiveDriver) -> Said:
        try:
            client.test_driver(live.driver.id)
        except (DriverTestFailed, NotFound) as error:
            what = f"Dataloop says: {error.message or error.status}."
            yield facts.found(TEST, f"driver {live.driver.name}", what, verify=facts.command("verify"))

    def drivers(facts: Facts) -> Iterable[LiveDriver | Unseen | None]:
        return facts.live.drivers.values() if request else [NO_STATE]

    return (
        Rule((ASSUME, REFUSED, LISTING), lambda _: [request or NO_STATE], as_the_role),
        Rule((TEST,), drivers, test),
    )
