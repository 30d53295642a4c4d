"""What the rules of an audit judge by: the spec, what is live, what the stack remembers, and the day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from dataloop_sts import naming, regions
from dataloop_sts.audit.finding import STATE, Check, Finding
from dataloop_sts.live import Live, Unseen, User
from dataloop_sts.spec import ConnectionSpec

P = TypeVar("P")
Said = Iterator[Finding | Unseen]
"""What a rule says: findings, and what it could not look at."""


NO_STATE = Unseen(
    unseen="what the stack remembers, and what its access key may do",
    needs=STATE,
    reason="The stack was not asked, or there is none.",
)


class Recorded(BaseModel):
    """What the stack's state says about the connection; None where it says nothing."""

    model_config = ConfigDict(frozen=True)

    user_unique_id: str | None = None
    role_unique_id: str | None = None
    access_key_ids: tuple[str, ...] = ()
    """All keys of the stack, also one that is kept for a grace period."""
    held_key_id: str | None = None
    """The key that Dataloop holds."""
    integration_id: str | None = None
    integration_updated_at: str | None = None
    """The platform's ``updatedAt`` of the stack's last write."""
    driver_ids: dict[str, str] = {}
    """By the driver's name."""


@dataclass(frozen=True)
class Facts:
    """Everything a rule knows.

    Attributes:
        spec, environment: what is to be.
        live: what is.
        now: the day of the audit, with its time zone.
        max_key_age_days: from when on an access key is old.
        recorded: what the stack remembers; None without a stack, or where it is not to be asked.
        customer: how the commands name the connection; None for the environment's own stack.
    """

    spec: ConnectionSpec
    environment: str
    live: Live
    now: datetime
    max_key_age_days: int
    recorded: Recorded | None = None
    customer: str | None = None

    @property
    def names(self) -> naming.Names:
        """The names of the spec."""
        return self.spec.names(self.environment)

    @property
    def user_arn(self) -> str:
        """The user's ARN, as it is, or as it would be."""
        if isinstance(self.live.user, User):
            return self.live.user.arn
        aws = self.spec.aws
        return regions.user_arn(aws.partition, self.live.account_id, self.names.user, aws.iam_path)

    @property
    def policy_arn(self) -> str:
        """The ARN of the spec's policy."""
        aws = self.spec.aws
        return regions.policy_arn(aws.partition, self.live.account_id, self.names.policy, aws.iam_path)

    def command(self, words: str) -> str:
        """A command of ours about this connection, for example ``dataloop-sts -e prod up acme``."""
        return " ".join(filter(None, ("dataloop-sts -e", self.environment, words, self.customer)))

    def found(self, check: Check, subject: str, what: str, **names: str) -> Finding:
        """A finding; ``names`` stand in the mend."""
        names |= {"up": self.command("up --refresh"), "rotate": self.command("rotate")}
        mend = check.mend.format_map(names)
        return Finding(check=check.id, severity=check.severity, subject=subject, what=what, mend=mend)


@dataclass(frozen=True)
class Rule(Generic[P]):
    """Judges one kind of thing.

    Attributes:
        checks: all that it may find.
        parts: the things it judges; one that may not be seen is told, one that is not there is another rule's matter.
        judge: says what is wrong with one of them.
    """

    checks: tuple[Check, ...]
    parts: Callable[[Facts], Iterable[P | Unseen | None]]
    judge: Callable[[Facts, P], Said]

    def run(self, facts: Facts) -> Said:
        """Judges all of them."""
        for part in self.parts(facts):
            if isinstance(part, Unseen):
                yield part
            elif part is not None:
                yield from self.judge(facts, part)


def listed(items: Iterable[object], most: int = 5) -> str:
    """The items for a sentence, at most so many."""
    texts = [str(item) for item in items]
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
