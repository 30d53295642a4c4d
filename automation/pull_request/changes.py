"""Which customers a change of files is about: those whose resolved spec differs between two revisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dataloop_sts.errors import Problem
from dataloop_sts.spec import ConnectionSpec

Kind = Literal["added", "changed", "removed", "renamed", "program"]


@dataclass(frozen=True)
class Change:
    """A customer who is not the same at the head as at the base.

    Attributes:
        kind: ``program`` is for those whose spec is the same while the program is not.
        customer: the name at the head; of a removed one that at the base.
        former: of a renamed one, the name at the base.
        before: the spec at the base; None where there was none, or a mistaken one.
        after: the spec at the head, likewise.
        problems: the mistakes of the head's record, each with file, line and path; then there is nothing to preview.
        base_problems: the mistakes of the base's record: what was before is not known.
        settings: the environment's settings that differ and are about this customer, such as ``backend_url``. They say
            where credentials are sent and whose state is read: as with a program, only those of the base are trusted.
    """

    kind: Kind
    customer: str
    former: str | None = None
    before: ConnectionSpec | None = None
    after: ConnectionSpec | None = None
    problems: tuple[Problem, ...] = ()
    base_problems: tuple[Problem, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """All that differs in one environment.

    Attributes:
        environment: its name.
        base: the commit that is compared with: where the head left the given base.
        head: the commit that is compared; None for the working tree.
        customers: sorted by customer.
        program: the files of the program that differ, relative to the repository.
        unchanged: how many customers are the same.
        own_stack: the same for the environment's own stack, ``Pulumi.ENVIRONMENT.yaml``; None where it is unchanged.
        settings: the environment's settings that differ.
        elsewhere: the other environments in whose folders files differ.
    """

    environment: str
    base: str
    head: str | None
    customers: tuple[Change, ...]
    program: tuple[str, ...]
    unchanged: int
    own_stack: Change | None = None
    settings: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """What ``dataloop-sts changed`` prints, ready for JSON."""
        named = {
            kind: [each.customer for each in self.customers if each.kind == kind]
            for kind in ("added", "changed", "removed")
        }
        return {
            "environment": self.environment,
            "base": self.base,
            "head": self.head,
            **named,
            "renamed": [
                {"from": each.former, "to": each.customer} for each in self.customers if each.kind == "renamed"
            ],
            "own_stack": self.own_stack and self.own_stack.kind,
            "by_program": [each.customer for each in self.customers if each.kind == "program"],
            "program": list(self.program),
            "settings": list(self.settings),
            "problems": {each.customer: list(map(str, each.problems)) for each in self.customers if each.problems},
            "unchanged": self.unchanged,
            "elsewhere": list(self.elsewhere),
        }
