"""Puts customers together to whom the same would be done, so that it is told once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from automation.pull_request.changes import Change
from automation.pull_request.differences import Difference, differences
from automation.pull_request.document import counts, sorted_steps
from automation.pull_request.preview import Previewed
from automation.results import Step
from dataloop_sts.spec import ConnectionSpec


@dataclass(frozen=True)
class Same:
    """What would be done to a customer, and what is to be said of it; in general words where it is of many.

    Attributes:
        kind: of the change.
        counts: of resources, by kind.
        differing: the values of the spec that differ, each with its path.
        steps: what would be done to which resource.
        risky, notes: what a reviewer has to look at, and what is only told.
        error: class and message of what failed, or None.
        missing: what could not be looked at.
    """

    kind: str
    counts: tuple[tuple[str, int], ...]
    differing: tuple[Difference, ...]
    steps: tuple[Step, ...]
    risky: tuple[str, ...]
    notes: tuple[str, ...]
    error: tuple[str, str] | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Customers to whom the same would be done.

    Attributes:
        rows: theirs, sorted by stack.
        general: what they have in common, with ``CUSTOMER``, ``BUCKET`` and the like in the places of their names.
    """

    rows: tuple[Previewed, ...]
    general: Same

    @cached_property
    def what(self) -> Same:
        """What would be done; of one customer alone with its own names."""
        return self.general if len(self.rows) > 1 else _same(self.rows[0], str)

    @property
    def rank(self) -> tuple[int, str]:
        """By which groups are sorted: what failed first, then what is risky, then what is not known."""
        worst = (self.general.error, self.general.risky, self.general.missing)
        return next((rank for rank, each in enumerate(worst) if each), len(worst)), self.rows[0].stack


def groups(rows: Iterable[Previewed]) -> list[Group]:
    """The groups, the worst ones first.

    Args:
        rows: of all customers.
    """
    found: dict[Same, list[Previewed]] = {}
    for row in sorted(rows, key=lambda row: row.stack):
        found.setdefault(_same(row, _general_words(row.change)), []).append(row)
    return sorted((Group(tuple(those), same) for same, those in found.items()), key=lambda group: group.rank)


def _same(row: Previewed, said: Callable[[str], str]) -> Same:
    steps = (replace(step, resource=said(step.resource), documents=None) for step in row.steps)
    notes = (risk.what for risk in row.risks if risk.level == "note")
    return Same(
        kind=row.change.kind,
        counts=tuple(counts(row).items()),
        differing=tuple(each.said(said) for each in differences(row.change)),
        steps=tuple(sorted_steps(steps)),
        risky=tuple(map(said, row.risky)),
        notes=tuple(map(said, notes)),
        error=(row.error[0], said(row.error[1])) if row.error else None,
        missing=tuple(map(said, row.missing)),
    )


def _general_words(change: Change) -> Callable[[str], str]:
    """Puts ``CUSTOMER`` and the like in the places of a customer's own names.

    Only names that it keeps are taken: a bucket that is new to a customer is what a reviewer has to see.
    """
    if change.kind == "renamed":
        return str
    names = {change.customer: "CUSTOMER"}
    if change.before:
        names = _names(change.before) | names
        if change.after:
            kept = _names(change.after)
            names = {name: word for name, word in names.items() if word == "CUSTOMER" or kept.get(name) == word}
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    wanted = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")
    return lambda text: wanted.sub(lambda found: names[found[0]], text)


def _names(spec: ConnectionSpec) -> dict[str, str]:
    given = spec.aws.names
    explicit = {
        given.user: "USER",
        given.role: "ROLE",
        given.policy: "POLICY",
        spec.integration.name: "INTEGRATION",
        spec.aws.account_id: "ACCOUNT",
        spec.organization_id: "ORGANIZATION",
    }
    numbered: dict[str, str] = {}
    for word, names in (
        ("BUCKET", spec.bucket_names),
        ("KEY", spec.kms_key_arns),
        ("DRIVER", tuple(driver.name for driver in spec.drivers)),
        ("PROJECT", tuple(dict.fromkeys(driver.project_id for driver in spec.drivers))),
    ):
        for number, name in enumerate(names, 1):
            numbered.setdefault(name, word if len(names) == 1 else f"{word}-{number}")
    return numbered | {name: word for name, word in explicit.items() if name}
