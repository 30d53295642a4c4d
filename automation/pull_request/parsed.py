"""What the files of one side say: the settings, the defaults, and every record with its mistakes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from automation.conflicts import conflicts
from automation.environment import Environment, EnvironmentSettings
from automation.errors import RecordError
from automation.files import YamlFile
from automation.pull_request.neighbours import neighbours
from automation.pull_request.sides import Side, defaults_path, own_stack_path
from automation.records import INVALID, Record, in_conflict, own_stack, read_record
from dataloop_sts.errors import Problem


@dataclass
class Parsed:
    """A side, read as far as it is asked for; a mistake in one file hides no other.

    Attributes:
        side: the files.
        other: the other side: a file that is the same there is parsed once.
    """

    side: Side
    other: Parsed | None = None
    _files: dict[Path, YamlFile] = field(default_factory=dict)
    _found: dict[str | None, Record | RecordError | None] = field(default_factory=dict)

    def read(self, path: Path) -> YamlFile:
        """A file; raises as :meth:`Side.read`."""
        if self.other and self.other.side.contents.get(path) == self.side.contents[path]:
            return self.other.read(path)
        if path not in self._files:
            self._files[path] = self.side.read(path)
        return self._files[path]

    @cached_property
    def settings(self) -> EnvironmentSettings | RecordError:
        """The environment's settings, or their mistakes."""
        try:
            return self.side.settings()
        except RecordError as error:
            return error

    @cached_property
    def environment(self) -> Environment:
        """The environment, in whose project's folder the paths are."""
        settings = self.settings if isinstance(self.settings, EnvironmentSettings) else EnvironmentSettings()
        return Environment(self.side.environment, Path(), settings)

    @cached_property
    def defaults(self) -> YamlFile | RecordError | None:
        """What all records inherit, or what is wrong with it."""
        try:
            return self.side.defaults()
        except RecordError as error:
            return error

    def record(self, customer: str | None) -> Record | RecordError | None:
        """The record of a customer by itself, of the environment's own stack for None; None where there is none."""
        if self.other and self.same_files(customer):
            return self.other.record(customer)
        if customer not in self._found:
            try:
                self._found[customer] = self._own_stack() if customer is None else self._record(customer)
            except RecordError as error:
                self._found[customer] = error
        return self._found[customer]

    def in_conflict(self, customers: Collection[str | None]) -> dict[str | None, RecordError]:
        """Which of some customers, and of those they clash with, name what another one names.

        Args:
            customers: those in question; None for the environment's own stack.
        """
        known = [each for each in map(self.record, customers) if isinstance(each, Record)]
        found = conflicts([*known, *self._neighbours(known, but=customers)])
        return {record.customer: in_conflict(record, mistakes, self.read) for record, mistakes in found}

    def _neighbours(self, of: list[Record], but: Collection[str | None]) -> Iterator[Record]:
        texts = {
            customer: content
            for customer, paths in self.side.records.items()
            if customer not in but and isinstance(content := self.side.contents[paths[0]], bytes)
        }
        inherited = self.side.contents.get(defaults_path(self.side.environment))
        for customer in neighbours(of, texts, inherited if isinstance(inherited, bytes) else b""):
            if isinstance(record := self.record(customer), Record):
                yield record

    def same_files(self, customer: str | None) -> bool:
        """Whether all that a record is made of is the same on the other side."""
        if self.other is None:
            return False
        mine, others = self.side, self.other.side
        if customer is None:
            paths = [own_stack_path(mine.environment)]
        elif mine.records.get(customer) == others.records.get(customer):
            paths = [defaults_path(mine.environment), *mine.records.get(customer, ())]
        else:
            return False
        return all(mine.contents.get(path) == others.contents.get(path) for path in paths)

    def _own_stack(self) -> Record | None:
        file = self.side.own_stack()
        return own_stack(self.environment, file) if file else None

    def _record(self, customer: str) -> Record | None:
        paths = self.side.records.get(customer)
        if paths is None:
            return None
        if isinstance(self.defaults, RecordError):
            raise self.defaults
        return read_record(self.environment, customer, paths, self.defaults, self.read)


def told(*errors: object) -> tuple[Problem, ...]:
    """The mistakes of those that are errors, each once."""
    found = [problem for error in errors if isinstance(error, RecordError) for problem in _told(error)]
    return tuple(dict.fromkeys(found))


def _told(error: RecordError) -> Iterable[Problem]:
    # each of a spec's mistakes has its file in its place; others have it in the heading
    plain = error.heading == INVALID
    return error.problems if plain else [Problem("", f"{error.heading} {each}") for each in error.problems]
