"""Which customers a change of files is about: those whose resolved spec differs between two revisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from automation.conflicts import claims_of
from automation.environment import SETTINGS_FILE, Environment
from automation.errors import RecordError
from automation.pull_request import program, sides
from automation.pull_request.git import Repository
from automation.pull_request.parsed import Parsed, told
from automation.records import Record
from dataloop_sts.errors import Problem
from dataloop_sts.spec import ConnectionSpec
from dataloop_sts.spec_parts import IntegrationSpec, NamesSpec

Kind = Literal["added", "changed", "removed", "renamed", "program"]
_ORGANIZATIONS = "organizations"


@dataclass(frozen=True)
class Change:
    """A customer who is not the same at the head as at the base.

    Attributes:
        kind: ``program`` is for those whose spec is the same while the program, or the environment's settings, are not.
        customer: the name at the head; of a removed one that at the base; of an own stack the environment's.
        former: of a renamed one, the name at the base.
        before: the spec at the base; None where there was none, or a mistaken one.
        after: the spec at the head, likewise.
        problems: the mistakes of the head's record, each with file, line and path; then there is nothing to preview.
        base_problems: the mistakes of the base's record: what was before is not known.
        settings: the environment's settings that differ and are about this customer, such as ``backend_url``. They say
            where credentials are sent and whose state is read: as with a program, only those of the base are trusted.
        own_stack: whether it is the environment's own stack, which is no customer's.
    """

    kind: Kind
    customer: str
    former: str | None = None
    before: ConnectionSpec | None = None
    after: ConnectionSpec | None = None
    problems: tuple[Problem, ...] = ()
    base_problems: tuple[Problem, ...] = ()
    settings: tuple[str, ...] = ()
    own_stack: bool = False


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
        every = [*self.customers, *([self.own_stack] if self.own_stack else [])]
        return {
            "environment": self.environment,
            "base": self.base,
            "head": self.head,
            "added": self.of_kind("added"),
            "changed": self.of_kind("changed"),
            "removed": self.of_kind("removed"),
            "renamed": [
                {"from": each.former, "to": each.customer} for each in self.customers if each.kind == "renamed"
            ],
            "by_program": self.of_kind("program"),
            "unchanged": self.unchanged,
            "own_stack": self.own_stack.kind if self.own_stack else None,
            "program": list(self.program),
            "settings": list(self.settings),
            "elsewhere": list(self.elsewhere),
            "problems": [
                {"customer": each.customer, "problems": list(map(str, each.problems))}
                for each in every
                if each.problems
            ],
        }

    def of_kind(self, kind: Kind) -> list[str]:
        """The names of the customers that are changed so."""
        return [each.customer for each in self.customers if each.kind == kind]


def changes_between(environment: Environment, base: str, head: str | None = None) -> Changes:
    """Compares an environment's records, and what else decides about its connections, at two revisions.

    Nothing but git is asked, and nothing of the head is run. Records are compared by what they come to, defaults and
    derived names included; comments, labels and the form in which they are written do not count.

    Args:
        environment: whose name and project are taken; its settings are those that either side has.
        base: a revision; compared is with the commit where the head left it.
        head: a revision; None for the working tree, files included that git does not know yet.

    Raises:
        RecordError: a revision cannot be looked at, neither side has records, or the defaults or settings at the head
            have mistakes. Those of single records are in :class:`Change`.
    """
    repository = Repository.of(environment.project_dir)
    head_commit = repository.commit(head or "HEAD")
    start = repository.merge_base(repository.commit(base), head_commit)
    name = environment.name
    after = Parsed(sides.at_commit(repository, head_commit, name) if head else sides.in_working_tree(environment))
    before = Parsed(sides.at_commit(repository, start, name), other=after)
    if not before.side.contents and not after.side.contents:
        what = "neither side has a record: correct the environment, or run it in the project's folder"
        raise RecordError(f"There is nothing to compare in {name}:", [Problem("", what)])
    for mistaken in (after.settings, after.defaults):
        if isinstance(mistaken, RecordError):
            raise mistaken
    files = program.sort(
        repository.changed_files(start, head_commit if head else None),
        prefix=repository.prefix,
        environment=name,
        settings=[before.environment.settings, after.environment.settings],
    )
    comparison = _Comparison(before, after, program_changed=bool(files.program))
    customers = tuple(sorted(comparison.customers(), key=lambda change: change.customer))
    return Changes(
        environment=name,
        base=start,
        head=head_commit if head else None,
        customers=customers,
        program=files.program,
        unchanged=len(after.side.records) - sum(change.kind != "removed" for change in customers),
        own_stack=comparison.own_stack(),
        settings=comparison.settings,
        elsewhere=files.elsewhere,
    )


@dataclass(frozen=True)
class _Comparison:
    before: Parsed
    after: Parsed
    program_changed: bool

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The environment's settings that differ, those of organizations by their ids."""
        was, now = self.before.settings, self.after.environment.settings
        if isinstance(was, RecordError):
            return (SETTINGS_FILE,)  # which of them is not known
        plain = [key for key in type(now).model_fields if key != _ORGANIZATIONS]
        ids = sorted({*was.organizations, *now.organizations})
        return (
            *(key for key in plain if getattr(was, key) != getattr(now, key)),
            *(f"{_ORGANIZATIONS}.{one}" for one in ids if was.organizations.get(one) != now.organizations.get(one)),
        )

    def customers(self) -> Iterator[Change]:
        """The changes of all customers, in no order."""
        at_base, at_head = set(self.before.side.records), set(self.after.side.records)
        former = self._former_names(at_base - at_head, at_head - at_base)
        for customer in at_head & at_base:
            if change := self._of_both(customer):
                yield change
        for customer in at_head - at_base:
            kind: Kind = "renamed" if customer in former else "added"
            yield self._change(kind, customer, former.get(customer))
        for customer in at_base - at_head - set(former.values()):
            yield self._change("removed", None, customer)

    def own_stack(self) -> Change | None:
        """The change of the environment's own stack."""
        was, now = self.before.record(None), self.after.record(None)
        if was and now:
            return self._of_both(None)
        return self._change("added" if now else "removed", None, None) if was or now else None

    def _of_both(self, customer: str | None) -> Change | None:
        """The change of one that is on both sides; None where it is the same."""
        readable, same = self.after.side.is_readable(customer), self.before.same_files(customer)
        if readable and same and not self.settings and not self.program_changed:
            return None
        change = self._change("changed", customer, customer)
        if not readable:
            return change
        if same or change.problems == change.base_problems:
            # Mistakes that were there before are not this change's. Nor are those of a record that is the same and
            # names what a changed one names too: the changed one is told.
            change = replace(change, problems=(), base_problems=())
        elif change.problems or change.base_problems:
            return change
        if change.before is None or change.after is None:
            return None
        if self._resolved(change.before) != self._resolved(change.after):
            return change
        return replace(change, kind="program") if change.settings or self.program_changed else None

    def _change(self, kind: Kind, customer: str | None, former: str | None) -> Change:
        """The change of ``former`` at the base into ``customer`` at the head; None is the environment's own stack."""
        own = customer is None and former is None
        was = self.before.record(former) if own or former else None
        now = self.after.record(customer) if own or customer else None
        conflict = self._in_conflict.get(customer) if now else None
        return Change(
            kind=kind,
            customer=customer or former or self.after.environment.name,
            former=former if kind == "renamed" else None,
            before=was.spec if isinstance(was, Record) else None,
            after=now.spec if isinstance(now, Record) and conflict is None else None,
            problems=told(conflict or now),
            base_problems=told(was),
            settings=self._settings_about(was, now),
            own_stack=own,
        )

    @cached_property
    def _in_conflict(self) -> dict[str | None, RecordError]:
        """The changed records that name what another one names."""
        changed = {each for each in self.after.side.records if not self.before.same_files(each)}
        return self.after.in_conflict({None, *changed})

    def _settings_about(self, *sides: Record | RecordError | None) -> tuple[str, ...]:
        records = [each for each in sides if isinstance(each, Record)]
        organizations = {f"{_ORGANIZATIONS}.{each.spec.organization_id}" for each in records}
        shared = [key for key in self.settings if not key.startswith(_ORGANIZATIONS) or key in organizations]
        # that of the own stack is in the stack's config
        flags = ["sandbox"] if len({each.sandbox for each in records}) > 1 else []
        return tuple(dict.fromkeys([*shared, *flags]))

    def _resolved(self, spec: ConnectionSpec) -> tuple[object, ...]:
        """What a spec comes to: a name that is written as it would derive is no other name."""
        plain = {
            "aws": spec.aws.model_copy(update={"names": NamesSpec()}),
            "integration": IntegrationSpec(),
        }
        return spec.names(self.after.environment.name), spec.model_copy(update=plain)

    def _former_names(self, removed: set[str], added: set[str]) -> dict[str, str]:
        """Which of the added ones was which removed one: it names what only one connection can have.

        Records of one folder look alike, so that likeness says nothing. Where one of both has mistakes, the same text
        says it.
        """
        owners: dict[object, str] = {}
        for former in sorted(removed):
            owners |= dict.fromkeys(_marks(self.before, former), former)
        found: dict[str, str] = {}
        taken: set[str] = set()
        for customer in sorted(added):
            shared = Counter(owners[mark] for mark in _marks(self.after, customer) if mark in owners)
            if free := [former for former, _ in shared.most_common() if former not in taken]:
                found[customer] = free[0]
                taken.add(free[0])
        return found


def _marks(side: Parsed, customer: str) -> Iterator[object]:
    """What tells that a record is the same under another name."""
    yield from (side.side.contents[path] for path in side.side.records[customer])
    record = side.record(customer)
    if isinstance(record, Record):
        yield from (thing for thing, _ in claims_of(record))
