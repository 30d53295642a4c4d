"""What a reviewer has to look at in a change of one customer, in words; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from automation.pull_request.changes import Change
from automation.results import Step


@dataclass(frozen=True)
class Risk:
    """One sentence for the reviewer.

    Attributes:
        level: ``risky`` decides the verdict; a ``note`` is only told.
        what: the sentence, with the customer's own names.
    """

    level: Literal["risky", "note"]
    what: str


def risks(change: Change, steps: Sequence[Step], *, environment: str) -> tuple[Risk, ...]:
    """The risks of a change, the risky ones first.

    Args:
        change: the customer's.
        steps: of its preview; none where it could not be previewed.
        environment: the environment's name, from which names derive.
    """
    found = list(dict.fromkeys(_of_steps(change, steps, environment)))
    return tuple(sorted(found, key=lambda risk: risk.level != "risky"))


def _of_steps(change: Change, steps: Sequence[Step], environment: str) -> Iterator[Risk]:
    for step in steps:
        if step.operation in ("delete", "replace"):
            yield Risk("risky", f"{step.resource} of {change.customer} in {environment} would be {step.operation}d")
